//! The futures that run at once, each with the number of its item. Slots are used again; there are never more than the limit.

use std::future::Future;
use std::task::Context;

use tokio::task::coop::has_budget_remaining;

use crate::slots::{Payload, Slots};
use crate::wake::WakeSet;

/// How many slots there are to begin with.
const FIRST: usize = 16;

/// Up to how many polls in one poll of the task go to those that have woken meanwhile.
const POLLS: usize = 64;

/// Futures in slots that can be used again. Slots come in ranks, each as large as all before it, because a slot can't be
/// moved: a limit of a million costs nothing before there are a million items.
pub(super) struct Pool<F> {
    ranks: Vec<Rank<F>>,
    free: Vec<Place>,
    limit: usize,
    running: usize,
    /// Who is being polled.
    at: Option<Place>,
    /// The rank whose turn it is, and how many have not had theirs in this poll.
    rank: usize,
    ranks_left: usize,
    /// Somebody has used up what tokio lets a task do in one go.
    spent: bool,
    /// How many were polled in this poll of the task.
    polled: usize,
}

struct Rank<F> {
    slots: Slots<F>,
    wakes: WakeSet,
    /// The number of the item in each slot.
    numbers: Box<[usize]>,
}

/// A slot of a rank.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    rank: usize,
    slot: usize,
}

impl<F> Pool<F> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            ranks: Vec::new(),
            free: Vec::new(),
            limit,
            running: 0,
            at: None,
            rank: 0,
            ranks_left: 0,
            spent: false,
            polled: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running == 0
    }

    pub(super) fn has_room(&self) -> bool {
        self.running < self.limit
    }

    /// Whether somebody has used up what tokio lets a task do in one go: whoever is polled now could only say that it is pending.
    pub(super) fn is_spent(&self) -> bool {
        self.spent
    }

    #[cold]
    fn new_place(&mut self, cx: &Context<'_>) -> Place {
        let slots = (self.limit - self.running).min(self.running.max(FIRST));
        let rank = self.ranks.len();
        let mut wakes = WakeSet::asleep(slots);
        wakes.begin(cx);
        self.ranks.push(Rank {
            slots: Slots::empty(slots),
            wakes,
            numbers: vec![0; slots].into_boxed_slice(),
        });
        self.free
            .extend((0..slots).rev().map(|slot| Place { rank, slot }));
        Place { rank, slot: 0 }
    }

    /// Drops the one that was being polled, after it has panicked. Gives its number.
    pub(super) fn drop_panicked(&mut self) -> Option<usize> {
        let place = self.at.take()?;
        let rank = &mut self.ranks[place.rank];
        let number = rank.numbers[place.slot];
        // A destructor that panics as well is too late to be heard.
        drop(rank.slots.drop_slot(place.slot));
        // In its very first poll its slot was still counted as free.
        if self.free.last() != Some(&place) {
            self.leave(place);
        }
        Some(number)
    }

    fn leave(&mut self, place: Place) {
        self.running -= 1;
        self.free.push(place);
    }

    /// Drops those whose item comes after this one. Gives the first panic of a destructor.
    pub(super) fn drop_after(&mut self, number: Option<usize>) -> Option<Payload> {
        let mut panicked = None;
        for (at, rank) in self.ranks.iter_mut().enumerate() {
            for slot in 0..rank.slots.len() {
                let before = rank.slots.alive();
                if number.is_none_or(|number| rank.numbers[slot] > number) {
                    panicked = panicked.or(rank.slots.drop_slot(slot));
                }
                if rank.slots.alive() < before {
                    self.running -= 1;
                    self.free.push(Place { rank: at, slot });
                }
            }
        }
        panicked
    }

    /// Drops all of them. Gives the first panic of a destructor.
    pub(super) fn clear(&mut self) -> Option<Payload> {
        self.drop_after(None)
    }
}

impl<F: Future> Pool<F> {
    /// Starts the future of an item, in a free slot. Gives what it ends with, if it is ready at once.
    #[inline]
    pub(super) fn start(
        &mut self,
        number: usize,
        future: F,
        cx: &Context<'_>,
    ) -> Option<F::Output> {
        let place = match self.free.last() {
            Some(&place) => place,
            None => self.new_place(cx),
        };
        let rank = &mut self.ranks[place.rank];
        rank.numbers[place.slot] = number;
        rank.slots.put(place.slot, future);
        let polled = self.poll_at(place);
        // Most small ones are ready at once, and their slot was never taken.
        if polled.is_none() {
            self.free.pop();
            self.running += 1;
            self.spent = !has_budget_remaining();
        }
        polled
    }

    #[inline]
    fn poll_at(&mut self, place: Place) -> Option<F::Output> {
        self.at = Some(place);
        let rank = &mut self.ranks[place.rank];
        let waker = rank.wakes.waker(place.slot);
        let polled = rank
            .slots
            .poll(place.slot, &mut Context::from_waker(&waker));
        self.at = None;
        polled
    }

    /// Begins a poll of those that woke: from now on it is `cx` that is woken.
    pub(super) fn begin(&mut self, cx: &Context<'_>) {
        self.spent = !has_budget_remaining();
        self.polled = 0;
        self.ranks_left = self.ranks.len();
        for rank in &mut self.ranks {
            rank.wakes.begin(cx);
        }
    }

    /// Whether those that have woken since are to be polled in the same poll of the task: for a while that saves it a way through the
    /// runtime. They come once each again.
    pub(super) fn goes_on(&mut self) -> bool {
        let goes_on = self.polled < POLLS
            && !self.spent
            && self.ranks.iter().any(|rank| rank.wakes.is_woken());
        if goes_on {
            self.ranks_left = self.ranks.len();
        }
        goes_on
    }

    /// Polls those that woke, once each, up to the next one that ends: the number of its item, and what it gave.
    ///
    /// Where somebody uses up what the task may do in one go, the next poll begins with the one behind it.
    pub(super) fn next_ended(&mut self, task: &Context<'_>) -> Option<(usize, F::Output)> {
        while self.ranks_left > 0 {
            if self.spent {
                task.waker().wake_by_ref();
                // Not with this rank: it may be the same one again in every poll.
                self.rank = (self.rank + 1) % self.ranks.len();
                self.ranks_left = 0;
                return None;
            }
            let rank = &mut self.ranks[self.rank];
            let Some(slot) = rank.wakes.next() else {
                self.rank = (self.rank + 1) % self.ranks.len();
                self.ranks_left -= 1;
                continue;
            };
            let number = rank.numbers[slot];
            if rank.slots.is_free(slot) {
                continue;
            }
            let place = Place {
                rank: self.rank,
                slot,
            };
            self.polled += 1;
            if let Some(output) = self.poll_at(place) {
                self.leave(place);
                return Some((number, output));
            }
            self.spent = !has_budget_remaining();
        }
        None
    }
}
