//! Several futures of one type in one task: polled when they wake, dropped in place.
//!
//! # Safety
//! 1. A future is moved into its slot before it is polled for the first time, and never moved out: it is polled where it
//!    is and dropped where it is. The slots are in one box that never grows.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::wake::WakeSet;

/// Up to so many children it is cheaper to poll all of them than to find out who woke.
const FEW: usize = 16;

pub(crate) type Payload = Box<dyn Any + Send>;

/// Futures in numbered slots.
pub(crate) struct Crew<F> {
    slots: Box<[Option<F>]>,
    alive: usize,
    /// `None`: they are few, and share the waker of the task.
    wakes: Option<WakeSet>,
}

/// What a poll of all who woke came to.
pub(crate) enum Turn<B> {
    /// Somebody is still there.
    Pending,
    /// Nobody is left.
    Gone,
    /// The closure said so.
    Break(B),
    /// The future in this slot panicked, or its destructor did. It is gone.
    Panicked(usize, Payload),
}

impl<F: Future> Crew<F> {
    /// One slot for each future.
    pub(crate) fn new(futures: impl Iterator<Item = F>) -> Self {
        let slots: Box<[_]> = futures.map(Some).collect();
        Self {
            alive: slots.len(),
            wakes: (slots.len() > FEW).then(|| WakeSet::new(slots.len())),
            slots,
        }
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Polls whoever woke, once each, and hands over what they end with.
    pub(crate) fn poll<B>(
        &mut self,
        cx: &mut Context<'_>,
        mut ended: impl FnMut(usize, F::Output) -> ControlFlow<B>,
    ) -> Turn<B> {
        let at = Cell::new(0);
        // `AssertUnwindSafe`: of what a panic may leave half done, only the future matters, and that is dropped below.
        let polled = panic::catch_unwind(AssertUnwindSafe(|| match &mut self.wakes {
            None => {
                for (child, slot) in self.slots.iter_mut().enumerate() {
                    at.set(child);
                    poll_slot(slot, &mut self.alive, cx)
                        .map_or(ControlFlow::Continue(()), |output| ended(child, output))?;
                }
                ControlFlow::Continue(())
            }
            Some(wakes) => {
                wakes.begin(cx);
                while let Some(child) = wakes.next() {
                    at.set(child);
                    let waker = wakes.waker(child);
                    let cx = &mut Context::from_waker(&waker);
                    poll_slot(&mut self.slots[child], &mut self.alive, cx)
                        .map_or(ControlFlow::Continue(()), |output| ended(child, output))?;
                }
                ControlFlow::Continue(())
            }
        }));
        match polled {
            Ok(ControlFlow::Break(answer)) => Turn::Break(answer),
            Ok(ControlFlow::Continue(())) if self.alive == 0 => Turn::Gone,
            Ok(ControlFlow::Continue(())) => Turn::Pending,
            Err(payload) => {
                self.drop_slot(at.get());
                Turn::Panicked(at.get(), payload)
            }
        }
    }
}

impl<F> Crew<F> {
    /// Drops all that is left, one after the other, whatever their destructors do. The first panic of one is given back.
    pub(crate) fn clear(&mut self) -> Option<Payload> {
        (0..self.slots.len()).fold(None, |first, slot| first.or(self.drop_slot(slot)))
    }

    fn drop_slot(&mut self, slot: usize) -> Option<Payload> {
        let slot = &mut self.slots[slot];
        self.alive -= usize::from(slot.is_some());
        // Assigning over a value whose destructor panics still assigns.
        panic::catch_unwind(AssertUnwindSafe(|| *slot = None)).err()
    }
}

/// What the future in this slot ends with, if it does. It is dropped then.
#[inline]
fn poll_slot<F: Future>(
    slot: &mut Option<F>,
    alive: &mut usize,
    cx: &mut Context<'_>,
) -> Option<F::Output> {
    let future = slot.as_mut()?;
    // SAFETY: it stays in its slot until it is dropped there (1).
    match unsafe { Pin::new_unchecked(future) }.poll(cx) {
        Poll::Pending => None,
        Poll::Ready(output) => {
            *alive -= 1;
            *slot = None;
            Some(output)
        }
    }
}
