//! What a try leads to: the end of its job, or another try after a wait. Pure: what has been and what time it is are arguments.

use std::time::Duration;

use settled::{Backoff, OutcomeKind};
use tokio::time::Instant;

use crate::record::{ErrorKind, Failure};

/// How often, and how long apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How many tries there are after the first.
    pub(crate) retries: u32,
    /// How long all tries and waits may take together.
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) backoff: Backoff,
    /// The longest `Retry-After` that is honoured as it stands.
    pub(crate) retry_after_max: Duration,
}

/// What a try leads to.
#[derive(Debug)]
pub(crate) enum Decision {
    /// The job is over.
    Settle(OutcomeKind, Option<Failure>),
    /// Another try, after this time.
    Retry(Duration, Failure),
    /// The run ends before the job could: it is written as such, and runs again when the list is resumed.
    Interrupt(Option<Failure>),
}

/// Where a job stands when a try of it has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// How many tries it had before this one.
    pub(crate) done: u32,
    /// When its first try began.
    pub(crate) begun: Instant,
    /// How long this try took.
    pub(crate) took: Duration,
    /// Something of this try may still be running.
    pub(crate) abandoned: bool,
    /// Nothing new is started any more.
    pub(crate) stopped: bool,
}

impl Rules {
    /// When the job's total time is up. `None`: never.
    pub(crate) fn deadline(&self, begun: Instant) -> Option<Instant> {
        self.total_timeout
            .and_then(|total| begun.checked_add(total))
    }

    pub(crate) fn decide(
        &self,
        standing: Standing,
        error: Option<Failure>,
        rng: &mut fastrand::Rng,
    ) -> Decision {
        let Some(error) = error else {
            return Decision::Settle(OutcomeKind::Fulfilled, None);
        };
        if standing.abandoned {
            return Decision::Settle(OutcomeKind::Abandoned, Some(error));
        }
        let kind = match error.kind {
            ErrorKind::Cancelled => return Decision::Interrupt(Some(error)),
            ErrorKind::Panic => return Decision::Settle(OutcomeKind::Panicked, Some(error)),
            ErrorKind::Timeout => OutcomeKind::TimedOut,
            _ => OutcomeKind::Rejected,
        };
        if !error.retry || standing.done >= self.retries {
            return Decision::Settle(kind, Some(error));
        }
        if standing.stopped {
            return Decision::Interrupt(Some(error));
        }
        let delay = self.delay(standing.done, &error, rng);
        let deadline = self.deadline(standing.begun);
        let next = Instant::now().checked_add(delay);
        if deadline.is_some_and(|deadline| next.is_none_or(|next| next >= deadline)) {
            let late = self.out_of_time(delay, standing.took, &error);
            return Decision::Settle(OutcomeKind::TimedOut, Some(late));
        }
        Decision::Retry(delay, error)
    }

    /// How long to wait before the next try: the back-off, or what the server asked for, if that is longer.
    fn delay(&self, done: u32, error: &Failure, rng: &mut fastrand::Rng) -> Duration {
        let backoff = self.backoff.delay(done.saturating_add(1), rng);
        let Some(asked) = error.retry_after else {
            return backoff;
        };
        // Everybody was told the same time: a little later each, or they would all come at once.
        let spread = asked.mul_f64(rng.f64() * 0.1).min(Duration::from_secs(1));
        backoff.max(asked.saturating_add(spread).min(self.retry_after_max))
    }

    fn out_of_time(&self, delay: Duration, took: Duration, last: &Failure) -> Failure {
        let total = humantime::format_duration(self.total_timeout.unwrap_or(took));
        let delay = humantime::format_duration(Duration::from_millis(delay.as_millis() as u64));
        Failure::permanent(
            ErrorKind::Timeout,
            format!(
                "the job's total time of {total} would be over before the next try (in {delay}); last: {}",
                last.message
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_retry_waits_twice_as_long_as_the_one_before() {
        let rules = Rules {
            retries: 3,
            total_timeout: None,
            backoff: Backoff::exponential(Duration::from_millis(100)).jitter(settled::Jitter::None),
            retry_after_max: Duration::from_secs(7),
        };
        let error = Failure::transient(ErrorKind::Reset, "reset");
        let delays = [0, 1, 2].map(|done| {
            rules
                .delay(done, &error, &mut fastrand::Rng::new())
                .as_millis()
        });
        assert_eq!(delays, [100, 200, 400]);
    }

    #[test]
    fn no_retry_after_is_too_long_to_be_capped() {
        let rules = Rules {
            retries: 3,
            total_timeout: None,
            backoff: Backoff::exponential(Duration::from_millis(1)),
            retry_after_max: Duration::from_secs(7),
        };
        let error = Failure {
            retry_after: Some(Duration::from_secs(u64::MAX)),
            ..Failure::transient(ErrorKind::Http, "503")
        };
        let delay = rules.delay(0, &error, &mut fastrand::Rng::with_seed(1));
        assert_eq!(delay, Duration::from_secs(7));
    }
}
