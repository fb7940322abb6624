//! Several futures of one type that end together: polled when they wake.

use std::cell::Cell;
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::task::Context;

use tokio::task::coop::has_budget_remaining;

use crate::slots::{Payload, Slots};
use crate::wake::WakeSet;

/// Up to so many children it is cheaper to poll all of them than to find out who woke.
const FEW: usize = 16;

/// Futures in numbered slots.
pub(crate) struct Crew<F> {
    slots: Slots<F>,
    order: Order,
    /// The answer was given.
    over: bool,
}

/// Who comes next.
enum Order {
    /// They are few: they share the waker of the task, and all are polled.
    Few {
        /// With whom a round begins: the first, unless another one has used up what the task may do in one go.
        from: usize,
        /// How many of a round were polled that a panic has interrupted.
        polled: usize,
    },
    /// Those that woke.
    Many(WakeSet),
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
        let order = match slots.len() {
            0..=FEW => Order::Few { from: 0, polled: 0 },
            many => Order::Many(WakeSet::woken(many)),
        };
        Self {
            slots,
            order,
            over: false,
        }
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Polls whoever woke, once each, and hands over what they end with. Called again in the same poll of the task after a panic,
    /// it goes on behind the one that panicked.
    pub(crate) fn poll<B>(
        &mut self,
        cx: &mut Context<'_>,
        mut ended: impl FnMut(usize, F::Output) -> ControlFlow<B>,
    ) -> Turn<B> {
        assert!(!self.over, "it is polled again after it was ready");
        if let Order::Many(wakes) = &mut self.order {
            // Not inside of what catches panics: what the task's own waker does is no child's panic.
            wakes.begin(cx);
            if !has_budget_remaining() {
                cx.waker().wake_by_ref();
                return Turn::Pending;
            }
        }
        let (at, len) = (Cell::new(0), self.slots.len());
        // `AssertUnwindSafe`: of what a panic may leave half done, only the future matters, and that is dropped below.
        let polled = panic::catch_unwind(AssertUnwindSafe(|| {
            let mut poll = |child, cx: &mut Context<'_>| {
                at.set(child);
                match self.slots.poll(child, cx) {
                    Some(output) => ended(child, output).map_continue(|()| true),
                    None => ControlFlow::Continue(false),
                }
            };
            match &mut self.order {
                Order::Few { from, polled } => few(len, from, polled, |child| poll(child, cx)),
                Order::Many(wakes) => many(wakes, cx, poll),
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

/// Polls all of a few, once each.
fn few<B>(
    len: usize,
    from: &mut usize,
    polled: &mut usize,
    mut poll: impl FnMut(usize) -> ControlFlow<B, bool>,
) -> ControlFlow<B> {
    let had_budget = has_budget_remaining();
    while *polled < len {
        let child = *from + *polled;
        // Before the poll: where it panics, the round goes on behind it.
        *polled += 1;
        poll(if child < len { child } else { child - len })?;
    }
    *polled = 0;
    *from = next_first(*from, len, had_budget);
    ControlFlow::Continue(())
}

/// With whom the next round of `len` begins. It is the first, unless somebody has used up what tokio lets a task do in one go and
/// so left nothing to those behind: then each has its turn to be first.
pub(crate) fn next_first(from: usize, len: usize, had_budget: bool) -> usize {
    match (had_budget, has_budget_remaining()) {
        (true, true) => 0,
        (true, false) if from + 1 < len => from + 1,
        (true, false) => 0,
        // Nobody had a chance in this one.
        (false, _) => from,
    }
}

/// Polls those that woke, until the task has done what tokio lets it do in one go: then it comes again, and the rest has its turn.
fn many<B>(
    wakes: &mut WakeSet,
    task: &Context<'_>,
    mut poll: impl FnMut(usize, &mut Context<'_>) -> ControlFlow<B, bool>,
) -> ControlFlow<B> {
    while let Some(child) = wakes.next() {
        let has_ended = poll(child, &mut Context::from_waker(&wakes.waker(child)))?;
        if !has_ended && !has_budget_remaining() {
            task.waker().wake_by_ref();
            break;
        }
    }
    ControlFlow::Continue(())
}

impl<F> Crew<F> {
    /// The answer is there. Drops all that is left, one after the other, whatever their destructors do. The first panic of one is given
    /// back.
    pub(crate) fn clear(&mut self) -> Option<Payload> {
        self.over = true;
        self.slots.clear()
    }
}
