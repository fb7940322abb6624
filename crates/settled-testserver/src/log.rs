//! What a scripted server saw and did.

use std::collections::HashMap;
use std::sync::Arc;

use crate::request::Request;

/// Everything that a [`Server`](crate::Server) saw and did, in order. It grows with every request and keeps its body.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The requests in the order of their arrival: number `n` stands at `n - 1`.
    pub exchanges: Vec<Exchange>,
    /// What came that was no whole request: a client that left in the middle of one, bytes that are no HTTP, a handshake that
    /// failed.
    pub broken: Vec<Broken>,
    /// How many connections there have been, and are.
    pub connections: Connections,
    pub(crate) attempts: HashMap<String, u32>,
}

impl Log {
    /// The requests for a target (path and query), in the order of their arrival.
    pub fn of<'a>(&'a self, target: &'a str) -> impl Iterator<Item = &'a Exchange> {
        self.exchanges
            .iter()
            .filter(move |exchange| exchange.request.target == target)
    }

    /// How many requests have arrived.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.exchanges.len()
    }

    /// How many requests have been dealt with: answered, or given up.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.exchanges
            .iter()
            .filter(|exchange| exchange.answered.is_some())
            .count()
    }

    /// How many answers were sent to their last byte.
    #[must_use]
    pub fn complete(&self) -> usize {
        self.exchanges
            .iter()
            .filter(|exchange| exchange.answered.is_some_and(|answered| answered.complete))
            .count()
    }
}

/// A request, and how it was answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What was asked.
    pub request: Arc<Request>,
    /// How it was answered; `None` as long as that is under way.
    pub answered: Option<Answered>,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// The status, if the head was sent whole.
    pub status: Option<u16>,
    /// Every byte of the answer, and as many as were announced, was handed to the operating system.
    pub complete: bool,
    /// How many bytes of it were: head, framing and body, before any encryption.
    pub bytes: u64,
}

/// Something on a connection that was no whole request.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The connection, in the order in which they were accepted, from 1.
    pub connection: u64,
    /// What was wrong.
    pub why: String,
}

/// How many connections there have been, and are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Accepted since the start.
    pub opened: u64,
    /// Not yet at their end.
    pub open: u64,
}
