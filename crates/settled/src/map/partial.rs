//! What is done, and what is not.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::items::{FromIter, FromStream, Source};
use crate::outcome::Outcome;

/// What [`Map::collect_partial`](super::Map::collect_partial) came to.
#[derive(Debug)]
#[must_use = "it has the failure that ended it, and what was not done"]
pub struct Partial<T, E, Src: Source> {
    /// The outcome of each item that was started, in the order of the items.
    pub outcomes: Vec<Outcome<T, E>>,
    /// The items that were not: an iterator, or a stream, as the items were.
    pub rest: Rest<Src>,
}

impl<T, E, Src: Source> Partial<T, E, Src> {
    /// Everything was done, and is fulfilled.
    #[must_use]
    pub fn is_fulfilled(&self) -> bool {
        self.outcomes.iter().all(Outcome::is_fulfilled)
    }
}

/// Items that were not started: those that had been pulled, then those that had not.
#[must_use = "these are items that nobody has worked on"]
pub struct Rest<Src: Source> {
    pulled: std::vec::IntoIter<Src::Item>,
    source: Pin<Box<Src>>,
}

// Only the source is ever pinned, and that is in a box.
impl<Src: Source> Unpin for Rest<Src> {}

impl<Src: Source> Rest<Src> {
    pub(super) fn new(pulled: Vec<Src::Item>, source: Pin<Box<Src>>) -> Self {
        Self {
            pulled: pulled.into_iter(),
            source,
        }
    }
}

impl<Src: Source> fmt::Debug for Rest<Src> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest")
            .field("pulled", &self.pulled.len())
            .finish_non_exhaustive()
    }
}

impl<I: Iterator> Iterator for Rest<FromIter<I>> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.pulled.next().or_else(|| self.source.0.next())
    }
}

impl<S: Stream> Stream for Rest<FromStream<S>> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        match self.pulled.next() {
            Some(item) => Poll::Ready(Some(item)),
            None => self.source.as_mut().poll_next(cx),
        }
    }
}
