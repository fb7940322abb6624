//! What is between the workers of a stream and its consumer: outcomes that nobody has taken, and room for so many.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use super::collect::Kept;
use super::worker::Sink;
use crate::outcome::Outcome;
use crate::sync::{AtomicUsize, Lock, Ordering};

/// What came of an item. It takes up room until the consumer has it.
pub(super) struct Report<T, E> {
    pub(super) number: usize,
    pub(super) kept: Kept<T, E>,
    pub(super) is_end: bool,
}

/// Waking costs a hundred times as much as an item that takes no time. So the consumer is woken only when it waits, and for what it waits for;
/// and of the workers that wait for room one at a time, which takes all the room that there is by the time it comes, and wakes another one
/// if it leaves some.
pub(super) struct Pace<T, E> {
    state: Lock<State<T, E>>,
    /// 1 if the consumer waits: to be looked at without the lock.
    hungry: AtomicUsize,
}

struct State<T, E> {
    /// How many more items may be pulled.
    room: usize,
    closed: bool,
    /// Workers that wait for room, by number.
    waiting: BTreeMap<usize, Waker>,
    /// How many of them were woken, and have not come yet; or fewer, which only wakes one too many.
    coming: usize,
    /// Items take no time, and whoever comes takes many.
    greedy: bool,
    reports: Vec<Report<T, E>>,
    consumer: Option<Waker>,
    /// The only item whose outcome the consumer has a use for.
    wanted: Option<usize>,
}

impl<T, E> Pace<T, E> {
    pub(super) fn new(room: usize) -> Self {
        Self {
            state: Lock::new(State {
                room,
                closed: false,
                waiting: BTreeMap::new(),
                coming: 0,
                greedy: false,
                reports: Vec::new(),
                consumer: None,
                wanted: None,
            }),
            hungry: AtomicUsize::new(0),
        }
    }

    /// Takes all reports that there are, or has the consumer woken when there is the one that is wanted, or any.
    pub(super) fn poll_reports(
        &self,
        taken: &mut Vec<Report<T, E>>,
        wanted: Option<usize>,
        cx: &Context<'_>,
    ) -> Poll<()> {
        let mut state = self.state.lock();
        if !state.reports.is_empty() {
            std::mem::swap(&mut state.reports, taken);
            return Poll::Ready(());
        }
        state.wanted = wanted;
        self.hungry.store(1, Ordering::Relaxed);
        if state
            .consumer
            .as_ref()
            .is_some_and(|old| old.will_wake(cx.waker()))
        {
            return Poll::Pending;
        }
        let old = state.consumer.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Nothing more is started.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let all = std::mem::take(&mut state.waiting);
        drop(state);
        all.into_values().for_each(Waker::wake);
    }

    /// Room again, for so many.
    pub(super) fn make_room(&self, room: usize) {
        let mut state = self.state.lock();
        // Items that had come back when all was aborted gave their room back before.
        state.room = state.room.saturating_add(room);
        let next = state.next();
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl<T, E> State<T, E> {
    /// Who is to be woken, as there is room.
    fn next(&mut self) -> Option<Waker> {
        if self.room <= self.coming || (self.greedy && self.coming > 0) {
            return None;
        }
        let (_, waker) = self.waiting.pop_first()?;
        self.coming += 1;
        Some(waker)
    }
}

impl<T: Send + 'static, E: Send + 'static> Sink<T, E> for std::sync::Arc<Pace<T, E>> {
    type Hand = Vec<Report<T, E>>;

    const KEEPS_REST: bool = false;

    fn stops_at_failure(&self) -> bool {
        false
    }

    fn poll_room(&self, worker: usize, most: usize, cx: &mut Context<'_>) -> Poll<usize> {
        let mut state = self.state.lock();
        state.waiting.remove(&worker);
        state.coming = state.coming.saturating_sub(1);
        if state.closed {
            return Poll::Ready(0);
        }
        if state.room == 0 {
            state.waiting.insert(worker, cx.waker().clone());
            return Poll::Pending;
        }
        // Who takes but one leaves the rest to others, and there is no use in waiting for it to say so.
        state.greedy = most > 1;
        let room = state.room.min(most);
        state.room -= room;
        let next = state.next();
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
        Poll::Ready(room)
    }

    fn give_room(&self, room: usize) {
        self.make_room(room);
    }

    fn is_hungry(&self) -> bool {
        self.hungry.load(Ordering::Relaxed) > 0
    }

    fn put(&self, hand: &mut Self::Hand, number: usize, kept: Kept<T, E>, is_end: bool) {
        hand.push(Report {
            number,
            kept,
            is_end,
        });
    }

    fn flush(&self, hand: &mut Self::Hand) {
        if hand.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        let wanted = state.wanted;
        let is_wanted = |report: &Report<_, _>| wanted.is_none_or(|wanted| report.number == wanted);
        let consumer = match hand.iter().any(is_wanted) {
            true => state.consumer.take(),
            false => None,
        };
        if consumer.is_some() {
            self.hungry.store(0, Ordering::Relaxed);
        }
        state.reports.append(hand);
        drop(state);
        if let Some(waker) = consumer {
            waker.wake();
        }
    }

    fn aborted(&self, hand: &mut Self::Hand, number: usize, fate: impl FnOnce() -> Outcome<T, E>) {
        self.put(hand, number, Some(fate()), false);
    }
}
