//! A future run to its outcome: [`settle()`].

use std::fmt;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::{Outcome, Panic};

/// Runs `future` to its end, and says how it ended: a panic is an outcome too, whether the future's code raised it or its
/// destructor. The future is gone when the outcome is there.
///
/// # Cancel safety
/// Dropping it drops `future`, wherever that is; a panic of the destructor is then not caught.
///
/// # Panics
/// If it is polled again after it gave its outcome.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let outcome = settled::settle(async { Err::<(), _>("no such file") }).await;
/// assert!(matches!(outcome, settled::Outcome::Rejected("no such file")));
/// # });
/// ```
pub fn settle<T, E, F: Future<Output = Result<T, E>>>(future: F) -> Settle<F> {
    Settle {
        future: Some(future),
    }
}

pin_project! {
    /// The future of [`settle()`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Settle<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F> fmt::Debug for Settle<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settle")
            .field("done", &self.future.is_none())
            .finish()
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Future for Settle<F> {
    type Output = Outcome<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        settle_by(self.project().future, |future| {
            future.poll(cx).map(Outcome::from)
        })
    }
}

/// Polls by `poll` what is in the slot; when that is over, or has panicked, it is dropped, and the outcome is there.
pub(crate) fn settle_by<T, E, F>(
    mut slot: Pin<&mut Option<F>>,
    poll: impl FnOnce(Pin<&mut F>) -> Poll<Outcome<T, E>>,
) -> Poll<Outcome<T, E>> {
    // `AssertUnwindSafe`: what a panic may have left half done is the future alone. It is never polled again: it is
    // dropped right below. What it shares with others is its author's care, as with a panic in a thread.
    let polled = panic::catch_unwind(AssertUnwindSafe(|| {
        let future = slot.as_mut().as_pin_mut();
        poll(future.expect("`Settle` polled after it gave its outcome"))
    }));
    let outcome = match polled {
        Ok(polled) => Ok(ready!(polled)),
        Err(payload) => Err(payload),
    };
    // Assigning over a value whose destructor panics still assigns: the slot is empty after this in any case.
    let dropped = panic::catch_unwind(AssertUnwindSafe(|| slot.set(None)));
    Poll::Ready(match (outcome, dropped) {
        (Err(payload), _) | (Ok(_), Err(payload)) => Outcome::Panicked(Panic::new(payload)),
        (Ok(outcome), Ok(())) => outcome,
    })
}
