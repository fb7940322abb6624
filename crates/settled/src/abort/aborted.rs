//! Waiting for a signal: the future of [`AbortSignal::aborted`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::AbortSignal;
use super::node::Node;
use crate::reason::Reason;

pin_project! {
    /// The future of [`AbortSignal::aborted`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Aborted {
        pub(super) signal: AbortSignal,
        #[pin]
        ears: Option<Ears>,
        timer: Option<Pin<Box<Sleep>>>,
    }
}

pin_project! {
    /// Hears of an abort of a node, but for those that a timer brings.
    pub(crate) struct Ears {
        #[pin]
        own: WaitForCancellationFutureOwned,
        others: Vec<Pin<Box<WaitForCancellationFutureOwned>>>,
    }
}

impl Ears {
    fn of(node: &Node) -> Self {
        let listen = |token: &CancellationToken| Box::pin(token.clone().cancelled_owned());
        Self {
            own: node.token.clone().cancelled_owned(),
            others: node.other_tokens().map(listen).collect(),
        }
    }

    /// Something was heard. All are polled, also after one was ready: a listener that was never polled would never wake.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        let mut ready = this.own.poll(cx).is_ready();
        for other in this.others.iter_mut() {
            ready |= other.as_mut().poll(cx).is_ready();
        }
        ready
    }
}

impl AbortSignal {
    /// Calls `waker` when this is aborted, for as long as what it gives lives. It does not hear timers. Nothing, if this never fires.
    pub(crate) fn call(&self, waker: &Waker) -> Option<Pin<Box<Ears>>> {
        let mut ears = Box::pin(Ears::of(self.node.as_ref()?));
        if ears.as_mut().poll(&mut Context::from_waker(waker)) {
            waker.wake_by_ref();
        }
        Some(ears)
    }
}

impl Aborted {
    pub(super) fn new(signal: AbortSignal) -> Self {
        Self {
            signal,
            ears: None,
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
            if this.ears.is_none() {
                this.ears.set(Some(Ears::of(node)));
                *this.timer = node
                    .earliest()
                    .map(|at| Box::pin(tokio::time::sleep_until(at)));
            }
            let ears = this.ears.as_mut().as_pin_mut();
            let mut ready = ears.is_some_and(|ears| ears.poll(cx));
            ready |= this
                .timer
                .as_mut()
                .is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
            if !ready {
                return Poll::Pending;
            }
            // Something woke, so the next turn finds out what; listeners that are done are made anew, should it come to that.
            this.ears.set(None);
        }
    }
}
