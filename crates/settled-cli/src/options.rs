//! From flags to the limits of a run.

use std::time::Duration;

use settled::{Backoff, Gcra, RateLimit, RetryBudget};
use settled_jobs::Options;

use crate::exit::Stop;
use crate::flags::LoadArgs;
use crate::flags::values::{BackoffRange, Budget, Rate};

/// What a command does where no flag says otherwise, and its own flags.
#[derive(Debug)]
pub(crate) struct Defaults {
    pub(crate) jobs: usize,
    pub(crate) retries: u32,
    pub(crate) timeout: Option<Duration>,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) budget: Option<(f64, f64)>,
    pub(crate) per_host: Option<usize>,
    pub(crate) per_host_rate: Option<Rate>,
}

/// How many cores there are for us.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn options(args: &LoadArgs, defaults: &Defaults) -> Result<Options, Stop> {
    let Budget(budget) = args.retry_budget.unwrap_or(Budget(defaults.budget));
    let budget = budget
        .map(|(share, per_second)| RetryBudget::new(share, per_second))
        .transpose();
    let rate = args
        .rate
        .map(|rate| RateLimit::new(rate.count, rate.per)?.burst(args.burst))
        .transpose();
    let per_host_rate = defaults
        .per_host_rate
        .map(|rate| Gcra::new(rate.count, rate.per)?.burst(args.burst))
        .transpose();
    let BackoffRange { min, max } = args.backoff;
    Ok(Options {
        jobs: args.jobs.unwrap_or(defaults.jobs),
        threads: args.threads.unwrap_or_else(cores),
        retries: args.retries.unwrap_or(defaults.retries),
        timeout: defaults.timeout,
        total_timeout: defaults.total_timeout,
        backoff: Backoff::exponential(min).max(max),
        retry_after_max: args.retry_after_max,
        retry_budget: budget.map_err(|why| Stop::usage(format!("--retry-budget: {why}")))?,
        rate: rate.map_err(|why| Stop::usage(format!("--rate: {why}")))?,
        per_host: defaults.per_host,
        per_host_rate: per_host_rate
            .map_err(|why| Stop::usage(format!("--per-host-rate: {why}")))?,
        halt: args.halt,
        seed: args.seed.unwrap_or_else(rand_seed),
    })
}

fn rand_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
