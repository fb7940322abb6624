//! The loopback HTTP/1.1 server of settled's tests and of `settled demo`: it misbehaves on purpose, and keeps a log.
//!
//! It parses and writes HTTP itself, over bare TCP, because it has to do what a correct HTTP library refuses to do. It is for
//! tests on one machine, and for nothing else.
//!
//! - [`Server`]: a handler maps each [`Request`] to an [`Answer`]; the [`Log`] says what came, and whether the answer was sent to
//!   its last byte. On the caller's runtime, or on a thread of its own for tests that block.
//! - [`misbehaving::Misbehaving`]: an API that goes wrong by itself, the same way for the same seed, with a compact tally.
//! - [`ClosedPort`]: connecting to it is refused. [`Gate`]: holds an answer until the test says go.
#![cfg_attr(
    feature = "tls",
    doc = "- [`tls`]: certificates, good ones and those that a client has to refuse."
)]
//!
//! # Answers
//!
//! An answer is a status, headers and a body, and a list of what happens where on its way. Each row can be combined with the
//! others.
//!
//! | wanted | how |
//! |---|---|
//! | a status, with headers | [`Answer::status`], [`ok`](Answer::ok), [`json`](Answer::json), [`header`](Answer::header) |
//! | a body with a length, in chunks, ended by the connection's end | [`body`](Answer::body), [`chunked`](Answer::chunked), [`until_close`](Answer::until_close) |
//! | a content encoding, whole or broken | [`encoded`](Answer::encoded) with the bytes |
//! | `Retry-After` in seconds, as a date | [`retry_after`](Answer::retry_after), [`retry_after_date`](Answer::retry_after_date) |
//! | a redirect: relative, absolute, to another port, a loop, to http | [`Answer::redirect`] with such a location |
//! | a redirect without a location | `Answer::status(302)` |
//! | 100, 102, 103 before the answer | [`informational`](Answer::informational); 100 comes by itself if it is expected |
//! | what was asked, as JSON | [`Answer::echo`] |
//! | a page of a list | [`Answer::page`] |
//! | late: after a time, when the test says so | [`pause`](Answer::pause), [`hold`](Answer::hold) at [`At::Start`] |
//! | a byte at a time | [`drip`](Answer::drip), [`drip_all`](Answer::drip_all) |
//! | silence for ever, before the head, after it, in the body | [`stall`](Answer::stall) at [`At::Start`], `At::Body(0)`, `At::Body(n)` |
//! | a reset before the head, in it, in the body | [`reset`](Answer::reset) at [`At::Start`], [`At::Head`], `At::Body(n)` |
//! | no answer: the connection is closed when the request is there | [`close`](Answer::close) at [`At::Start`], perhaps only if [`Request::nth`] is more than 1 |
//! | a stale connection: closed after the answer, unannounced | [`close`](Answer::close) at [`At::End`] |
//! | a body that ends before its `Content-Length` | [`close`](Answer::close) at `At::Body(n)`, or a greater [`content_length`](Answer::content_length) |
//! | a body that is longer than its `Content-Length` | a smaller [`content_length`](Answer::content_length) |
//! | chunks without the final one, a chunk cut in two | [`close`](Answer::close) at `At::Body(n)` of a chunked body |
//! | an end of TLS without `close_notify` | [`cut`](Answer::cut) |
//! | garbage in the place of a head | [`Answer::raw`] |
//! | huge headers | [`many_headers`](Answer::many_headers), [`header`](Answer::header) with a long value |
//! | a huge body, an endless one | [`Answer::fill`] (with a length), [`Answer::endless`] (in chunks) |
//!
//! # What it does by itself
//!
//! It keeps connections alive as HTTP/1.1 does, reads bodies with a length or in chunks, sends no body with answers to HEAD and
//! with 1xx, 204 and 304, and answers what is no HTTP with 400. A client that takes too long (a minute, by default) loses its
//! connection; a client that closes its sending side while its answer waits or stalls counts as gone.

mod answer;
mod closed_port;
mod connection;
mod gate;
mod host;
mod json;
mod log;
pub mod misbehaving;
mod request;
mod script;
mod server;
mod stream;
#[cfg(feature = "tls")]
pub mod tls;
mod watched;
mod wire;

pub use answer::{Answer, At};
pub use closed_port::ClosedPort;
pub use gate::Gate;
pub use log::{Answered, Broken, Connections, Exchange, Log};
pub use request::Request;
pub use server::{Builder, Server};
