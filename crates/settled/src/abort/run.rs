//! A future that ends with its signal: [`AbortSignal::run`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::AbortSignal;
use super::aborted::Aborted;
use super::current::Inside;
use crate::outcome::Outcome;
use crate::reason::Reason;

pin_project! {
    /// The future of [`AbortSignal::run`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<F> {
        #[pin]
        future: Option<F>,
        #[pin]
        aborted: Aborted,
        started: bool,
    }
}

impl<F> Run<F> {
    pub(super) fn new(signal: &AbortSignal, future: F) -> Self {
        Self {
            future: Some(future),
            aborted: signal.aborted(),
            started: false,
        }
    }
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.future.is_none();
        f.debug_struct("Run")
            .field("done", &done)
            .field("aborted", &self.aborted)
            .finish()
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Reason>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let first = !std::mem::replace(this.started, true);
        let before = if first {
            this.aborted.signal.reason()
        } else {
            None
        };
        let result = match before {
            Some(reason) => Err(reason),
            None => ready!(poll_inside(
                this.future.as_mut().as_pin_mut(),
                this.aborted,
                cx
            )),
        };
        this.future.set(None);
        Poll::Ready(result)
    }
}

#[inline]
fn poll_inside<F: Future>(
    future: Option<Pin<&mut F>>,
    mut aborted: Pin<&mut Aborted>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Reason>> {
    let future = future.expect("`Run` polled after it was ready");
    let polled = {
        let _inside = Inside::new(aborted.as_mut().project().signal);
        future.poll(cx)
    };
    match polled {
        Poll::Ready(value) => Poll::Ready(Ok(value)),
        Poll::Pending => aborted.poll(cx).map(Err),
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Run<F> {
    /// Nothing if it was aborted, every other error as it is.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use settled::AbortController;
    ///
    /// let controller = AbortController::new();
    /// let fetch = async || "7".parse::<u8>();
    /// assert_eq!(controller.signal().run(fetch()).or_none_if_aborted().await, Ok(Some(7)));
    /// controller.abort("enough");
    /// assert_eq!(controller.signal().run(fetch()).or_none_if_aborted().await, Ok(None));
    /// # });
    /// ```
    ///
    /// # Errors
    /// Those of the future.
    ///
    /// # Cancel safety
    /// That of [`AbortSignal::run`].
    pub async fn or_none_if_aborted(self) -> Result<Option<T>, E> {
        match self.await {
            Ok(result) => result.map(Some),
            Err(_aborted) => Ok(None),
        }
    }

    /// The outcome, in one: an abort is [`Outcome::Cancelled`]. A panic goes on, as it does through [`AbortSignal::run`];
    /// [`settle`](crate::settle) makes an outcome of it.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use settled::{AbortController, OutcomeKind};
    ///
    /// let controller = AbortController::new();
    /// let fetch = async |text: &str| text.parse::<u8>();
    /// assert_eq!(controller.signal().run(fetch("7")).settle().await.fulfilled(), Some(7));
    /// assert!(controller.signal().run(fetch("x")).settle().await.is_rejected());
    /// controller.abort("enough");
    /// assert_eq!(controller.signal().run(fetch("7")).settle().await.kind(), OutcomeKind::Cancelled);
    /// # });
    /// ```
    ///
    /// # Cancel safety
    /// That of [`AbortSignal::run`].
    pub async fn settle(self) -> Outcome<T, E> {
        match self.await {
            Ok(result) => result.into(),
            Err(reason) => Outcome::Cancelled(reason),
        }
    }
}
