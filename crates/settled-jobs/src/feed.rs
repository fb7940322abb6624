//! The feed: decoded jobs on their way to the slots, from the one thread that reads the list to all cores.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::job::{Id, Input, Job, Key};
use crate::record::Failure;

/// What a line of the list came to.
#[derive(Debug)]
pub(crate) enum Item<S> {
    Job(Job<S>),
    /// A line that settles without a try.
    Bad(Box<Bad>),
}

/// A line that is no job, or not one that may run.
#[derive(Debug)]
pub(crate) struct Bad {
    pub(crate) seq: u64,
    pub(crate) id: Id,
    pub(crate) key: Key,
    pub(crate) input: Input,
    pub(crate) failure: Failure,
}

/// A bounded queue between the reader and the slots.
#[derive(Debug)]
pub(crate) struct Feed<S> {
    state: Mutex<State<S>>,
    room: Condvar,
    /// Tells cores with idle slots that there is something.
    pub(crate) arrival: Notify,
    /// How many slots are idle.
    pub(crate) idle: AtomicUsize,
    max_items: usize,
}

#[derive(Debug)]
struct State<S> {
    items: VecDeque<(usize, Item<S>)>,
    weight: usize,
    ended: bool,
    closed: bool,
}

/// Read-ahead is bounded in bytes too: jobs may carry bodies.
const MAX_WEIGHT: usize = 4 << 20;

/// What a slot finds.
#[derive(Debug)]
pub(crate) enum Pulled<S> {
    /// It, and what it weighs in bytes.
    Item(Item<S>, usize),
    /// Nothing now.
    Empty,
    /// Nothing any more.
    Ended,
}

impl<S> Feed<S> {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                weight: 0,
                ended: false,
                closed: false,
            }),
            room: Condvar::new(),
            arrival: Notify::new(),
            idle: AtomicUsize::new(0),
            max_items: (2 * slots).max(512),
        }
    }

    /// Adds items (each with its weight in bytes), waiting for room first. `false`: nobody takes them any more.
    pub(crate) fn push(&self, batch: &mut Vec<(usize, Item<S>)>) -> bool {
        if batch.is_empty() {
            return !self.lock().closed;
        }
        let mut state = self.lock();
        while !state.closed && (state.items.len() >= self.max_items || state.weight >= MAX_WEIGHT) {
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.weight += batch.iter().map(|(weight, _)| weight).sum::<usize>();
        state.items.extend(batch.drain(..));
        drop(state);
        self.announce();
        true
    }

    /// The list has ended.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.arrival.notify_waiters();
    }

    /// Nothing is taken any more: the reader may stop.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.ended = true;
        state.items.clear();
        drop(state);
        self.room.notify_all();
        self.arrival.notify_waiters();
    }

    pub(crate) fn pull(&self) -> Pulled<S> {
        let mut state = self.lock();
        let Some((weight, item)) = state.items.pop_front() else {
            return if state.ended {
                Pulled::Ended
            } else {
                Pulled::Empty
            };
        };
        state.weight -= weight;
        // The reader is woken when there is room worth waking it for.
        let refill = state.items.len() == self.max_items / 2 || state.items.is_empty();
        let heavy = state.weight + weight >= MAX_WEIGHT && state.weight < MAX_WEIGHT;
        // Nobody is told again that the list has ended: so the last item says it.
        let last = state.ended && state.items.is_empty();
        drop(state);
        if last {
            self.arrival.notify_waiters();
        }
        if refill || heavy {
            self.room.notify_one();
        }
        Pulled::Item(item, weight)
    }

    /// How many items wait, and whether the list has ended.
    pub(crate) fn level(&self) -> (usize, bool) {
        let state = self.lock();
        (state.items.len(), state.ended)
    }

    fn announce(&self) {
        // SeqCst on both sides (see `Core::park`): either this sees the idle slot, or that slot sees the items.
        if self.idle.load(Ordering::SeqCst) > 0 {
            self.arrival.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
