//! One limit, and what is left of it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::TimeoutError;
use super::current::Within;

/// As it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    After(Duration),
    At(Instant),
}

/// When the time is up.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Not known before the first poll.
    After(Duration),
    At(Instant),
    /// Past what the clock can say.
    Never,
}

pub(crate) struct Term {
    limit: Limit,
    end: End,
    /// In a box: what is ready at once, as most is, need not be moved about with the place for a timer.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Term {
    pub(super) fn after(limit: Duration) -> Self {
        Self {
            limit: Limit::After(limit),
            end: End::After(limit),
            timer: None,
        }
    }

    pub(crate) fn at(at: Instant) -> Self {
        Self {
            limit: Limit::At(at),
            end: End::At(at),
            timer: None,
        }
    }

    pub(super) fn limit(&self) -> Limit {
        self.limit
    }

    /// Polls by `poll`, within the limit. `poll` is not called once the time is up.
    #[inline]
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<Result<R, TimeoutError>> {
        let late = TimeoutError { limit: self.limit };
        let now = match self.end {
            End::At(at) => {
                let now = Instant::now();
                if now > at {
                    return Poll::Ready(Err(late));
                }
                let _within = Within::at(at);
                if let Poll::Ready(value) = poll(cx) {
                    return Poll::Ready(Ok(value));
                }
                now
            }
            End::After(limit) => {
                let within = Within::begun(limit);
                let polled = poll(cx);
                let asked = within.asked();
                drop(within);
                if let Poll::Ready(value) = polled {
                    return Poll::Ready(Ok(value));
                }
                let now = asked.unwrap_or_else(Instant::now);
                self.end = End::of(limit, now);
                now
            }
            End::Never => return poll(cx).map(Ok),
        };
        match self.end {
            End::At(at) if now < at => poll_timer(&mut self.timer, at, cx).map(|()| Err(late)),
            End::At(_) => Poll::Ready(Err(late)),
            End::After(_) | End::Never => Poll::Pending,
        }
    }

    /// The time runs from now at the latest.
    pub(super) fn begin(&mut self) {
        if let End::After(limit) = self.end {
            self.end = End::of(limit, Instant::now());
        }
    }
}

impl End {
    /// Of a limit that began `at` this time: when somebody inside asked how much there is, or else at the end of the first poll.
    fn of(limit: Duration, at: Instant) -> Self {
        at.checked_add(limit).map_or(Self::Never, Self::At)
    }
}

/// Makes the timer only now that somebody has to wait.
#[inline]
fn poll_timer(timer: &mut Option<Pin<Box<Sleep>>>, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
    let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
    timer.as_mut().poll(cx)
}
