//! A scope that ends with a block of code: [`scope`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Scope;
use super::current::{self, Current};
use super::registry::Registry;
use crate::abort::Aborted;
use crate::outcome::{Outcome, settle};
use crate::reason::{Reason, ReasonKind};

/// Runs `body` with a new scope, and waits for its tasks when it ends: they are all gone when this returns.
///
/// If the body fails or panics, its tasks are aborted before they are waited for. If a task panics, the body is dropped where
/// it stands, as are the other tasks. `body` runs in the caller's task, so it may
/// borrow; the tasks are `'static` as always. What fails in a task is its handle's to tell.
///
/// # Errors
/// The body's.
///
/// # Panics
/// With the panic of the body, or else with the first one of a task, once all are gone.
///
/// # Cancel safety
/// Dropping the future drops the scope, which aborts its tasks.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let prices = [3, 4];
/// let sum = settled::scope(async |scope| {
///     let handles = prices.map(|price| scope.spawn(async move { Ok::<_, ()>(price * 100) }));
///     let mut sum = 0;
///     for handle in handles {
///         sum += handle.await.into_result()?;
///     }
///     Ok::<_, settled::Failed<()>>(sum)
/// });
/// assert_eq!(sum.await.unwrap(), 700);
/// # });
/// ```
pub async fn scope<T, E>(body: impl AsyncFnOnce(&Scope) -> Result<T, E>) -> Result<T, E> {
    let scope = Scope::new();
    let registry = Arc::clone(scope.registry());
    let outcome = {
        settle(Inside {
            surroundings: Some(Current::body(&registry)),
            body: body(&scope),
            aborted: Some(registry.hard.signal().aborted()),
            registry: &registry,
        })
        .await
    };
    if !matches!(outcome, Outcome::Fulfilled(Some(_))) {
        scope.abort(Reason::literal(
            ReasonKind::Failed,
            "the body of the scope failed",
        ));
    }
    match outcome {
        Outcome::Fulfilled(value) => {
            scope.join().await;
            Ok(value.expect("the join goes on with the panic that ended the body"))
        }
        Outcome::Rejected(error) => {
            scope.join().await;
            Err(error)
        }
        Outcome::Panicked(panic) => {
            registry.join(true).await;
            drop(scope);
            panic.resume()
        }
        Outcome::TimedOut | Outcome::Cancelled(_) | Outcome::Abandoned => {
            unreachable!("a body of this type ends otherwise")
        }
    }
}

pin_project! {
    // The body as a part of the scope: a scope that it makes and drops is this one's to wait for. `None` if a task panicked: the
    // body may wait for what that task was to give.
    struct Inside<'a, F> {
        surroundings: Option<Current>,
        #[pin]
        body: F,
        #[pin]
        aborted: Option<Aborted>,
        registry: &'a Registry,
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Future for Inside<'_, F> {
    type Output = Result<Option<T>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = current::within(this.surroundings, || this.body.poll(cx));
        if let Poll::Ready(result) = polled {
            return Poll::Ready(result.map(Some));
        }
        let aborted = this.aborted.as_mut().as_pin_mut();
        if aborted.is_some_and(|aborted| aborted.poll(cx).is_ready()) {
            // Any other abort was meant for the tasks, and the body finds out by their handles.
            this.aborted.set(None);
            if this.registry.has_panicked() {
                return Poll::Ready(Ok(None));
            }
        }
        Poll::Pending
    }
}
