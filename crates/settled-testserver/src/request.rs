//! A request as it came in.

use std::time::Instant;

/// A request as it came in, whole: head and body.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which request of the server this is, in the order of arrival, from 1.
    pub serial: u64,
    /// The connection that it came on, in the order in which they were accepted, from 1.
    pub connection: u64,
    /// Which request of its connection this is, from 1: more than 1 is a connection that was kept alive.
    pub nth: u64,
    /// How often its target has been asked for, this request included: 1 at the first time.
    pub attempt: u32,
    /// When its last byte was read (tokio's clock: on a paused runtime this is the paused time).
    pub at: Instant,
    /// The method, as it was written.
    pub method: String,
    /// The request target, as it was written: path and query.
    pub target: String,
    /// The headers in their order and spelling; bytes that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body, without the framing of a chunked one. Empty where bodies are not read.
    pub body: Vec<u8>,
}

impl Request {
    /// The target up to its `?`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first query parameter of this name, as it was written: nothing is percent-decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|pair| pair.0 == name)
            .map(|pair| pair.1)
    }

    /// The first header of this name, in any spelling.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// The first header of this name, in any spelling.
pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|header| header.0.eq_ignore_ascii_case(name))
        .map(|header| header.1.as_str())
}
