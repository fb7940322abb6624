//! Pinned places for futures of one type.
//!
//! # Safety
//! 1. A future is moved into its slot before it is polled for the first time, and never moved out: it is polled where it
//!    is and dropped where it is. The slots are in one box, whose contents stay where they are when it is moved itself.

use std::any::Any;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

pub(crate) type Payload = Box<dyn Any + Send>;

/// A fixed number of slots, each with a future or empty.
pub(crate) struct Slots<F> {
    slots: Box<[Option<F>]>,
    alive: usize,
}

impl<F> Slots<F> {
    pub(crate) fn empty(slots: usize) -> Self {
        Self {
            slots: (0..slots).map(|_| None).collect(),
            alive: 0,
        }
    }

    /// One slot for each future.
    pub(crate) fn full(futures: impl Iterator<Item = F>) -> Self {
        let slots: Box<[_]> = futures.map(Some).collect();
        Self {
            alive: slots.len(),
            slots,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether a slot is empty.
    pub(crate) fn is_free(&self, slot: usize) -> bool {
        self.slots[slot].is_none()
    }

    /// How many futures there are.
    pub(crate) fn alive(&self) -> usize {
        self.alive
    }

    /// Puts a future into an empty slot.
    #[inline]
    pub(crate) fn put(&mut self, slot: usize, future: F) {
        debug_assert!(self.slots[slot].is_none(), "the slot is taken");
        self.alive += 1;
        self.slots[slot] = Some(future);
    }

    /// Empties a slot. Gives the panic of a destructor.
    pub(crate) fn drop_slot(&mut self, slot: usize) -> Option<Payload> {
        let slot = &mut self.slots[slot];
        self.alive -= usize::from(slot.is_some());
        // Assigning over a value whose destructor panics still assigns.
        panic::catch_unwind(AssertUnwindSafe(|| *slot = None)).err()
    }

    /// Empties all slots, one after the other, whatever their destructors do. Gives the first panic of one.
    pub(crate) fn clear(&mut self) -> Option<Payload> {
        (0..self.slots.len()).fold(None, |first, slot| first.or(self.drop_slot(slot)))
    }
}

impl<F: Future> Slots<F> {
    /// What the future in this slot ends with, if there is one and it does. It is dropped then.
    #[inline]
    pub(crate) fn poll(&mut self, slot: usize, cx: &mut Context<'_>) -> Option<F::Output> {
        let slot = &mut self.slots[slot];
        let future = slot.as_mut()?;
        // SAFETY: it stays in its slot until it is dropped there (1).
        match unsafe { Pin::new_unchecked(future) }.poll(cx) {
            Poll::Pending => None,
            Poll::Ready(output) => {
                self.alive -= 1;
                *slot = None;
                Some(output)
            }
        }
    }
}
