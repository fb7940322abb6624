//! One source of items for several workers.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::items::Source;
use crate::sync::{AtomicUsize, Lock, LockGuard, Ordering};

/// Items with their numbers.
pub(super) type Numbered<Src> = VecDeque<(usize, <Src as Source>::Item)>;

/// Items that workers pull, numbered in the order of the source.
///
/// 1. The source wakes only the worker that has asked it last, so whoever gets an item wakes another one that waits: of those
///    that wait, one is known to the source or on its way to it.
/// 2. A worker may take several items. Those that it has not started it gives back when that would hold them up; until all have been given
///    back or were started, nobody who waits is told that there are no more.
pub(super) struct Supply<Src: Source> {
    state: Lock<State<Src>>,
    /// How many workers wait: to be looked at without the lock.
    hungry: AtomicUsize,
}

struct State<Src: Source> {
    source: Pin<Box<Src>>,
    pulled: usize,
    /// The source has ended, or has panicked: it is not asked again.
    exhausted: bool,
    /// The source is not asked any more: it has ended, or that is the end of it.
    closed: bool,
    /// Nothing is handed out any more.
    stopped: bool,
    /// Workers that wait, by number.
    waiting: BTreeMap<usize, Waker>,
    /// Workers that have items which they have not started.
    holders: usize,
    /// Items that were pulled and came back, for others to start.
    returned: Numbered<Src>,
    /// Items that were pulled, and that nobody starts.
    left: Numbered<Src>,
}

/// What was pulled, and what is left.
pub(super) struct Left<Src: Source> {
    pub(super) pulled: usize,
    /// Items that were pulled and never started, in their order.
    pub(super) items: Vec<(usize, Src::Item)>,
    /// The source, unless it has ended.
    pub(super) source: Option<Pin<Box<Src>>>,
    /// Nothing would have been pulled any more.
    pub(super) closed: bool,
}

impl<Src: Source> Supply<Src> {
    pub(super) fn new(source: Src) -> Self {
        Self {
            state: Lock::new(State {
                source: Box::pin(source),
                pulled: 0,
                exhausted: false,
                closed: false,
                stopped: false,
                waiting: BTreeMap::new(),
                holders: 0,
                returned: VecDeque::new(),
                left: VecDeque::new(),
            }),
            hungry: AtomicUsize::new(0),
        }
    }

    /// Pulls at least one item and at most `most`, as long as they are there at once; more than one makes the worker a holder, until it
    /// has called [`give_back`](Self::give_back). None: there will be no more.
    pub(super) fn poll_pull(
        &self,
        worker: usize,
        most: usize,
        batch: &mut Numbered<Src>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut state = self.state.lock();
        state.waiting.remove(&worker);
        let polled = state.poll_pull(most, batch, cx);
        if polled.is_pending() {
            state.waiting.insert(worker, cx.waker().clone());
            self.hungry.store(state.waiting.len(), Ordering::Relaxed);
        } else {
            self.unlock_and_wake(state);
        }
        polled
    }

    /// Gives back what a holder has not started. It is one no longer.
    pub(super) fn give_back(&self, items: &mut Numbered<Src>) {
        let mut state = self.state.lock();
        state.holders -= 1;
        state.returned.append(items);
        self.unlock_and_wake(state);
    }

    /// Takes an item out that nobody is to start.
    pub(super) fn set_aside(&self, item: (usize, Src::Item)) {
        self.state.lock().left.push_back(item);
    }

    /// Whether somebody waits for an item.
    pub(super) fn is_hungry(&self) -> bool {
        self.hungry.load(Ordering::Relaxed) > 0
    }

    /// The source is not asked for more. `mark` says where the end is; `false`: it was stopped before that, and there is no end any more.
    pub(super) fn close(&self, mark: impl FnOnce()) -> bool {
        let mut state = self.state.lock();
        if state.stopped {
            return false;
        }
        state.closed = true;
        mark();
        self.unlock_and_wake(state);
        true
    }

    /// Nothing is handed out any more. `false`: that does not count, for whoever says so is behind the end.
    pub(super) fn stop(&self, is_behind: impl FnOnce() -> bool) -> bool {
        let mut state = self.state.lock();
        if is_behind() {
            return false;
        }
        (state.closed, state.stopped) = (true, true);
        self.unlock_and_wake(state);
        true
    }

    /// Takes items that came back, and that nobody will start, as all is being aborted. Then nothing is handed out any more: their room
    /// may be somebody else's already.
    pub(super) fn take_returned(&self) -> Numbered<Src> {
        let mut state = self.state.lock();
        let returned = std::mem::take(&mut state.returned);
        if !returned.is_empty() {
            (state.closed, state.stopped) = (true, true);
            self.unlock_and_wake(state);
        }
        returned
    }

    pub(super) fn into_left(self) -> Left<Src> {
        let state = self.state.into_inner();
        let mut items: Vec<_> = state.returned.into_iter().chain(state.left).collect();
        items.sort_unstable_by_key(|(number, _)| *number);
        Left {
            pulled: state.pulled,
            items,
            source: (!state.exhausted).then_some(state.source),
            closed: state.closed,
        }
    }

    /// Wakes one that waits, or all if there is nothing to wait for.
    fn unlock_and_wake(&self, mut state: LockGuard<'_, State<Src>>) {
        let mut all = BTreeMap::new();
        let mut one = None;
        match state.is_over() {
            true => all = std::mem::take(&mut state.waiting),
            false => one = state.waiting.pop_first(),
        }
        self.hungry.store(state.waiting.len(), Ordering::Relaxed);
        drop(state);
        for (_, waker) in one.into_iter().chain(all) {
            waker.wake();
        }
    }
}

impl<Src: Source> State<Src> {
    /// There is nothing to wait for.
    fn is_over(&self) -> bool {
        self.stopped || (self.closed && self.holders == 0 && self.returned.is_empty())
    }

    fn poll_pull(
        &mut self,
        most: usize,
        batch: &mut Numbered<Src>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.stopped {
            return Poll::Ready(());
        }
        // What came back is slow, or behind what is: one at a time.
        if let Some(item) = self.returned.pop_front() {
            batch.push_back(item);
            return Poll::Ready(());
        }
        while !self.closed && batch.len() < most {
            // In case that it panics.
            (self.closed, self.exhausted) = (true, true);
            let item = match self.source.as_mut().poll_next(cx) {
                Poll::Ready(None) => break,
                Poll::Ready(Some(item)) => Some(item),
                Poll::Pending => None,
            };
            (self.closed, self.exhausted) = (false, false);
            let Some(item) = item else {
                break;
            };
            batch.push_back((self.pulled, item));
            self.pulled += 1;
        }
        if batch.len() > 1 {
            self.holders += 1;
        }
        match batch.is_empty() && !self.is_over() {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }
}

#[cfg(all(test, loom))]
mod models;
