//! Time limits on streams: [`timeout_stream`] and [`deadline_stream`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::TimeoutError;
use super::term::Term;

/// Gives all of `stream` together at most the time `limit`: not each item, but the whole of it, as of a response with its body.
///
/// When the time is up, the error is the last item, and `stream` is dropped before that is there. The time runs from the end of the
/// first poll, as with [`timeout`](crate::timeout()); from then on the clock is looked at before each item, so that a stream which is always
/// ready stops as well. The time between the items, when nobody asks for one, counts.
///
/// # Cancel safety
/// Dropping it drops `stream`. What awaits the next item may be dropped without losing one, if that is so of `stream`.
///
/// # Panics
/// If `stream` is pending and there is no tokio runtime with timers.
///
/// ```
/// # use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use futures_util::{StreamExt, stream};
///
/// let slow = stream::iter(1..).then(async |number: u32| {
///     tokio::time::sleep(Duration::from_millis(400)).await;
///     number
/// });
/// let all: Vec<_> = settled::timeout_stream(Duration::from_secs(1), slow).collect().await;
/// assert_eq!(all[..2], [Ok(1), Ok(2)]);
/// assert!(all[2].is_err() && all.len() == 3);
/// # });
/// ```
pub fn timeout_stream<S: Stream>(limit: Duration, stream: S) -> TimeoutStream<S> {
    TimeoutStream {
        stream: Some(stream),
        term: Term::after(limit),
    }
}

/// Gives all of `stream` together the time until `at`. As [`timeout_stream`], but the clock is looked at before the first poll already.
///
/// # Cancel safety
/// That of [`timeout_stream`].
///
/// # Panics
/// If `stream` is pending and there is no tokio runtime with timers.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use futures_util::{StreamExt, stream};
///
/// let at = tokio::time::Instant::now();
/// let mut forever = settled::deadline_stream(at, stream::pending::<()>());
/// assert!(forever.next().await.unwrap().is_err());
/// assert_eq!(forever.next().await, None);
/// # });
/// ```
pub fn deadline_stream<S: Stream>(at: Instant, stream: S) -> TimeoutStream<S> {
    TimeoutStream {
        stream: Some(stream),
        term: Term::at(at),
    }
}

pin_project! {
    /// The stream of [`timeout_stream`] and [`deadline_stream`].
    #[must_use = "streams do nothing unless polled"]
    pub struct TimeoutStream<S> {
        #[pin]
        stream: Option<S>,
        term: Term,
    }
}

impl<S> fmt::Debug for TimeoutStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutStream")
            .field("limit", &self.term.limit())
            .field("done", &self.stream.is_none())
            .finish()
    }
}

impl<S: Stream> Stream for TimeoutStream<S> {
    type Item = Result<S::Item, TimeoutError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let Some(stream) = this.stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let polled = this.term.poll(cx, |cx| stream.poll_next(cx));
        let end = match ready!(polled) {
            Ok(Some(item)) => {
                this.term.begin();
                return Poll::Ready(Some(Ok(item)));
            }
            Ok(None) => None,
            Err(late) => Some(Err(late)),
        };
        this.stream.set(None);
        Poll::Ready(end)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let inner = self.stream.as_ref().map(Stream::size_hint);
        // It may end at once, and with one item more.
        inner.map_or((0, Some(0)), |(_, most)| {
            (0, most.and_then(|most| most.checked_add(1)))
        })
    }
}
