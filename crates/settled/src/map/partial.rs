//! What is done, and what is not.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::items::{FromIter, FromStream, Source};
use crate::outcome::Outcome;

/// What [`Map::collect_partial`](super::Map::collect_partial) came to.
#[derive(Debug)]
#[must_use = "it has the failure that ended it, and what was not done"]
pub struct Partial<T, E, Src: Source> {
    /// The outcome of each item that was started, in the order of the items. With [`map_while`](crate::map_while()), of those before the
    /// end.
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
    /// Until it has ended: it is not asked again.
    source: Option<Pin<Box<Src>>>,
}

// Only the source is ever pinned, and that is in a box.
impl<Src: Source> Unpin for Rest<Src> {}

impl<Src: Source> Rest<Src> {
    /// `source` is `None` if it has ended.
    pub(super) fn new(pulled: Vec<Src::Item>, source: Option<Pin<Box<Src>>>) -> Self {
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
        if let Some(item) = self.pulled.next() {
            return Some(item);
        }
        let item = self.source.as_mut()?.0.next();
        if item.is_none() {
            self.source = None;
        }
        item
    }
}

impl<S: Stream> Stream for Rest<FromStream<S>> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if let Some(item) = self.pulled.next() {
            return Poll::Ready(Some(item));
        }
        let Some(source) = &mut self.source else {
            return Poll::Ready(None);
        };
        let item = ready!(source.as_mut().poll_next(cx));
        if item.is_none() {
            self.source = None;
        }
        Poll::Ready(item)
    }
}
