//! The job engine of `settled`: a list of HTTP requests or commands goes in, one outcome line each comes out.
//!
//! One straight line, a module a stage:
//! `source` (bytes to lines) -> `decode` (line to [`Job`]) -> `replay` (what the ledger already holds is skipped) ->
//! `feed` (jobs to slots) -> `admit` (rates and per-host limits) -> attempt ([`Work`]: `fetch` or `run`) ->
//! `slot` (settle: retry or outcome) -> `commit` (outcome to durable line) -> `tally` (what a person reads).
//!
//! Delivery guarantee: *at-least-once attempts, exactly one committed outcome per job*.

pub mod fetch;
mod job;
mod keep;
mod record;
pub mod run;
mod work;

pub use job::{Id, Input, Job, Key, KeyHasher, Line};
pub use keep::{Keep, Kept};
pub use record::{Ended, ErrorKind, Failure, FetchResult, JobResult, RunResult, Try};
pub use work::{Attempt, Core, Tried, Work};
