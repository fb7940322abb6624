//! The harness measures what really happens, ends what it starts, and the references do all of
//! their work.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod figures;
mod harness;
mod library;
mod measure;
#[cfg(feature = "peers")]
mod references_http;
mod references_spawn;
mod table;
