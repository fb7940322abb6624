//! What to ask for: [`PagesConfig`].

use std::fmt;
use std::time::Duration;

use settled::{Backoff, RateLimit};

use crate::fetch::FetchConfig;
use crate::json::pointer::Pointer;
use crate::retrying::Rules;

/// What to ask for, and how.
#[derive(Debug)]
pub struct PagesConfig {
    /// The URL of the first page; may be relative to the base URL of `fetch`.
    pub start: String,
    /// How requests are made. What is kept of an answer follows from what pages need; `max_body` bounds a page.
    pub fetch: FetchConfig,
    /// Where in a page the array of its items is. Default: the page is the array.
    pub items: Pointer,
    /// How to find the next page. Default: [`Way::Auto`].
    pub way: Way,
    /// Where in a page it says whether there is more: true or false (null is false, a number is true unless it is 0). It has to be
    /// there in the first page.
    pub more: Option<Pointer>,
    /// How many pages there are at the most. `None`: no bound.
    pub max_pages: Option<u64>,
    /// How many pages may be under way or waiting besides the one that the consumer has, or waits for. With 0 a page is asked for
    /// when the consumer asks for it.
    pub prefetch: usize,
    /// How many tries a page has after its first.
    pub retries: u32,
    /// How long a try may take. `None`: as long as it takes.
    pub timeout: Option<Duration>,
    /// How long a page may take with all its tries and waits. `None`: as long as it takes.
    pub total_timeout: Option<Duration>,
    /// How long to wait between two tries.
    pub backoff: Backoff,
    /// The longest `Retry-After` that is honoured as it stands; longer ones are cut to this.
    pub retry_after_max: Duration,
    /// How many requests, tries included, begin in a time. `None`: no bound.
    pub rate: Option<RateLimit>,
    /// Where random numbers (back-off) start from.
    pub seed: u64,
}

/// How the next page is found. The module's docs have the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// As the first page shows: a `Link` header, else page numbers, if [`more`](PagesConfig::more) says when they end.
    #[default]
    Auto,
    /// `Link: <..>; rel=next`.
    Link,
    /// A value in the page.
    Cursor {
        /// Where it is. A number is a token too; null, false, an empty text or nothing at all is the end.
        at: Pointer,
        /// What becomes of it.
        param: CursorParam,
    },
    /// Page numbers.
    Numbers {
        /// The query parameter.
        param: String,
        /// The first page's number. `None`: the one that the URL has, or 1.
        first: Option<u64>,
    },
}

/// What a cursor's value is, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorParam {
    /// A URL if it begins with `http://`, `https://`, `/` or `?`; else a token for the query parameter `cursor`.
    Guess,
    /// A token for this query parameter, whatever it looks like.
    Token(String),
}

impl PagesConfig {
    /// Pages from this URL on, with `settled fetch`'s defaults for requests and retries.
    #[must_use]
    pub fn new(start: impl Into<String>) -> Self {
        Self {
            start: start.into(),
            fetch: FetchConfig::default(),
            items: Pointer::default(),
            way: Way::default(),
            more: None,
            max_pages: None,
            prefetch: 1,
            retries: 3,
            timeout: Some(Duration::from_secs(30)),
            total_timeout: Some(Duration::from_secs(300)),
            backoff: Backoff::exponential(Duration::from_millis(200)).max(Duration::from_secs(30)),
            retry_after_max: Duration::from_secs(300),
            rate: None,
            seed: fastrand::u64(..),
        }
    }

    pub(super) fn rules(&self) -> Rules {
        Rules {
            retries: self.retries,
            total_timeout: self.total_timeout,
            backoff: self.backoff,
            retry_after_max: self.retry_after_max,
        }
    }
}

/// Settings that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPages(pub(super) String);

impl InvalidPages {
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

impl fmt::Display for InvalidPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidPages {}
