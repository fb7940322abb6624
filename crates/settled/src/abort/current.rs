//! The signals of what is being polled on this thread.

use std::cell::RefCell;

use super::AbortSignal;

thread_local! {
    /// Innermost last. It is borrowed to push, to pop and to look, never while anything is polled.
    static SIGNALS: RefCell<Vec<AbortSignal>> = const { RefCell::new(Vec::new()) };
}

/// While this lives, `signal` is the innermost signal of this thread.
///
/// The signal is *moved* onto the stack, and back when this goes: a poll counts no references. What is pushed inside is popped
/// inside, also by a panic, so the last one of the stack is this one's.
pub(super) struct Inside<'a> {
    signal: &'a mut AbortSignal,
    pushed: bool,
}

impl<'a> Inside<'a> {
    #[inline]
    pub(super) fn new(signal: &'a mut AbortSignal) -> Self {
        let pushed = signal.node.is_some()
            // A thread that ends has no stack any more; what is polled there has no context.
            && SIGNALS
                .try_with(|stack| stack.borrow_mut().push(std::mem::take(signal)))
                .is_ok();
        Self { signal, pushed }
    }
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.pushed {
            return;
        }
        if let Ok(Some(signal)) = SIGNALS.try_with(|stack| stack.borrow_mut().pop()) {
            *self.signal = signal;
        }
    }
}

/// Puts `signals` in place of the stack of this thread, and the other way round.
pub(crate) fn swap_signals(signals: &mut Vec<AbortSignal>) {
    // See above for why it may fail.
    let _ = SIGNALS.try_with(|stack| std::mem::swap(&mut *stack.borrow_mut(), signals));
}

pub(super) fn current() -> AbortSignal {
    let combined = SIGNALS.try_with(|stack| match stack.borrow().as_slice() {
        [] => AbortSignal::never(),
        [only] => only.clone(),
        several => combine(several),
    });
    combined.unwrap_or_default()
}

fn combine(signals: &[AbortSignal]) -> AbortSignal {
    let mut needed: Vec<AbortSignal> = Vec::with_capacity(signals.len());
    // From the innermost on: an outer one that it is made of adds nothing.
    for signal in signals.iter().rev() {
        let Some(node) = &signal.node else { continue };
        let known = |inner: &AbortSignal| inner.node.as_ref().is_some_and(|n| n.is_next_to(node));
        if !needed.iter().any(known) {
            needed.push(signal.clone());
        }
    }
    match needed.as_slice() {
        [only] => only.clone(),
        _ => AbortSignal::any(needed),
    }
}
