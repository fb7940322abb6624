//! Who waits for whom: what a scope and its tasks share, and how a scope that nobody owns any more finds somebody to wait for it.
//!
//! 1. A task is a [`Member`](super::member::Member) of its scope from before it starts until after everything of it is gone. A scope that was
//!    *handed over* is a [`Guest`] of another one, its host, from then until its last task has left.
//! 2. A scope is *quiet* when it has neither tasks nor guests. [`join`](Registry::join) waits for that.
//! 3. `Ended` is for ever: only a quiet scope ends, and one that has ended takes in neither tasks nor guests. So whoever was
//!    taken in is waited for.
//! 4. The host is the nearest scope around that has not ended, or else the root, which never ends.
//! 5. No lock is held while another one is taken, while somebody is woken, or while something of the user's is dropped.
//! 6. What is above a scope wakes its tasks by [`Members`], maybe with locks of its own held. So they must not be what keeps
//!    anything alive whose destructor takes such a lock: when a registry goes, it takes everything like that out of them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;

use tokio::sync::Notify;

use super::current;
use super::info::TaskInfo;
use super::member::Entry;
use super::slab::Slab;
use crate::abort::{AbortController, AbortSignal, Ears};
use crate::outcome::Panic;
use crate::reason::{Reason, ReasonKind};
use crate::sync::{Lock, LockGuard};

/// What a scope and its tasks share.
pub(super) struct Registry {
    /// Tells the tasks that they are dropped: [`abort`](Self::abort).
    pub(super) hard: AbortController,
    /// Tells the tasks, which is all that happens at first when a scope is shut down. It is below `hard`.
    pub(super) soft: AbortController,
    id: u64,
    /// The scope in one of whose tasks this one was made.
    maker: Weak<Registry>,
    members: Arc<Members>,
    /// Where the scope is below a signal.
    _ears: Option<Pin<Box<Ears>>>,
    quiet: Notify,
}

/// Who is to be woken, and waited for.
pub(super) struct Members(Lock<State>);

pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) tasks: Slab<Entry>,
    /// Weak, as they know their host: their tasks keep them alive.
    guests: BTreeMap<u64, Weak<Registry>>,
    /// Scopes that were made in its tasks, to be told when it is shut down.
    below: BTreeMap<u64, Weak<Registry>>,
    /// Who waits for this scope, since its owner does not.
    host: Option<Guest>,
    /// The nearest one around that had not ended when somebody looked.
    around: Option<Arc<Registry>>,
    /// The first panic of a task, for the join to go on with.
    panic: Option<Panic>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Takes tasks.
    Open,
    /// Takes no more tasks; those that it has are on their way out.
    Closed,
    /// Quiet, for ever.
    Ended,
}

impl Members {
    pub(super) fn state(&self) -> LockGuard<'_, State> {
        self.0.lock()
    }
}

impl State {
    fn new(around: Option<Arc<Registry>>) -> Self {
        Self {
            phase: Phase::Open,
            tasks: Slab::new(),
            guests: BTreeMap::new(),
            below: BTreeMap::new(),
            host: None,
            around,
            panic: None,
        }
    }

    fn is_quiet(&self) -> bool {
        self.tasks.is_empty() && self.guests.is_empty()
    }
}

