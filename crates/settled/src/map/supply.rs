//! One source of items for several workers.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::items::Source;
use crate::sync::Lock;

/// Items with their numbers.
pub(super) type Numbered<Src> = Vec<(usize, <Src as Source>::Item)>;

/// Items that workers pull, numbered in the order of the source.
pub(super) struct Supply<Src: Source> {
    state: Lock<State<Src>>,
}

struct State<Src: Source> {
    source: Pin<Box<Src>>,
    pulled: usize,
    exhausted: bool,
    /// Workers that wait for the source. It wakes only the one that asked last, so who got an item wakes another one.
    waiting: Vec<(usize, Waker)>,
    /// Items that were pulled, and came back.
    returned: Numbered<Src>,
}

impl<Src: Source> Supply<Src> {
    pub(super) fn new(source: Src) -> Self {
        Self {
            state: Lock::new(State {
                source: Box::pin(source),
                pulled: 0,
                exhausted: false,
                waiting: Vec::new(),
                returned: Vec::new(),
            }),
        }
    }

    /// Pulls at least one item and at most `most`, as long as they are there at once. None: there will be no more.
    pub(super) fn poll_pull(
        &self,
        worker: usize,
        most: usize,
        batch: &mut Numbered<Src>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut state = self.state.lock();
        state.waiting.retain(|(waiting, _)| *waiting != worker);
        while !state.exhausted && batch.len() < most {
            match state.source.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    batch.push((state.pulled, item));
                    state.pulled += 1;
                }
                Poll::Ready(None) => state.exhausted = true,
                Poll::Pending if batch.is_empty() => {
                    state.waiting.push((worker, cx.waker().clone()));
                    return Poll::Pending;
                }
                Poll::Pending => break,
            }
        }
        let next = match state.exhausted {
            true => std::mem::take(&mut state.waiting),
            false => state.waiting.pop().into_iter().collect(),
        };
        drop(state);
        for (_, waker) in next {
            waker.wake();
        }
        Poll::Ready(())
    }

    /// No more items are pulled.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.exhausted = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    /// Takes back what was pulled and not started.
    pub(super) fn give_back(&self, items: impl Iterator<Item = (usize, Src::Item)>) {
        self.state.lock().returned.extend(items);
    }

    /// How many items were pulled.
    pub(super) fn pulled(&self) -> usize {
        self.state.lock().pulled
    }

    /// What was never started: the items that came back, in order, and the source.
    pub(super) fn into_rest(self) -> (Numbered<Src>, Pin<Box<Src>>) {
        let state = self.state.into_inner();
        let mut returned = state.returned;
        returned.sort_unstable_by_key(|(number, _)| *number);
        (returned, state.source)
    }
}
