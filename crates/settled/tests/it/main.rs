//! One test binary for the whole crate, one module a concept.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[cfg(not(loom))]
mod abort;
#[cfg(not(loom))]
mod auto_traits;
#[cfg(not(loom))]
mod backoff;
#[cfg(not(loom))]
mod combine;
#[cfg(not(loom))]
mod context;
#[cfg(not(loom))]
mod gcra;
#[cfg(not(loom))]
mod grace;
#[cfg(loom)]
mod loom;
#[cfg(not(loom))]
mod map;
#[cfg(not(loom))]
mod mixed;
#[cfg(not(loom))]
mod outcome;
#[cfg(not(loom))]
mod rate_limit;
#[cfg(not(loom))]
mod retry_budget;
#[cfg(not(loom))]
mod scope;
#[cfg(not(loom))]
mod semaphore;
#[cfg(not(loom))]
mod steps;
#[cfg(not(loom))]
mod timeout;
#[cfg(not(loom))]
mod unhandled;