/// Tells tasks and guests apart, in the whole process.
pub(super) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Registry {
    /// The registry of a scope that is dropped along with `signal`, made in a task of `around`.
    pub(super) fn new(signal: &AbortSignal, around: Option<Arc<Self>>) -> Arc<Self> {
        let hard = signal.child();
        // That lets go of those around it that have ended.
        drop(around.as_ref().and_then(|around| around.around()));
        let soft = hard.signal().child();
        let members = Arc::new(Members(Lock::new(State::new(around.clone()))));
        // An abort of its own it passes on by itself.
        let above = !signal.is_never();
        let waker = above.then(|| Waker::from(Arc::clone(&members)));
        let made = Arc::new(Self {
            _ears: waker.and_then(|waker| hard.signal().call(&waker)),
            hard,
            soft,
            id: next_id(),
            maker: around.as_ref().map_or_else(Weak::new, Arc::downgrade),
            members,
            quiet: Notify::new(),
        });
        if let Some(around) = around {
            let below = Arc::downgrade(&made);
            around.state().below.insert(made.id, below);
            // After it was put there: told before or told now, it has not missed it.
            if let Some(reason) = around.soft.signal().reason() {
                made.soft.abort(reason);
            }
        }
        made
    }

    /// Tells the tasks of this scope, and of those below it, to end. There is no chain of signals from scope to scope: it would
    /// keep those of scopes that have ended.
    pub(super) fn tell(self: &Arc<Self>, reason: &Reason) {
        let mut told = vec![Arc::clone(self)];
        while let Some(scope) = told.pop() {
            scope.soft.abort(reason.clone());
            told.extend(scope.state().below.values().filter_map(Weak::upgrade));
        }
    }

    /// Drops the tasks.
    pub(super) fn abort(&self, reason: Reason) -> bool {
        let first = self.hard.abort(reason);
        if first {
            self.members.wake_all();
        }
        first
    }

    pub(super) fn state(&self) -> LockGuard<'_, State> {
        self.members.state()
    }

    /// A task panicked: the others are not needed any more.
    pub(super) fn panicked(&self, panic: &Panic) {
        let mut state = self.state();
        // Without an owner nobody joins, so nobody would ever see it here.
        if state.host.is_none() && state.phase == Phase::Open {
            state.panic.get_or_insert_with(|| panic.clone());
        }
        drop(state);
        let message = format!("another task of the scope panicked: {}", panic.message());
        self.abort(Reason::new(ReasonKind::Failed).message(message));
    }

    pub(super) fn has_panicked(&self) -> bool {
        self.state().panic.is_some()
    }

    pub(super) fn take_panic(&self) -> Option<Panic> {
        self.state().panic.take()
    }

    /// Waits until it is quiet; with `end`, it has ended then.
    ///
    /// # Panics
    /// If the task that waits is one of those that it waits for.
    pub(super) async fn join(self: &Arc<Self>, end: bool) {
        loop {
            // Made before the look, so that it hears of all that happens after.
            let quiet = self.quiet.notified();
            {
                let mut state = self.state();
                if state.is_quiet() {
                    if end {
                        state.phase = Phase::Ended;
                    }
                    return;
                }
            }
            self.refuse_to_wait_for_oneself();
            quiet.await;
        }
    }

    #[track_caller]
    fn refuse_to_wait_for_oneself(self: &Arc<Self>) {
        let inside = current::scope().is_some_and(|inner| inner.is_inside(self));
        assert!(
            !inside,
            "a task waits for the scope that it is a part of, which waits for the task"
        );
    }

    /// Whether `outer` waits for this scope, or for the task that it was made in.
    fn is_inside(self: Arc<Self>, outer: &Arc<Self>) -> bool {
        let mut inner = Some(self);
        while let Some(scope) = inner {
            if Arc::ptr_eq(&scope, outer) {
                return true;
            }
            let state = scope.state();
            let next = match &state.host {
                Some(guest) => Some(Arc::clone(&guest.host)),
                None => state.around.clone(),
            };
            drop(state);
            inner = next;
        }
        false
    }

    /// Its owner is gone: takes no more tasks, and finds a host for those that it has. `false` if it had ended before,
    /// or was detached.
    pub(super) fn orphan(self: &Arc<Self>) -> bool {
        let state = self.state();
        if state.phase == Phase::Ended || state.host.is_some() {
            return false;
        }
        drop(state);
        self.hand_over(Phase::Closed, |around| {
            let mut outer = around;
            while let Some(scope) = outer {
                if let Some(guest) = scope.take_in(self) {
                    return guest;
                }
                outer = scope.around();
            }
            self.guest_of_root()
        });
        true
    }

    /// Its owner lets it go on: it is the root's from here.
    pub(super) fn detach(self: &Arc<Self>) {
        self.hand_over(Phase::Open, |_| self.guest_of_root());
    }

    fn guest_of_root(self: &Arc<Self>) -> Guest {
        root().take_in(self).expect("the root never ends")
    }

    fn hand_over(self: &Arc<Self>, phase: Phase, find: impl FnOnce(Option<Arc<Self>>) -> Guest) {
        let mut state = self.state();
        let panic = state.panic.take();
        if state.is_quiet() {
            state.phase = Phase::Ended;
        }
        let ended = state.phase == Phase::Ended;
        drop(state);
        drop(panic);
        if ended {
            return;
        }
        // It is a guest before it is without an owner, so that there is no moment in which nobody counts it. Should its
        // last task leave just now, it was a guest for a moment, and no harm is done.
        let guest = find(self.around());
        let host = Arc::clone(&guest.host);
        let mut state = self.state();
        let panic = state.panic.take();
        let left = if state.is_quiet() {
            state.phase = Phase::Ended;
            Some(guest)
        } else {
            state.phase = phase;
            state.host = Some(guest);
            None
        };
        drop(state);
        drop((left, panic));
        // Whoever waits for the host may be a task of this scope, and find that out now.
        host.quiet.notify_waiters();
    }

    /// The nearest scope around it that has not ended. Those that have are let go of, so that a chain of scopes, each made by
    /// a task of the one before, does not grow for ever.
    pub(super) fn around(&self) -> Option<Arc<Self>> {
        loop {
            let around = self.state().around.clone()?;
            let next = {
                let state = around.state();
                if state.phase != Phase::Ended {
                    drop(state);
                    return Some(around);
                }
                state.around.clone()
            };
            let ended = std::mem::replace(&mut self.state().around, next);
            drop(ended);
        }
    }

    fn take_in(self: &Arc<Self>, guest: &Arc<Self>) -> Option<Guest> {
        let id = next_id();
        let mut state = self.state();
        if state.phase == Phase::Ended {
            return None;
        }
        state.guests.insert(id, Arc::downgrade(guest));
        drop(state);
        Some(Guest {
            host: Arc::clone(self),
            id,
        })
    }

    /// What is not over yet, of its own and of its guests, in the order in which it was started.
    pub(super) fn tasks(&self) -> Vec<TaskInfo> {
        let mut found = Vec::new();
        self.each(|state| found.extend(state.tasks.values().map(|entry| entry.info.clone())));
        found.sort_by_key(TaskInfo::id);
        found
    }

    /// How many that are.
    pub(super) fn running(&self) -> usize {
        let mut running = 0;
        self.each(|state| running += state.tasks.len());
        running
    }

    fn each(&self, mut look: impl FnMut(&State)) {
        let mut guests: Vec<Arc<Self>> = Vec::new();
        let mut visit = |scope: &Self, guests: &mut Vec<Arc<Self>>| {
            let state = scope.state();
            look(&state);
            guests.extend(state.guests.values().filter_map(Weak::upgrade));
        };
        visit(self, &mut guests);
        while let Some(guest) = guests.pop() {
            visit(&guest, &mut guests);
        }
    }

    /// Something has left.
    pub(super) fn left(&self, leave: impl FnOnce(&mut State)) {
        let mut state = self.state();
        leave(&mut state);
        let quiet = state.is_quiet();
        let guest = if quiet { state.host.take() } else { None };
        if guest.is_some() {
            state.phase = Phase::Ended;
        }
        drop(state);
        if quiet {
            self.quiet.notify_waiters();
        }
        drop(guest);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(maker) = self.maker.upgrade() {
            maker.state().below.remove(&self.id);
        }
        let mut state = self.state();
        let mut around = state.around.take();
        let rest = (state.host.take(), state.panic.take());
        drop(state);
        drop(rest);
        // A long chain of them ends one by one.
        while let Some(last) = around.and_then(Arc::into_inner) {
            around = last.state().around.take();
        }
    }
}

/// That a scope counts as a part of another one.
struct Guest {
    host: Arc<Registry>,
    id: u64,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.host.left(|state| {
            state.guests.remove(&self.id);
        });
    }
}

/// Where what has no scope around it is counted.
#[cfg(not(loom))]
pub(super) fn root() -> Arc<Registry> {
    static ROOT: std::sync::LazyLock<Arc<Registry>> =
        std::sync::LazyLock::new(|| Registry::new(&AbortSignal::never(), None));
    Arc::clone(&ROOT)
}

#[cfg(loom)]
pub(super) fn root() -> Arc<Registry> {
    loom::lazy_static! {
        static ref ROOT: Arc<Registry> = Registry::new(&AbortSignal::never(), None);
    }
    Arc::clone(&ROOT)
}
