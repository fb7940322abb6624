//! What ends a wait.

use std::future::Future;

use settled::{AbortSignal, race};
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
    let left = async { Either::Left(left.await) };
    let right = async { Either::Right(right.await) };
    race((left, right)).await
}
