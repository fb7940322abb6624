//! The end of a try: its time is up, or it was told to stop.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use settled::{AbortSignal, Aborted, Reason};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// Why a try was cut off.
#[derive(Debug)]
pub(super) enum Cut {
    /// This long is what it had.
    Late(Duration),
    Aborted(Reason),
}

/// The timers of a core, used again and again.
///
/// A timer is left armed when its try ends in time. The next try that takes it over mostly has a later end: then it is not touched
/// at all until it fires, and only then set to the time that counts. So a timer is set once per time limit, not once per request.
#[derive(Debug, Default)]
pub(super) struct Timers(RefCell<Vec<Pin<Box<Sleep>>>>);

impl Timers {
    /// Runs `work` until it is ready, or `until`, or `abort` fires; work that is ready wins.
    ///
    /// A try that was over before it began is never started. The work is large, so it stays where it is.
    pub(super) async fn within<F: Future>(
        &self,
        now: Instant,
        until: Option<Instant>,
        abort: &AbortSignal,
        mut work: Pin<&mut F>,
    ) -> Result<F::Output, Cut> {
        if let Some(reason) = abort.reason() {
            return Err(Cut::Aborted(reason));
        }
        if until.is_some_and(|until| until <= now) {
            return Err(Cut::Late(Duration::ZERO));
        }
        let mut aborted = pin!(None::<Aborted>);
        let mut timer = Timer {
            timers: self,
            sleep: None,
        };
        poll_fn(|cx| {
            if let Poll::Ready(value) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            if aborted.is_none() {
                aborted.set(Some(abort.aborted()));
            }
            if let Some(Poll::Ready(reason)) = aborted
                .as_mut()
                .as_pin_mut()
                .map(|aborted| aborted.poll(cx))
            {
                return Poll::Ready(Err(Cut::Aborted(reason)));
            }
            match until {
                Some(until) => timer.poll(until, cx).map(|()| Err(Cut::Late(until - now))),
                None => Poll::Pending,
            }
        })
        .await
    }
}

struct Timer<'a> {
    timers: &'a Timers,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer<'_> {
    fn poll(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| {
            self.timers
                .0
                .borrow_mut()
                .pop()
                .unwrap_or_else(|| Box::pin(sleep_until(until)))
        });
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        // Unconstrained: a body that never stops coming uses up the task's budget, and its time has to be up all the same.
        while pin!(unconstrained(sleep.as_mut())).poll(cx).is_ready() {
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
        Poll::Pending
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.timers.0.borrow_mut().extend(self.sleep.take());
    }
}
