//! HTTP requests.
//!
//! A [`FetchCore`] belongs to one thread: its connections, timers and known names are nobody else's, and it has no tasks. Whoever
//! awaits a try drives the connection that carries it; an idle connection is not polled by anybody.
//!
//! ```text
//! attempt -> guard (time, abort) -> exchange (redirects) -> lease -> pool: an idle connection
//!                                        |                     \--> origin: name, address, TCP, proxy, TLS
//!                                        v
//!                                   conn: request, answer -> body -> encoding -> Keep
//!                                        |
//!                                        v
//!                                   judge: status or error -> Failure
//! ```
//!
//! # What failed, and whether it is tried again
//!
//! | what | kind | another try |
//! |---|---|---|
//! | URL can't be used; not http or https | `url` | no |
//! | a line that is no job; a member of the wrong type | `input` | no |
//! | the name does not exist / the resolver does not answer | `dns` | no / yes |
//! | refused, unreachable, reset while connecting; proxy without an answer | `connect` | yes |
//! | an address that `deny_private` refuses; a proxy that refuses | `connect` | no |
//! | certificate expired, for another host, of an unknown issuer; refused handshake | `tls` | no |
//! | connection cut during the handshake | `tls` | yes |
//! | time is up: connection, answer, body | `timeout` | yes |
//! | connection cut before the answer, or reset in its body | `reset` | yes |
//! | an answer that is no HTTP; headers over 64 KiB or more than 100 of them; a broken chunk | `protocol` | no |
//! | a body that ends early | `body` | yes |
//! | a body over the limit, on the wire or decoded | `too_large` | no |
//! | a content encoding that is broken or unknown | `decode` | no |
//! | too many redirects, no `Location`, https to http | `redirect` | no |
//! | a status that is not accepted | `http` | if it is among `retry_status` |
//! | `body_file` can't be read, the body can't be saved | `io` | no |
//! | aborted | `cancelled` | no |
//!
//! "Yes" holds for methods that are idempotent (GET, HEAD, PUT, DELETE, OPTIONS, TRACE). For others another try is made only if no
//! server can have processed the request: it never left, or the answer was 408, 425 or 429; unless `retry_unsafe` or an idempotency
//! key says that it does no harm.
//!
//! No file descriptor left is no failure: idle connections are closed and the try waits its turn.

mod body;
mod config;
mod conn;
mod connect;
mod core;
mod decode;
mod dns;
mod encoding;
mod exchange;
mod guard;
mod hop;
mod judge;
mod members;
mod origin;
mod payload;
mod pool;
mod public;
mod spec;
mod stream;
mod target;
mod tls;
mod work;
mod zstd;

pub use config::{ConfigError, ConnectConfig, FetchConfig, KeepConfig, StatusSet};
pub use core::FetchCore;
pub use spec::FetchSpec;
pub use work::FetchWork;
