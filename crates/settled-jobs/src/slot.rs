//! A slot: pulls a job, makes a try, decides what it comes to, and commits it. The only way back is a retry.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use settled::{OutcomeKind, settle};
use tokio::time::Instant;

use crate::commit::NotWritten;
use crate::core::{Core, Next};
use crate::entry::Entry;
use crate::feed::Bad;
use crate::job::Id;
use crate::line::OutcomeLine;
use crate::record::{ErrorKind, Failure, JobResult, Try};
use crate::retrying::{Decision, Standing};
use crate::seen::Seen;
use crate::work::{Attempt, Core as _, Tried, Work};

/// Works until there is nothing more to do, or nothing more can be written.
pub(crate) async fn slot<W: Work>(core: Rc<Core<W>>, number: usize) {
    loop {
        let mut next = core.next(number).await;
        // Who leaves a host takes the next job for it along.
        loop {
            next = match next {
                Next::Done => return,
                Next::Bad(bad) => match core.reject(&bad).await {
                    Ok(()) => break,
                    Err(NotWritten) => return,
                },
                Next::Interrupted(entry) => match core.interrupt(entry).await {
                    Ok(()) => break,
                    Err(NotWritten) => return,
                },
                Next::Try(entry) => match core.one_try(entry).await {
                    Ok(Some(entry)) => Next::Try(entry),
                    Ok(None) => break,
                    Err(NotWritten) => return,
                },
            };
        }
    }
}

impl<W: Work> Core<W> {
    /// One try of a job, up to its outcome's line or its place in the waiting room. Gives back the job that takes over its
    /// place at the host.
    async fn one_try(
        &self,
        mut entry: Entry<W::Spec>,
    ) -> Result<Option<Entry<W::Spec>>, NotWritten> {
        let host = self
            .shared
            .hosts
            .as_ref()
            .and_then(|_| self.host(&entry).map(str::to_owned));
        let leave = || host.as_ref().and_then(|host| self.leave(host));
        if !self.admit().await {
            let next = leave();
            if entry.is_retry() {
                self.interrupt(entry).await?;
            }
            return Ok(next);
        }
        let (tried, took) = self.attempt(&mut entry).await;
        let next = leave();
        let abandoned = tried.abandoned;
        match self.decide(&mut entry, tried.error, took, abandoned) {
            Decision::Retry(delay, error) => {
                self.counters().retried();
                entry.tries.push(Try {
                    took,
                    waited: Some(delay),
                    error,
                });
                self.wait(entry, Instant::now() + delay);
            }
            Decision::Settle(kind, error) => {
                let attempts = entry.tries.len() as u32 + 1;
                let line = Closing {
                    kind,
                    is_final: true,
                    attempts,
                    result: tried.result.as_ref(),
                    error: error.as_ref(),
                };
                self.settle(&mut entry, line).await?;
            }
            Decision::Interrupt(error) => {
                let kind = OutcomeKind::Cancelled;
                let attempts = entry.tries.len() as u32 + 1;
                let line = Closing {
                    kind,
                    is_final: false,
                    attempts,
                    result: tried.result.as_ref(),
                    error: error.as_ref(),
                };
                self.settle(&mut entry, line).await?;
            }
        }
        Ok(next)
    }

    /// Waits for the rate limit. `false`: the run has stopped meanwhile, or before: a job that was taken along from its host has
    /// not looked.
    async fn admit(&self) -> bool {
        if self.shared.stopped.is_aborted() {
            return false;
        }
        match &self.shared.options.rate {
            Some(rate) => self.shared.stopped.run(rate.acquire()).await.is_ok(),
            None => true,
        }
    }

