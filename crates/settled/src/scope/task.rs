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
use super::member::{Ear, Member};
use super::registry::Registry;
use crate::context::Context as Inherited;
use crate::outcome::{Outcome, settle_by};
use crate::timeout::{Term, TimeoutError};
use crate::unhandled::Origin;

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
    let id = info.id();
    let member = match registry.enter(info) {
        Ok(member) => member,
        Err(reason) => {
            let member = Member::refused(registry, id);
            return handle::settled(Outcome::Cancelled(reason), member, origin);
        }
    };
    let surroundings = Surroundings::new(&member, inherited.signal());
    let (handle, settler) = handle::pair(member, origin);
    spawn(Task {
        surroundings,
        body: Some(Limited::new(future, inherited.deadline())),
        ear: Ear::default(),
        settler,
    });
    handle
}

pin_project! {
    // The future that the runtime has. A task that its runtime drops goes field by field, in this order: the body is gone
    // first, then the handle settles, and the scope hears that the task is gone.
    pub(super) struct Task<T, E, F> {
        surroundings: Surroundings,
        #[pin]
        body: Option<Limited<F>>,
        ear: Ear,
        settler: Settler<T, E>,
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Future for Task<T, E, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let (ear, member) = (this.ear, this.settler.member());
        let poll = |body: Pin<&mut Limited<F>>| {
            // What was told to stop before it began is never polled. After that, what is ready when it is told counts.
            if let Some(reason) = ear.is_new().then(|| member.reason()).flatten() {
                return Poll::Ready(Outcome::Cancelled(reason));
            }
            match body.poll(cx) {
                Poll::Ready(Ok(result)) => Poll::Ready(result.into()),
                Poll::Ready(Err(_late)) => Poll::Ready(Outcome::TimedOut),
                Poll::Pending => ear.poll(member, cx).map(Outcome::Cancelled),
            }
        };
        let outcome = ready!(this.surroundings.enter(|| settle_by(this.body, poll)));
        if let Outcome::Panicked(panic) = &outcome {
            handle::panicked(panic, member, this.settler.origin());
        }
        this.settler.settle(outcome);
        Poll::Ready(())
    }
}

pin_project! {
    // A future that ends with the deadline of whoever started it, if there is one.
    struct Limited<F> {
        #[pin]
        future: F,
        // In a box, as few have it.
        term: Option<Box<Term>>,
    }
}

impl<F: Future> Limited<F> {
    fn new(future: F, end: Option<Instant>) -> Self {
        let term = end.map(|end| Box::new(Term::at(end)));
        Self { future, term }
    }
}

impl<F: Future> Future for Limited<F> {
    type Output = Result<F::Output, TimeoutError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.term {
            None => this.future.poll(cx).map(Ok),
            Some(term) => term.poll(cx, |cx| this.future.poll(cx)),
        }
    }
}
