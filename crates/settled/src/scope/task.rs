//! One task, from inside: its future, and what happens when that is over.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::current::Surroundings;
use super::handle::{self, Handle, Settler};
use super::info::TaskInfo;
use super::registry::{Member, Registry};
use crate::abort::Run;
use crate::context::Context as Inherited;
use crate::outcome::{Outcome, Panic, Settle, settle};
use crate::timeout::{Timeout, TimeoutError, deadline};
use crate::unhandled::{self, Origin};

/// Makes `future` a task of the scope, which `spawn` is to start.
#[track_caller]
pub(super) fn start<T, E, F>(
    registry: &Arc<Registry>,
    name: Option<Arc<str>>,
    inherited: &Inherited,
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
            surroundings: Surroundings::new(registry, id, inherited.signal()),
            body: settle(signal.run(Limited::new(future, inherited.deadline()))),
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
        surroundings: Surroundings,
        #[pin]
        body: Settle<Run<Limited<F>>>,
        settler: Settler<T, E>,
        member: Option<Member>,
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Future for Task<T, E, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let outcome = match ready!(this.surroundings.enter(|| this.body.poll(cx))) {
            Outcome::Fulfilled(Ok(result)) => result.into(),
            Outcome::Fulfilled(Err(_late)) => Outcome::TimedOut,
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

pin_project! {
    // A future that ends with the deadline of whoever started it, if there is one.
    #[project = LimitedProjection]
    enum Limited<F> {
        Free { #[pin] future: F },
        Until { #[pin] future: Timeout<F> },
    }
}

impl<F: Future> Limited<F> {
    fn new(future: F, end: Option<Instant>) -> Self {
        match end {
            None => Self::Free { future },
            Some(end) => Self::Until {
                future: deadline(end, future),
            },
        }
    }
}

impl<F: Future> Future for Limited<F> {
    type Output = Result<F::Output, TimeoutError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            LimitedProjection::Free { future } => future.poll(cx).map(Ok),
            LimitedProjection::Until { future } => future.poll(cx),
        }
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
