//! Waiting for a signal: the future of [`AbortSignal::aborted`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::AbortSignal;
use crate::reason::Reason;

pin_project! {
    /// The future of [`AbortSignal::aborted`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Aborted {
        pub(super) signal: AbortSignal,
        #[pin]
        own: Option<WaitForCancellationFutureOwned>,
        others: Vec<Pin<Box<WaitForCancellationFutureOwned>>>,
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl Aborted {
    pub(super) fn new(signal: AbortSignal) -> Self {
        Self {
            signal,
            own: None,
            others: Vec::new(),
            timer: None,
        }
    }
}

impl fmt::Debug for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aborted")
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}

impl Future for Aborted {
    type Output = Reason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reason> {
        let mut this = self.project();
        let Some(node) = &this.signal.node else {
            return Poll::Pending;
        };
        loop {
            if let Some(fired) = node.fired() {
                return Poll::Ready(fired.reason.clone());
            }
            if this.own.is_none() {
                this.own.set(Some(node.token.clone().cancelled_owned()));
                let listen = |token: &CancellationToken| Box::pin(token.clone().cancelled_owned());
                *this.others = node.other_tokens().map(listen).collect();
                *this.timer = node
                    .earliest()
                    .map(|at| Box::pin(tokio::time::sleep_until(at)));
            }
            // All of them are polled, also after one was ready: a listener that was never polled would never wake.
            let mut ready = this
                .own
                .as_mut()
                .as_pin_mut()
                .is_some_and(|own| own.poll(cx).is_ready());
            for other in this.others.iter_mut() {
                ready |= other.as_mut().poll(cx).is_ready();
            }
            ready |= this
                .timer
                .as_mut()
                .is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
            if !ready {
                return Poll::Pending;
            }
            // Something woke, so the next turn finds out what; listeners that are done are made anew, should it come to that.
            this.own.set(None);
        }
    }
}
