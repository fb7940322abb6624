//! Many items, a few at a time.

mod ending;
mod example;
mod model;
mod one_task;
mod panics;
mod spawned;
mod stream;

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

/// What is told of a source from outside of it: how often it was asked, and whether it is gone.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) asked: Cell<usize>,
    pub(crate) ended: Cell<bool>,
    pub(crate) dropped: Cell<usize>,
}

/// Counts what it is asked; asked again after its end, it panics.
pub(crate) struct Strict<'a, I> {
    pub(crate) items: I,
    pub(crate) told: &'a Told,
}

impl<I: Iterator> Iterator for Strict<'_, I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        assert!(!self.told.ended.get(), "asked again after its end");
        self.told.asked.set(self.told.asked.get() + 1);
        let item = self.items.next();
        self.told.ended.set(item.is_none());
        item
    }
}

impl<I> Drop for Strict<'_, I> {
    fn drop(&mut self) {
        self.told.dropped.set(self.told.dropped.get() + 1);
    }
}

/// A stream that is pending before each item, and wakes itself.
pub(crate) struct Hesitant<I> {
    items: I,
    ready: bool,
}

pub(crate) fn hesitant<I: IntoIterator>(items: I) -> Hesitant<I::IntoIter> {
    Hesitant {
        items: items.into_iter(),
        ready: false,
    }
}

impl<I: Iterator + Unpin> Stream for Hesitant<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        self.ready = !self.ready;
        if self.ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.items.next())
    }
}

/// The kinds of outcomes, by name.
pub(crate) fn kinds<T, E>(outcomes: &[settled::Outcome<T, E>]) -> Vec<&'static str> {
    let kinds = outcomes.iter().map(|outcome| outcome.kind().name());
    kinds.collect()
}
