//! The job engine of `settled`: a list of HTTP requests or commands goes in, one outcome line each comes out.
//!
//! One straight line, a module a stage:
//!
//! | stage | module | what it does |
//! |---|---|---|
//! | source | `source`, `lines`, `reader` | bytes to lines, pulled, bounded |
//! | decode | [`fetch`], [`run`] | a line to a [`Job`]; a bad line settles as rejected |
//! | replay | `ledger`, `replay` | what the ledger has settled is skipped |
//! | dispatch | `feed`, `core`, `room` | jobs to a fixed set of slots; retries wait in a bounded room |
//! | admit | `hosts` and the options' rate | limits on running tries |
//! | attempt | [`Work`]: [`fetch`], [`run`] | one try, with its own time limit |
//! | settle | `slot`, `retrying` | retry, or an outcome |
//! | commit | `line`, `commit`, `sink`, `writer` | the outcome as a durable line; only then is the slot free |
//! | report | `counters`, `tally`, `report` | what a person sees; it can't influence the run |
//!
//! [`pages`] stands beside that line: a paginated API as one stream, with the same requests and retries.
//!
//! Delivery guarantee: *at-least-once attempts, exactly one committed outcome per job*.

mod commit;
mod control;
mod core;
mod counters;
mod engine;
mod entry;
mod feed;
pub mod fetch;
mod hosts;
mod job;
mod json;
mod keep;
mod ledger;
mod line;
mod lines;
mod options;
mod output;
pub mod pages;
mod plan;
mod readback;
mod reader;
mod reading;
mod record;
mod remarks;
mod replay;
mod report;
mod retrying;
mod room;
pub mod run;
mod seen;
mod serving;
mod shared;
mod sink;
mod slot;
mod source;
mod tally;
mod timeline;
mod work;
mod writer;

pub use control::{Broken, Control, Halt, HaltLimit};
pub use counters::{Progress, Total};
pub use engine::{Finished, Run, start};
pub use job::{Id, Input, Job, Key, KeyHasher, Line};
pub use keep::{Keep, Kept};
pub use ledger::{IfExists, LedgerError};
pub use options::Options;
pub use output::{Opened, Output};
pub use plan::Plan;
pub use reading::{Read, latest, read};
pub use record::{Ended, ErrorKind, Failure, FetchResult, JobResult, RunResult, Try};
pub use remarks::Remark;
pub use replay::{Redo, Skipped};
pub use report::{Example, FailureGroup, Latency, Met, Report, TimeSpent};
pub use seen::Seen;
pub use sink::Fsync;
pub use source::{Format, Source};
pub use tally::Tally;
pub use work::{Attempt, Core, KillAfter, Tried, Work};
