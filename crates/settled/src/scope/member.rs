//! A task and its scope: that it is counted, and how it hears that it is to stop.
//!
//! 1. A task is woken by the waker that it left with its scope, at most once. An abort is written down before that waker is
//!    taken, and a task looks for aborts after it has left it: one of the two sees the other.
//! 2. [`Member::told`] is the truth of which abort was first, that of the task alone or that of its scope: whoever sets it. The reason
//!    of the first kind is with the scope then, or is put there as the waker is taken, under one lock: a task that does not find it
//!    has its waker there, or leaves it there before that.

use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use tokio::time::Sleep;

use super::info::TaskInfo;
use super::registry::{Members, Phase, Registry};
use crate::abort::{AbortController, AbortSignal};
use crate::reason::{Reason, ReasonKind};
use crate::sync::{AtomicBool, Ordering};

/// So many are woken between two looks at the scope.
const BATCH: usize = 128;

/// A task as its scope knows it.
pub(super) struct Entry {
    pub(super) info: TaskInfo,
    waker: Option<Waker>,
    /// Why the task alone is stopped. In a box, as few tasks end like that.
    told: Option<Box<Reason>>,
    /// Aborted then. Made when somebody listens.
    own: Option<AbortController>,
}

/// A task's place in its scope, from before it starts until after everything of it is gone.
pub(super) struct Member {
    pub(super) registry: Arc<Registry>,
    pub(super) id: u64,
    pub(super) place: usize,
    /// An abort has reached it.
    told: AtomicBool,
}

impl Registry {
    /// Counts one more task in, unless the scope takes none.
    pub(super) fn enter(self: &Arc<Self>, info: TaskInfo) -> Result<Member, Reason> {
        if let Some(reason) = self.hard.reason() {
            return Err(reason);
        }
        let id = info.id();
        let mut state = self.state();
        if state.phase != Phase::Open {
            return Err(Reason::literal(ReasonKind::Closed, "the scope has ended"));
        }
        let place = state.tasks.insert(Entry {
            info,
            waker: None,
            told: None,
            own: None,
        });
        drop(state);
        Ok(Member::new(self, id, place))
    }

    /// The signal of a task alone.
    pub(super) fn signal_of(&self, id: u64, place: usize) -> AbortSignal {
        let mut state = self.state();
        let entry = state.tasks.get_mut(place);
        let entry = entry.filter(|entry| entry.info.id() == id);
        entry.map_or_else(AbortSignal::never, |entry| entry.own().signal())
    }
}

impl Entry {
    fn own(&mut self) -> &AbortController {
        self.own.get_or_insert_with(|| {
            let controller = AbortController::new();
            if let Some(reason) = &self.told {
                controller.abort(Reason::clone(reason));
            }
            controller
        })
    }
}

impl Member {
    fn new(registry: &Arc<Registry>, id: u64, place: usize) -> Self {
        Self {
            registry: Arc::clone(registry),
            id,
            place,
            told: AtomicBool::new(false),
        }
    }

    /// A task that its scope did not take.
    pub(super) fn refused(registry: &Arc<Registry>, id: u64) -> Self {
        Self::new(registry, id, usize::MAX)
    }

    /// Everything of the task is gone.
    pub(super) fn leave(&self) {
        let mut entry = None;
        self.registry
            .left(|state| entry = state.tasks.remove(self.place));
    }

    /// Stops the task alone, unless it or its scope was stopped before.
    pub(super) fn abort(&self, reason: Reason) -> bool {
        if self.registry.hard.is_aborted() || self.told.swap(true, Ordering::AcqRel) {
            return false;
        }
        let found = self.entry(|entry| {
            entry.told = Some(Box::new(reason.clone()));
            (entry.own.clone(), entry.waker.take())
        });
        let (own, waker) = found.unwrap_or_default();
        if let Some(own) = own {
            own.abort(reason);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Why it is to stop, if it is.
    pub(super) fn reason(&self) -> Option<Reason> {
        let alone = || self.entry(|entry| entry.told.as_deref().cloned()).flatten();
        if self.told.load(Ordering::Acquire) {
            return alone().or_else(|| self.registry.hard.reason());
        }
        let reason = self.registry.hard.reason()?;
        match self.told.swap(true, Ordering::AcqRel) {
            true => alone().or(Some(reason)),
            false => Some(reason),
        }
    }

    /// What the scope has of it, as long as it is there.
    fn entry<R>(&self, look: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        let mut state = self.registry.state();
        let entry = state.tasks.get_mut(self.place)?;
        (entry.info.id() == self.id).then(|| look(entry))
    }
}

/// How a task listens.
#[derive(Default)]
pub(super) struct Ear {
    /// Where the waker that was left with the scope points to, its functions and its data; zeros if none was. As long as the task was
    /// not told, that waker is there, so nothing else can be where it points to.
    left: (usize, usize),
    /// Where the scope is below a timer: everybody has one of his own, as it is the runtime's that the task is in.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Ear {
    /// Before the first poll.
    pub(super) fn is_new(&self) -> bool {
        self.left == (0, 0)
    }

    /// Waits for the task to be told to stop.
    pub(super) fn poll(&mut self, member: &Member, cx: &mut Context<'_>) -> Poll<Reason> {
        let waker = cx.waker();
        let at = (waker.data().addr(), ptr::from_ref(waker.vtable()).addr());
        if self.left != at {
            let waker = waker.clone();
            let old = member.entry(|entry| entry.waker.replace(waker));
            // Not before the lock is let go.
            drop(old);
            self.left = at;
        }
        loop {
            if let Some(reason) = member.reason() {
                return Poll::Ready(reason);
            }
            let Some(earliest) = member.registry.hard.earliest() else {
                return Poll::Pending;
            };
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(earliest)));
            ready!(timer.as_mut().poll(cx));
            self.timer = None;
        }
    }
}

impl Members {
    /// Wakes all tasks, of which each finds out why by itself. No lock is held while one is woken.
    pub(super) fn wake_all(&self) {
        let mut next = 0;
        let mut wakers = Vec::new();
        loop {
            let mut state = self.state();
            while next < state.tasks.places() && wakers.len() < BATCH {
                wakers.extend(
                    state
                        .tasks
                        .get_mut(next)
                        .and_then(|entry| entry.waker.take()),
                );
                next += 1;
            }
            drop(state);
            if wakers.is_empty() {
                return;
            }
            wakers.drain(..).for_each(Waker::wake);
        }
    }
}

/// By what aborts the scope from above.
impl Wake for Members {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}
