//! One task, from inside: its future, and what happens when that is over.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::current::{self, Current};
use super::handle::{self, Handle, Settler};
use super::info::TaskInfo;
use super::registry::{Member, Registry};
use crate::abort::Run;
use crate::outcome::{Outcome, Panic, Settle, settle};
use crate::unhandled::{self, Origin};

/// Makes `future` a task of the scope, which `spawn` is to start.
#[track_caller]
pub(super) fn start<T, E, F>(
    registry: &Arc<Registry>,
    name: Option<Arc<str>>,
    future: F,
    spawn: impl FnOnce(Task<T, E, F>),
) -> Handle<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: 'static,
{
    let origin = Origin {
        name,
        location: Location::caller(),
    };
    let info = TaskInfo::new(origin.clone());
    let controller = registry.hard.signal().child();
    let signal = controller.signal();
    let id = info.id();
    let (handle, mut settler) = handle::pair(controller, id, origin);
    match registry.enter(info) {
        Ok(member) => spawn(Task {
            surroundings: Some(Current::new(registry, Some(id))),
            body: settle(signal.run(future)),
            settler,
            member: Some(member),
        }),
        Err(reason) => settler.settle(Outcome::Cancelled(reason)),
    }
    handle
}

pin_project! {
    // The future that the runtime has. A task that its runtime drops goes field by field, in this order: the body is gone
    // first, then the handle settles, then the scope hears that the task is gone.
    pub(super) struct Task<T, E, F> {
        surroundings: Option<Current>,
        #[pin]
        body: Settle<Run<F>>,
        settler: Settler<T, E>,
        member: Option<Member>,
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Future for Task<T, E, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let polled = current::within(this.surroundings, || this.body.poll(cx));
        let outcome = match ready!(polled) {
            Outcome::Fulfilled(result) => result.into(),
            Outcome::Rejected(reason) => Outcome::Cancelled(reason),
            Outcome::Panicked(panic) => Outcome::Panicked(panic),
            Outcome::TimedOut => Outcome::TimedOut,
            Outcome::Cancelled(reason) => Outcome::Cancelled(reason),
            Outcome::Abandoned => Outcome::Abandoned,
        };
        if let (Outcome::Panicked(panic), Some(member)) = (&outcome, &*this.member) {
            tell_if_unseen(panic, this.settler.origin());
            member.registry.panicked(panic);
        }
        this.settler.settle(outcome);
        this.member.take();
        Poll::Ready(())
    }
}

/// The handle and the scope have a clone each. When both have let go of theirs, and neither has shown it to anybody, it is told.
fn tell_if_unseen(panic: &Panic, origin: Option<&Origin>) {
    if let Some(origin) = origin.cloned() {
        panic.or_else_unseen(move |message, payload| {
            unhandled::panicked(message, payload, &origin);
        });
    }
}
