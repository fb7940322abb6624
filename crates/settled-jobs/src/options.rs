//! How fast, how often, how long: everything about a run that does not change what its outcomes mean.

use std::time::Duration;

use settled::{Backoff, Gcra, RateLimit, RetryBudget};

use crate::control::Halt;
use crate::retrying::Rules;

/// Load and failure: the limits of a run.
#[derive(Debug)]
pub struct Options {
    /// How many tries run at once, over all cores. At least 1.
    pub jobs: usize,
    /// How many cores are used at the most; never more than `jobs`.
    pub threads: usize,
    /// How many tries a job has after its first.
    pub retries: u32,
    /// How long a try may take. `None`: as long as it takes.
    pub timeout: Option<Duration>,
    /// How long a job may take, from the start of its first try, waiting included. `None`: as long as it takes.
    pub total_timeout: Option<Duration>,
    /// How long a job waits between two tries.
    pub backoff: Backoff,
    /// The longest `Retry-After` that is honoured as it stands; longer ones are cut to this.
    pub retry_after_max: Duration,
    /// Retries beyond it wait. `None`: no bound.
    pub retry_budget: Option<RetryBudget>,
    /// How many tries begin in a time, over all cores. `None`: no bound.
    pub rate: Option<RateLimit>,
    /// How many tries to one host run at once.
    pub per_host: Option<usize>,
    /// How many tries to one host begin in a time.
    pub per_host_rate: Option<Gcra>,
    /// When to give up on the rest of the list.
    pub halt: Option<Halt>,
    /// Where random numbers (back-off) start from.
    pub seed: u64,
}

impl Options {
    /// When another try is made.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            retries: self.retries,
            total_timeout: self.total_timeout,
            backoff: self.backoff,
            retry_after_max: self.retry_after_max,
        }
    }

    /// How many jobs may wait for a retry (or for their host) on one core.
    pub(crate) fn waiting_room(&self, cores: usize) -> usize {
        (64 * self.jobs).clamp(1_024, 16_384) / cores
    }
}
