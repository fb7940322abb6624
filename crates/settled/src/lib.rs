//! Structured concurrency for tokio: **everything that starts, settles, exactly once, with one recorded outcome. Nothing is lost,
//! nothing is leaked, nothing keeps running behind your back.**
//!
//! | you want to | take |
//! |---|---|
//! | wait for several at once: all of them, every outcome, the first success, the first to end | [`all()`], [`all_settled()`], [`any()`], [`race()`] |
//! | ... and know which was which | [`all_keyed`], [`all_settled_keyed`], [`any_keyed`], [`race_keyed`] |
//! | do one step after the other, up to the first failure | [`series()`] |
//! | work on many items, a few at a time: in one task, or over all cores, or as a stream | [`map()`], [`filter_map`], [`map_while`] |
//! | say how a piece of work ended: value, error, timeout, cancellation, panic | [`Outcome`], [`settle`] |
//! | own tasks, and be sure that all of them are gone | [`Scope`], [`scope()`], [`Spawner`], [`Handle`] |
//! | go on when whoever waits is gone | [`shield`], [`Scope::detach`] |
//! | see, and wait for, what goes on without an owner | [`left_over`], [`running()`], [`drained`] |
//! | hear of failures that nobody looked at | [`on_unhandled`] |
//! | tell work to stop, and why; stop on the first of several reasons | [`AbortController`], [`AbortSignal`], [`Reason`] |
//! | ... give it time to clean up before it is dropped | [`Grace`] |
//! | give up after a while, or at a certain time | [`timeout()`], [`deadline`], [`timeout_stream`] |
//! | see how much time is left, take deadline and signal along to a task | [`remaining`], [`current_deadline`], [`Context`] |
//! | let only so many in at once: fair, weighted, resizable | [`Semaphore`], [`Permit`] |
//! | let only so many in per second, with a queue | [`RateLimit`] |
//! | ... with neither a clock nor a queue | [`Gcra`] |
//! | wait longer after each failure, spread by chance | [`Backoff`], [`Jitter`] |
//! | keep retries from becoming a storm | [`RetryBudget`] |
//!
//! ```
//! use std::time::Duration;
//! use settled::{Scope, all, map, timeout};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! async fn fetch(page: u32) -> Result<u32, String> {
//!     if page == 3 { Err(format!("no page {page}")) } else { Ok(page * 100) }
//! }
//!
//! // Two at once, in the time of the slower one; the first error is the answer, and by then the other one is gone.
//! assert_eq!(all((fetch(1), fetch(2))).await, Ok((100, 200)));
//!
//! // Many, two at a time, in order, with an outcome for each.
//! let outcomes = map(1..=4, fetch).limit(2).collect_settled().await;
//! let kinds: Vec<_> = outcomes.iter().map(|outcome| outcome.kind().name()).collect();
//! assert_eq!(kinds, ["fulfilled", "fulfilled", "rejected", "fulfilled"]);
//!
//! // Tasks that belong to somebody, with a limit: after the join, none is left.
//! let scope = Scope::new();
//! let task = scope.spawn(async { timeout(Duration::from_secs(1), fetch(4)).await.map_err(|late| late.to_string())? });
//! scope.join().await;
//! assert_eq!(task.await.fulfilled(), Some(400));
//! # });
//! ```
//!
//! The square of the four:
//!
//! | | a success does not decide | a success decides |
//! |---|---|---|
//! | **a failure decides** | [`all()`] | [`race()`] |
//! | **a failure does not decide** | [`all_settled()`] | [`any()`] |
//!
//! # What holds everywhere
//!
//! - **Time is tokio's.** All waits follow a paused clock. What is pure arithmetic ([`Gcra`], [`Backoff`], the withdrawals of a
//!   [`RetryBudget`]) takes the time as an argument, or none. No timer is made before somebody really has to wait.
//! - **Any runtime, any number of them.** Signals, semaphores, rate limits, budgets and scopes may be shared between
//!   current-thread runtimes on different threads.
//! - **Cancelling is dropping, and dropping leaves nothing behind**: no waker, no permit, no place in line. Each async
//!   function says under *Cancel safety* what that means for it.
//! - **A tie goes to the value**: what is ready at the instant of a timeout or an abort wins.
//! - **Settings that make no sense are errors where they are made**, never a hang or a panic later.
//! - There is `unsafe` code in two small files only, whose invariants are numbered: where many futures are pinned, and for their wakers.
#![deny(unsafe_code)]

mod abort;
mod backoff;
pub mod combine;
mod context;
mod crew;
mod gcra;
mod grace;
pub mod map;
mod outcome;
mod rate_limit;
mod reason;
mod retry_budget;
mod scope;
mod semaphore;
#[expect(unsafe_code, reason = "futures are pinned in a box of slots")]
mod slots;
mod sync;
mod timeout;
mod unhandled;
#[expect(unsafe_code, reason = "a child's waker is a pointer into its set")]
mod wake;

pub use abort::{AbortController, AbortSignal, Aborted, Run, RunStream};
pub use backoff::{Backoff, Delays, InvalidBackoff, Jitter};
pub use combine::{
    AnyError, Empty, KeyedError, Settlement, all, all_keyed, all_settled, all_settled_keyed, any,
    any_keyed, race, race_keyed, series,
};
pub use context::{Context, InContext};
pub use gcra::{Gcra, InvalidRate, NotYet};
pub use grace::Grace;
pub use map::{
    InvalidLimit, Map, MapStream, Partial, Rest, SpawnedMap, filter_map, map, map_while,
};
pub use outcome::{Failed, Outcome, OutcomeKind, Panic, Settle, UnknownOutcomeKind, settle};
pub use rate_limit::RateLimit;
pub use reason::{Reason, ReasonKind};
pub use retry_budget::{BudgetExhausted, InvalidRetryBudget, RetryBudget};
pub use scope::{
    Handle, Ready, Scope, Spawner, TaskInfo, drained, left_over, running, scope, shield,
};
pub use semaphore::{
    Acquire, AcquireError, AcquireOwned, OwnedPermit, Permit, Semaphore, TryAcquireError,
};
pub use timeout::{
    Timeout, TimeoutError, TimeoutStream, current_deadline, deadline, deadline_stream, remaining,
    timeout, timeout_stream,
};
pub use unhandled::{Unhandled, on_unhandled};

/// The snippets of the pages run.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../docs/api.md")]
    mod api {}
    #[doc = include_str!("../../../docs/cancellation.md")]
    mod cancellation {}
    #[doc = include_str!("../../../docs/combinators.md")]
    mod combinators {}
    #[doc = include_str!("../../../docs/map.md")]
    mod map {}
    #[doc = include_str!("../../../docs/scopes.md")]
    mod scopes {}
    #[doc = include_str!("../../../docs/timeouts.md")]
    mod timeouts {}
}
