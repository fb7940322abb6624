//! A future that is told of a signal, and not ended by it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::AbortSignal;
use super::current::Inside;

pin_project! {
    /// Polls the future with the signal as its [`AbortSignal::current`].
    pub(crate) struct Told<F> {
        signal: AbortSignal,
        #[pin]
        future: F,
    }
}

impl<F> Told<F> {
    pub(crate) fn new(signal: AbortSignal, future: F) -> Self {
        Self { signal, future }
    }
}

impl<F: Future> Future for Told<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = Inside::new(this.signal);
        this.future.poll(cx)
    }
}
