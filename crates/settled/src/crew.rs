//! Several futures of one type that end together: polled when they wake.

use std::cell::Cell;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::task::Context;

use crate::slots::{Payload, Slots};
use crate::wake::WakeSet;

/// Up to so many children it is cheaper to poll all of them than to find out who woke.
const FEW: usize = 16;

/// Futures in numbered slots.
pub(crate) struct Crew<F> {
    slots: Slots<F>,
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
        let slots = Slots::full(futures);
        Self {
            wakes: (slots.len() > FEW).then(|| WakeSet::woken(slots.len())),
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
        let (at, len) = (Cell::new(0), self.slots.len());
        // `AssertUnwindSafe`: of what a panic may leave half done, only the future matters, and that is dropped below.
        let polled = panic::catch_unwind(AssertUnwindSafe(|| {
            let mut poll = |child, cx: &mut Context<'_>| {
                at.set(child);
                match self.slots.poll(child, cx) {
                    Some(output) => ended(child, output),
                    None => ControlFlow::Continue(()),
                }
            };
            match &mut self.wakes {
                None => (0..len).try_for_each(|child| poll(child, cx)),
                Some(wakes) => {
                    wakes.begin(cx);
                    while let Some(child) = wakes.next() {
                        poll(child, &mut Context::from_waker(&wakes.waker(child)))?;
                    }
                    ControlFlow::Continue(())
                }
            }
        }));
        match polled {
            Ok(ControlFlow::Break(answer)) => Turn::Break(answer),
            Ok(ControlFlow::Continue(())) if self.slots.alive() == 0 => Turn::Gone,
            Ok(ControlFlow::Continue(())) => Turn::Pending,
            Err(payload) => {
                self.slots.drop_slot(at.get());
                Turn::Panicked(at.get(), payload)
            }
        }
    }
}

impl<F> Crew<F> {
    /// Drops all that is left, one after the other, whatever their destructors do. The first panic of one is given back.
    pub(crate) fn clear(&mut self) -> Option<Payload> {
        self.slots.clear()
    }
}
