//! That the server does on the wire what its answers say.

#![expect(clippy::unwrap_used, reason = "a test's failure is a panic")]

mod answers;
mod client;
mod faults;
mod lifecycle;
mod log;
mod misbehaving;
mod requests;
mod tls;
