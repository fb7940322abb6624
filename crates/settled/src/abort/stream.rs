//! A stream that ends with its signal: [`AbortSignal::stream`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::AbortSignal;
use super::aborted::Aborted;
use super::current::Inside;
use crate::reason::Reason;

impl AbortSignal {
    /// The items of `stream` until the signal fires; then the reason is the last item, and `stream` is dropped before that is there.
    ///
    /// The signal is looked at before each item, so that a stream which is always ready stops as well; an item that
    /// was waited for and is ready when the signal fires still wins.
    ///
    /// # Cancel safety
    /// Dropping it drops `stream`. What awaits the next item may be dropped without losing one, if that is so of `stream`.
    ///
    /// # Panics
    /// Where [`aborted`](Self::aborted) does.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use futures_util::{StreamExt, stream};
    ///
    /// let controller = settled::AbortController::new();
    /// let mut numbers = controller.signal().stream(stream::iter(1..));
    /// assert_eq!(numbers.next().await, Some(Ok(1)));
    /// controller.abort("enough");
    /// assert_eq!(numbers.next().await.unwrap().unwrap_err().text(), Some("enough"));
    /// assert_eq!(numbers.next().await, None);
    /// # });
    /// ```
    pub fn stream<S: Stream>(&self, stream: S) -> RunStream<S> {
        RunStream {
            stream: Some(stream),
            signal: self.clone(),
            aborted: None,
            waited: false,
        }
    }
}

pin_project! {
    /// The stream of [`AbortSignal::stream`].
    #[must_use = "streams do nothing unless polled"]
    pub struct RunStream<S> {
        #[pin]
        stream: Option<S>,
        signal: AbortSignal,
        // In a box, so that whoever can move `stream` can move this, and made when there is something to wait for.
        aborted: Option<Pin<Box<Aborted>>>,
        // The next item has been asked for, and was not there.
        waited: bool,
    }
}

impl<S> fmt::Debug for RunStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunStream")
            .field("done", &self.stream.is_none())
            .field("signal", &self.signal)
            .finish()
    }
}

impl<S: Stream> Stream for RunStream<S> {
    type Item = Result<S::Item, Reason>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let Some(stream) = this.stream.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let mut end = match *this.waited {
            true => None,
            false => this.signal.reason(),
        };
        if end.is_none() {
            let polled = {
                let _inside = Inside::new(this.signal);
                stream.poll_next(cx)
            };
            *this.waited = polled.is_pending();
            match polled {
                Poll::Ready(Some(item)) => return Poll::Ready(Some(Ok(item))),
                Poll::Ready(None) => {}
                Poll::Pending => {
                    let make = || Box::pin(this.signal.aborted());
                    let aborted = this.aborted.get_or_insert_with(make);
                    end = Some(ready!(aborted.as_mut().poll(cx)));
                }
            }
        }
        this.stream.set(None);
        Poll::Ready(end.map(Err))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let inner = self.stream.as_ref().map(Stream::size_hint);
        // It may end at once, and with one item more.
        inner.map_or((0, Some(0)), |(_, most)| {
            (0, most.and_then(|most| most.checked_add(1)))
        })
    }
}
