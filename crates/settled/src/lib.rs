//! Structured concurrency for tokio: **everything that starts, settles, exactly once, with one recorded outcome.**
#![forbid(unsafe_code)]

mod abort;
mod backoff;
mod gcra;
mod outcome;
mod rate_limit;
mod reason;
mod retry_budget;
mod scope;
mod semaphore;
mod sync;
mod timeout;

pub use abort::{AbortController, AbortSignal, Aborted, Run};
pub use backoff::{Backoff, Delays, InvalidBackoff, Jitter};
pub use gcra::{Gcra, InvalidRate, NotYet};
pub use outcome::{Failed, Outcome, OutcomeKind, Panic, Settle, UnknownOutcomeKind, settle};
pub use rate_limit::RateLimit;
pub use reason::{Reason, ReasonKind};
pub use retry_budget::{BudgetExhausted, InvalidRetryBudget, RetryBudget};
pub use scope::{Handle, Scope, Spawner, drained, running};
pub use semaphore::{
    Acquire, AcquireError, AcquireOwned, OwnedPermit, Permit, Semaphore, TryAcquireError,
};
pub use timeout::{Timeout, TimeoutError, deadline, timeout};
