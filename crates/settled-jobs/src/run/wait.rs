//! What ends a wait.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use settled::AbortSignal;
use tokio::time::{Instant, sleep_until};

/// Why a try has to end before its command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Its time is up.
    Time,
    /// It was told to.
    Abort,
}

/// Waits until a try has to end.
pub(super) async fn stop(until: Option<Instant>, abort: &AbortSignal) -> Stop {
    let time = async {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    match first(abort.aborted(), time).await {
        Either::Left(_reason) => Stop::Abort,
        Either::Right(()) => Stop::Time,
    }
}

/// What came first.
#[derive(Debug)]
pub(super) enum Either<A, B> {
    Left(A),
    Right(B),
}

/// Waits for whichever comes first; if both are there, it is the left one.
pub(super) async fn first<A, B>(
    left: impl Future<Output = A>,
    right: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|cx| match left.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Either::Left(value)),
        Poll::Pending => right.as_mut().poll(cx).map(Either::Right),
    })
    .await
}
