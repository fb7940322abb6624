//! What is behind the lock of a semaphore: the counts, the line, and the rules of who is next.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::task::Waker;

use super::waiters::{Key, Waiters};
use super::{AcquireError, TryAcquireError};
use crate::sync::{AtomicUsize, Lock, LockGuard};

/// The counts of a semaphore, which live in one of two places.
///
/// ```text
///            slow(): under the lock, the word becomes SLOW and the count moves into the state
///   FAST  ------------------------------------------------------------------------------------>  SLOW
///   word = permits that are free                                                                 state.out = permits that are out
///   anybody takes and gives by compare-and-swap                                                  nothing but under the lock
///         <------------------------------------------------------------------------------------
///            dropping `Slow`, if nobody waits, nothing is owed, and it is not closed
/// ```
///
/// 1. Only who has the lock moves the count, either way; a compare-and-swap never succeeds on SLOW. So the count is in exactly one
///    place, and no permit is lost or doubled on the way.
/// 2. Whoever gets in line does so under the lock, after the count came over, and has seen then that it does not suffice;
///    and while anybody is in line the word stays SLOW, so whoever gives back goes through the lock and sees the line. So no
///    wake-up is lost, and nobody takes a permit past the line.
/// 3. Whenever the lock is free, the first in line (if there is one) does not fit. So nobody waits for what is there.
pub(super) struct Core {
    word: AtomicUsize,
    state: Lock<State>,
}

/// No count of permits.
const SLOW: usize = usize::MAX;
/// The most permits that a semaphore has.
pub(super) const MOST: usize = usize::MAX - 1;

impl Core {
    pub(super) fn new(permits: usize) -> Self {
        let capacity = permits.min(MOST);
        let state = State {
            capacity,
            out: 0,
            closed: false,
            waiters: Waiters::new(),
        };
        Self {
            word: AtomicUsize::new(capacity),
            state: Lock::new(state),
        }
    }

    /// Takes permits if that needs no lock. Pairs with [`give_fast`](Self::give_fast): what was done under a permit before is seen.
    pub(super) fn take_fast(&self, weight: usize) -> bool {
        let mut free = self.word.load(Relaxed);
        while free != SLOW && weight <= free {
            match self
                .word
                .compare_exchange_weak(free, free - weight, Acquire, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => free = now,
            }
        }
        false
    }

    pub(super) fn give_fast(&self, weight: usize) -> bool {
        let mut free = self.word.load(Relaxed);
        while free != SLOW {
            match self
                .word
                .compare_exchange_weak(free, free + weight, Release, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => free = now,
            }
        }
        false
    }

    pub(super) fn take(&self, weight: usize) -> Result<(), TryAcquireError> {
        if self.take_fast(weight) {
            Ok(())
        } else {
            self.slow().try_take(weight)
        }
    }

    pub(super) fn give(&self, weight: usize) {
        if !self.give_fast(weight) {
            let wakers = self.slow().give_back(weight);
            wakers.wake();
        }
    }

    /// Looks at the word first, so that whoever watches a semaphore does not slow it down.
    pub(super) fn free(&self) -> usize {
        match self.word.load(Acquire) {
            SLOW => {
                let state = self.slow();
                state.capacity.saturating_sub(state.out)
            }
            free => free,
        }
    }

    pub(super) fn in_line(&self) -> usize {
        match self.word.load(Acquire) {
            SLOW => self.slow().waiters.len(),
            _ => 0,
        }
    }

    pub(super) fn slow(&self) -> Slow<'_> {
        let mut state = self.state.lock();
        let free = self.word.swap(SLOW, AcqRel);
        if free != SLOW {
            state.out = state.capacity - free;
        }
        Slow {
            word: &self.word,
            state,
        }
    }
}

/// The lock, and with it the count.
pub(super) struct Slow<'a> {
    word: &'a AtomicUsize,
    state: LockGuard<'a, State>,
}

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        // Still under the lock.
        if self.waiters.len() == 0 && !self.closed && self.out <= self.capacity {
            self.word.store(self.capacity - self.out, Release);
        }
    }
}

impl Deref for Slow<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Slow<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

pub(super) struct State {
    pub(super) capacity: usize,
    /// Permits that are out: held, or given to a waiter that has not come for them yet. Above `capacity` after that has shrunk.
    pub(super) out: usize,
    pub(super) closed: bool,
    pub(super) waiters: Waiters<Waiter>,
}

pub(super) struct Waiter {
    pub(super) weight: usize,
    pub(super) turn: Turn,
    pub(super) waker: Option<Waker>,
}

/// A waiter is in line as long as its turn is `Waiting`.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    Waiting,
    /// Its permits are counted as `out` already.
    Given,
    Refused(AcquireError),
}

/// Wakers to be woken once the lock is free. Mostly it is one: that costs no allocation.
#[derive(Default)]
#[must_use]
pub(super) struct Wakers {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Wakers {
    fn add(&mut self, waker: Option<Waker>) {
        match &self.first {
            None => self.first = waker,
            Some(_) => self.more.extend(waker),
        }
    }

    pub(super) fn wake(self) {
        self.first
            .into_iter()
            .chain(self.more)
            .for_each(Waker::wake);
    }
}

impl State {
    fn fits(&self, weight: usize) -> bool {
        self.capacity
            .checked_sub(self.out)
            .is_some_and(|free| weight <= free)
    }

    /// `Err`: never.
    fn possible(&self, weight: usize) -> Result<(), AcquireError> {
        let capacity = self.capacity;
        if self.closed {
            return Err(AcquireError::Closed);
        }
        match weight > capacity && capacity > 0 {
            true => Err(AcquireError::TooMany {
                wanted: weight,
                capacity,
            }),
            false => Ok(()),
        }
    }

    pub(super) fn try_take(&mut self, weight: usize) -> Result<(), TryAcquireError> {
        self.possible(weight).map_err(TryAcquireError::Never)?;
        // Nothing at all is always there; anything else only if nobody came before.
        if weight > 0 && (self.waiters.len() > 0 || !self.fits(weight)) {
            return Err(TryAcquireError::NoPermits);
        }
        self.out += weight;
        Ok(())
    }

    /// Gives permits to those at the front for whom there are enough.
    pub(super) fn give(&mut self) -> Wakers {
        let mut wakers = Wakers::default();
        while let Some(key) = self.waiters.first() {
            let weight = self.waiters.get_mut(key).weight;
            if !self.fits(weight) {
                break;
            }
            self.out += weight;
            wakers.add(self.turn(key, Turn::Given));
        }
        wakers
    }

    /// Tells those that no longer can have what they wait for, and gives to those that now can.
    pub(super) fn refuse_and_give(&mut self) -> Wakers {
        let mut wakers = Wakers::default();
        let mut at = self.waiters.first();
        while let Some(key) = at {
            at = self.waiters.behind(key);
            let weight = self.waiters.get_mut(key).weight;
            if let Err(error) = self.possible(weight) {
                wakers.add(self.turn(key, Turn::Refused(error)));
            }
        }
        let given = self.give();
        wakers
            .more
            .extend(given.first.into_iter().chain(given.more));
        wakers
    }

    fn turn(&mut self, key: Key, turn: Turn) -> Option<Waker> {
        self.waiters.leave(key);
        let waiter = self.waiters.get_mut(key);
        waiter.turn = turn;
        waiter.waker.take()
    }

    pub(super) fn give_back(&mut self, weight: usize) -> Wakers {
        self.out -= weight;
        self.give()
    }
}