    async fn attempt(&self, entry: &mut Entry<W::Spec>) -> (Tried, Duration) {
        let options = &self.shared.options;
        let begun = entry.begin();
        let number = entry.tries.len() as u32 + 1;
        if let (Some(budget), 1) = (&options.retry_budget, number) {
            budget.deposit();
        }
        let attempt = Attempt {
            number,
            timeout: entry.job.timeout.or(options.timeout),
            deadline: options.rules().deadline(begun.at),
            abort: &self.shared.aborted,
            kill_after: self.shared.control.kill_after(),
        };
        self.counters().attempt_started();
        let start = Instant::now();
        let tried =
            settle(async { Ok::<_, Failure>(self.worker.attempt(&entry.job, &attempt).await) })
                .await;
        let took = start.elapsed();
        self.counters().attempt_ended();
        (Tried::of(tried), took)
    }

    fn decide(
        &self,
        entry: &mut Entry<W::Spec>,
        error: Option<Failure>,
        took: Duration,
        abandoned: bool,
    ) -> Decision {
        let standing = Standing {
            done: entry.tries.len() as u32,
            begun: entry.begin().at,
            took,
            abandoned,
            stopped: self.shared.stopped.is_aborted(),
        };
        let rules = self.shared.options.rules();
        rules.decide(standing, error, &mut self.rng.borrow_mut())
    }

    /// A line that is no job settles as rejected.
    async fn reject(&self, bad: &Bad) -> Result<(), NotWritten> {
        let line_id;
        let id = match &bad.id {
            Id::Own(id) => id,
            Id::Line => {
                line_id = bad.seq.to_string();
                line_id.as_str()
            }
        };
        let line = OutcomeLine {
            seq: bad.seq,
            id,
            key: bad.key,
            outcome: OutcomeKind::Rejected,
            is_final: true,
            attempts: 0,
            took: Duration::ZERO,
            started: SystemTime::now(),
            input: &bad.input,
            result: None,
            error: Some(&bad.failure),
            tries: &[],
            meta: None,
        };
        self.write(&line).await
    }

    /// The run has stopped before this job's next try.
    async fn interrupt(&self, mut entry: Entry<W::Spec>) -> Result<(), NotWritten> {
        let attempts = entry.tries.len() as u32;
        let reason = self
            .shared
            .stopped
            .reason()
            .map_or_else(String::new, |reason| reason.to_string());
        let error = Failure::permanent(
            ErrorKind::Cancelled,
            format!("waiting for a retry when the run ended: {reason}"),
        );
        let kind = OutcomeKind::Cancelled;
        let line = Closing {
            kind,
            is_final: false,
            attempts,
            result: None,
            error: Some(&error),
        };
        self.settle(&mut entry, line).await
    }

    async fn settle(
        &self,
        entry: &mut Entry<W::Spec>,
        closing: Closing<'_>,
    ) -> Result<(), NotWritten> {
        let begun = entry.begin();
        let line_id;
        let id = match &entry.job.id {
            Id::Own(id) => id,
            Id::Line => {
                line_id = entry.job.seq.to_string();
                line_id.as_str()
            }
        };
        let line = OutcomeLine {
            seq: entry.job.seq,
            id,
            key: entry.job.key,
            outcome: closing.kind,
            is_final: closing.is_final,
            attempts: closing.attempts,
            took: begun.at.elapsed(),
            started: begun.clock,
            input: &entry.job.input,
            result: closing.result,
            error: closing.error,
            tries: &entry.tries,
            meta: entry.job.meta.as_deref(),
        };
        self.write(&line).await
    }

    /// Commits a line, and counts it once it is written.
    async fn write(&self, line: &OutcomeLine<'_>) -> Result<(), NotWritten> {
        self.commit
            .line(|out, checksum| line.write(out, checksum))
            .await?;
        self.tally.borrow_mut().add(&Seen::of(line));
        if line.is_final {
            self.counters()
                .settled(line.outcome, line.error.map(|error| error.kind));
            self.shared
                .control
                .settled(line.outcome == OutcomeKind::Fulfilled);
        }
        Ok(())
    }
}

/// How a job's line ends.
struct Closing<'a> {
    kind: OutcomeKind,
    is_final: bool,
    attempts: u32,
    result: Option<&'a JobResult>,
    error: Option<&'a Failure>,
}
