//! One task, seen from outside: [`Handle`].

use std::fmt;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::current;
use super::member::Member;
use crate::outcome::{Outcome, Panic};
use crate::reason::{Reason, ReasonKind};
use crate::sync::Lock;
use crate::unhandled::{self, Origin};

/// A task of a [`Scope`](crate::Scope); as a future, its [`Outcome`].
///
/// Dropping it does nothing to the task. If that fails, or has failed, nobody will have looked at its outcome, and the hook of
/// [`on_unhandled`](crate::on_unhandled) hears of it; [`ignore`](Self::ignore) says that nobody needs to. A value that is not taken is dropped
/// with the handle, or by the task if that is gone, where a destructor that panics is a panic of the task.
///
/// # Cancel safety
/// It may be polled now and then: awaiting `&mut handle` in a `timeout` loses nothing.
///
/// # Panics
/// If it is polled again after it gave the outcome, or by the task whose handle it is, which would wait for itself.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let scope = settled::Scope::new();
/// let handle = scope.spawn(std::future::pending::<Result<(), ()>>());
/// handle.abort("only this one");
/// assert!(handle.await.is_cancelled());
/// scope.join().await;
/// # });
/// ```
#[must_use = "a handle has the outcome of a task; `ignore` it if nobody wants to know"]
pub struct Handle<T, E> {
    cell: Arc<Cell<T, E>>,
}

/// What the handle and the task share.
struct Cell<T, E> {
    slot: Lock<Slot<T, E>>,
    member: Member,
    origin: Origin,
    /// Tells of an error that nobody took. A function, as only whoever starts a task knows that `E` is `'static`.
    unhandled: fn(&E, &Origin),
}

/// Who of the two has done what.
enum Slot<T, E> {
    /// The task has not ended, and the handle is there, awaited by the waker.
    Waiting(Option<Waker>),
    /// The task has ended, and the outcome is there for the handle.
    Settled(Outcome<T, E>),
    /// The handle has taken the outcome, or does not want it.
    Done,
    /// The task has not ended, and the handle was dropped.
    Dropped,
}

impl<T, E> Cell<T, E> {
    fn swap(&self, slot: Slot<T, E>) -> Slot<T, E> {
        std::mem::replace(&mut self.slot.lock(), slot)
    }

    /// To the handle. If that is gone, it ends here.
    fn hand_over(&self, outcome: Outcome<T, E>) {
        let mut slot = self.slot.lock();
        match &mut *slot {
            Slot::Waiting(waker) => {
                let waker = waker.take();
                *slot = Slot::Settled(outcome);
                drop(slot);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            Slot::Dropped => {
                drop(slot);
                self.nobody_looked(&outcome);
            }
            Slot::Settled(_) | Slot::Done => {
                drop(slot);
                seen(&outcome);
            }
        }
    }

    /// Nobody will ever look at this outcome. A panic tells by itself, once it is sure that no join goes on with it.
    fn nobody_looked(&self, outcome: &Outcome<T, E>) {
        if let Outcome::Rejected(error) = outcome {
            (self.unhandled)(error, &self.origin);
        }
    }
}

/// Makes the two ends of a task.
pub(super) fn pair<T, E: 'static>(member: Member, origin: Origin) -> (Handle<T, E>, Settler<T, E>) {
    let handle = Handle::new(Slot::Waiting(None), member, origin);
    let settler = Settler {
        cell: Some(Arc::clone(&handle.cell)),
    };
    (handle, settler)
}

/// The handle of a task that was not started.
pub(super) fn settled<T, E: 'static>(
    outcome: Outcome<T, E>,
    member: Member,
    origin: Origin,
) -> Handle<T, E> {
    Handle::new(Slot::Settled(outcome), member, origin)
}

/// The task's end: whatever becomes of the task, the handle settles, and then the scope hears that it is gone.
pub(super) struct Settler<T, E> {
    /// `None`: the task is over.
    cell: Option<Arc<Cell<T, E>>>,
}

impl<T, E> Settler<T, E> {
    fn cell(&self) -> &Cell<T, E> {
        let cell = self.cell.as_ref();
        cell.expect("a task is not polled again after it was over")
    }

    pub(super) fn member(&self) -> &Member {
        &self.cell().member
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.cell().origin
    }

