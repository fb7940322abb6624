//! Time limits on any future: [`timeout`] and [`deadline`].

mod current;
mod stream;
mod term;

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Instant;

pub(crate) use current::{Limits, Within};
pub use current::{current_deadline, remaining};
pub use stream::{TimeoutStream, deadline_stream, timeout_stream};

use crate::outcome::Outcome;
use crate::reason::{Reason, ReasonKind};
use term::Limit;
pub(crate) use term::Term;

/// Gives `future` at most the time `limit`.
///
/// A future that is ready at its first poll costs neither a look at the clock nor a timer, and its value is never late, not even
/// with a limit of zero. The time runs from the end of that first poll. From then on the clock is looked at *before* the
/// future, so that what comes late is late, also where the task was held up and could not look in time; at the very instant
/// of the limit a value that is ready still wins. A limit past what the clock can say is none.
///
/// No value is ever thrown away: past the limit the future is not polled, so whoever awaits `&mut future` in a timeout can go on with
/// it. What a single poll computes for too long is therefore in time, as nobody can know before it has the value.
///
/// The future is dropped before the error is returned.
///
/// # Errors
/// [`TimeoutError`], if the time was up.
///
/// # Cancel safety
/// Dropping it drops `future`: as cancel safe as that is.
///
/// # Panics
/// If `future` is pending and there is no tokio runtime with timers; if it is polled again after it was ready.
///
/// ```
/// # use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let answer = settled::timeout(Duration::from_secs(1), async { 7 }).await;
/// assert_eq!(answer, Ok(7));
///
/// let never = settled::timeout(Duration::from_secs(1), std::future::pending::<()>()).await;
/// assert_eq!(never.unwrap_err().to_string(), "timed out after 1s");
/// # });
/// ```
#[inline]
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout {
        future: Some(future),
        term: Term::after(limit),
        pinned: PhantomPinned,
    }
}

/// Gives `future` the time until `at`.
///
/// As [`timeout`], but the clock is looked at before the first poll already: past the deadline, `future` is never polled.
///
/// # Errors
/// [`TimeoutError`], if the time was up.
///
/// # Cancel safety
/// Dropping it drops `future`: as cancel safe as that is.
///
/// # Panics
/// If `future` is pending and there is no tokio runtime with timers; if it is polled again after it was ready.
///
/// ```
/// # use std::time::Duration;
/// # use tokio::time::Instant;
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let at = Instant::now() + Duration::from_secs(1);
/// assert_eq!(settled::deadline(at, async { 7 }).await, Ok(7));
/// tokio::time::advance(Duration::from_secs(2)).await;
/// assert!(settled::deadline(at, async { 7 }).await.is_err());
/// # });
/// ```
pub fn deadline<F: Future>(at: Instant, future: F) -> Timeout<F> {
    Timeout {
        future: Some(future),
        term: Term::at(at),
        pinned: PhantomPinned,
    }
}

/// The time was up.
///
/// ```
/// # use settled::{Outcome, Reason, ReasonKind, TimeoutError};
/// # use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let error = settled::timeout(Duration::ZERO, std::future::pending::<()>()).await.unwrap_err();
/// assert_eq!(Reason::from(error).kind(), ReasonKind::Timeout);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutError {
    limit: Limit,
}

impl TimeoutError {
    /// The limit, where it was a [`timeout`]; `None` where it was a [`deadline`].
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        match self.limit {
            Limit::After(limit) => Some(limit),
            Limit::At(_) => None,
        }
    }
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Limit::After(limit) => write!(f, "timed out after {limit:?}"),
            Limit::At(_) => f.write_str("the deadline has passed"),
        }
    }
}

impl std::error::Error for TimeoutError {}

impl From<TimeoutError> for Reason {
    fn from(error: TimeoutError) -> Self {
        Self::new(ReasonKind::Timeout).message(error.to_string())
    }
}

pin_project! {
    /// The future of [`timeout`] and [`deadline`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F> {
        #[pin]
        future: Option<F>,
        term: Term,
        // Where the timer is kept is nobody's business: it may be in here one day.
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.future.is_none();
        f.debug_struct("Timeout")
            .field("limit", &self.term.limit())
            .field("done", &done)
            .finish()
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, TimeoutError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let future = this
            .future
            .as_mut()
            .as_pin_mut()
            .expect("`Timeout` polled after it was ready");
        let polled = this.term.poll(cx, |cx| future.poll(cx));
        if polled.is_ready() {
            this.future.set(None);
        }
        polled
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Timeout<F> {
    /// The outcome, in one: a late end is [`Outcome::TimedOut`]. A panic goes on, as it does through [`timeout`];
    /// [`settle`](crate::settle) makes an outcome of it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// use settled::timeout;
    ///
    /// let second = Duration::from_secs(1);
    /// let parse = async |text: &str| text.parse::<u8>();
    /// assert_eq!(timeout(second, parse("7")).settle().await.fulfilled(), Some(7));
    /// assert!(timeout(second, parse("x")).settle().await.is_rejected());
    /// assert!(timeout(second, std::future::pending::<Result<(), ()>>()).settle().await.is_timed_out());
    /// # });
    /// ```
    ///
    /// # Cancel safety
    /// That of [`timeout`].
    pub async fn settle(self) -> Outcome<T, E> {
        match self.await {
            Ok(result) => result.into(),
            Err(_late) => Outcome::TimedOut,
        }
    }
}
