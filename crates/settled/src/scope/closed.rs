//! A scope that ends with a block of code: [`scope`].

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use super::Scope;
use super::current::{self, Current};
use crate::outcome::{Outcome, settle};
use crate::reason::{Reason, ReasonKind};

/// Runs `body` with a new scope, and waits for its tasks when it ends: they are all gone when this returns.
///
/// If the body fails or panics, its tasks are aborted before they are waited for. `body` runs in the caller's task, so it may
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
    let within = Some(Current::new(&scope.spawner.registry, None));
    let outcome = settle(pin!(Within {
        surroundings: within,
        body: pin!(body(&scope)),
    }))
    .await;
    match outcome {
        Outcome::Fulfilled(value) => {
            scope.join().await;
            Ok(value)
        }
        Outcome::Rejected(error) => {
            scope.abort(failed());
            scope.join().await;
            Err(error)
        }
        Outcome::Panicked(panic) => {
            scope.abort(failed());
            let registry = std::sync::Arc::clone(&scope.spawner.registry);
            registry.join(false).await;
            drop(scope);
            panic.resume()
        }
        Outcome::TimedOut | Outcome::Cancelled(_) | Outcome::Abandoned => {
            unreachable!("a body of this type ends otherwise")
        }
    }
}

fn failed() -> Reason {
    Reason::literal(ReasonKind::Failed, "the body of the scope failed")
}

/// Polls the body as a part of the scope: a scope that it makes and drops is this one's to wait for.
struct Within<'a, F> {
    surroundings: Option<Current>,
    body: Pin<&'a mut F>,
}

impl<F: Future> Future for Within<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        current::within(&mut this.surroundings, || this.body.as_mut().poll(cx))
    }
}