    /// The task is over. What nobody takes is dropped here, and a panic of its destructor is one of the task.
    pub(super) fn settle(&mut self, outcome: Outcome<T, E>) {
        let Some(cell) = self.cell.take() else { return };
        // Whatever panics on the way, nobody waits for a task that is over.
        let _leaves = Leaves(&cell.member);
        // `AssertUnwindSafe`: the slot was written, and let go of, before anything of somebody else's is called.
        let handed_over = panic::catch_unwind(AssertUnwindSafe(|| cell.hand_over(outcome)));
        if let Err(payload) = handed_over {
            panicked(&Panic::new(payload), &cell.member, &cell.origin);
        }
    }
}

struct Leaves<'a>(&'a Member);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// The handle and the scope have a clone each. When both have let go of theirs, and neither has shown it to anybody, it is told.
pub(super) fn panicked(panic: &Panic, member: &Member, origin: &Origin) {
    let origin = origin.clone();
    panic.or_else_unseen(move |message, payload| {
        unhandled::panicked(message, payload, &origin);
    });
    member.registry.panicked(panic);
}

impl<T, E> Drop for Settler<T, E> {
    fn drop(&mut self) {
        let Some(cell) = &self.cell else { return };
        // The task was dropped half-way, which is what a runtime does that shuts down.
        let shut_down = || Reason::literal(ReasonKind::Dropped, "the task's runtime was shut down");
        let reason = cell.member.reason();
        self.settle(Outcome::Cancelled(reason.unwrap_or_else(shut_down)));
    }
}

fn seen<T, E>(outcome: &Outcome<T, E>) {
    if let Outcome::Panicked(panic) = outcome {
        panic.seen();
    }
}

impl<T, E> Handle<T, E> {
    fn new(slot: Slot<T, E>, member: Member, origin: Origin) -> Self
    where
        E: 'static,
    {
        let cell = Arc::new(Cell {
            slot: Lock::new(slot),
            member,
            origin,
            unhandled: unhandled::rejected::<E>,
        });
        Self { cell }
    }

    /// Stops this task alone. `false` if it, or its scope, was aborted before. A task that is over stays as it ended.
    pub fn abort(&self, reason: impl Into<Reason>) -> bool {
        self.cell.member.abort(reason.into())
    }

    /// The task is over, and awaiting the handle gives the outcome at once.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let scope = settled::Scope::new();
    /// let handle = scope.spawn(async { Ok::<_, ()>(7) });
    /// assert!(!handle.is_finished(), "not even started");
    /// scope.join().await;
    /// assert!(handle.is_finished());
    /// # });
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(*self.cell.slot.lock(), Slot::Settled(_) | Slot::Done)
    }

    /// Nobody wants to hear of a failure of this task. It goes on; a panic still stops its scope and comes out of the join.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let scope = settled::Scope::new();
    /// scope.spawn(async { Err::<(), _>("no cache: so be it") }).ignore();
    /// scope.join().await;
    /// # });
    /// ```
    pub fn ignore(self) {
        if let Slot::Settled(outcome) = self.cell.swap(Slot::Done) {
            seen(&outcome);
        }
    }
}

impl<T, E> Future for Handle<T, E> {
    type Output = Outcome<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let cell = &self.cell;
        let mut slot = cell.slot.lock();
        match &mut *slot {
            Slot::Waiting(waker) => {
                let unknown = !waker
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(cx.waker()));
                // The old waker is dropped after the lock is let go, as its destructor is somebody else's code.
                let old = unknown.then(|| waker.replace(cx.waker().clone()));
                drop(slot);
                drop(old);
                assert!(
                    current::task() != Some(cell.member.id),
                    "a task waits for its own handle, which waits for the task"
                );
                Poll::Pending
            }
            Slot::Settled(_) => {
                drop(slot);
                let Slot::Settled(outcome) = cell.swap(Slot::Done) else {
                    unreachable!("only the handle takes the outcome")
                };
                seen(&outcome);
                Poll::Ready(outcome)
            }
            Slot::Done | Slot::Dropped => {
                drop(slot);
                panic!("`Handle` polled after it gave the outcome")
            }
        }
    }
}

impl<T, E> Drop for Handle<T, E> {
    fn drop(&mut self) {
        let mut slot = self.cell.slot.lock();
        if let Slot::Done = *slot {
            return;
        }
        let before = std::mem::replace(&mut *slot, Slot::Dropped);
        drop(slot);
        if let Slot::Settled(outcome) = &before {
            self.cell.nobody_looked(outcome);
        }
    }
}

impl<T, E> fmt::Debug for Handle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("task", &format_args!("{}", self.cell.origin))
            .field("finished", &self.is_finished())
            .finish()
    }
}
