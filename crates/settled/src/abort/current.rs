//! The signals of what is being polled on this thread.

use std::cell::RefCell;
use std::mem;

use super::AbortSignal;

/// What is heard by work that has no signal of its own around it. The outermost comes first.
pub(crate) type Base = fn(&mut Vec<AbortSignal>);

struct Stack {
    /// Innermost last.
    signals: Vec<AbortSignal>,
    /// Those before it are none of the business of what is being polled.
    floor: usize,
    /// What there is on the floor. Most work never asks, so it is made when somebody does.
    base: Option<Base>,
}

thread_local! {
    /// It is borrowed to push, to pop and to look, never while anything is polled.
    static STACK: RefCell<Stack> = const {
        RefCell::new(Stack {
            signals: Vec::new(),
            floor: 0,
            base: None,
        })
    };
}

/// While this lives, `signal` is the innermost signal of this thread.
///
/// The signal is *moved* onto the stack, and back when this goes: a poll counts no references. What is pushed inside is popped
/// inside, also by a panic, so the last one of the stack is this one's.
pub(crate) struct Inside<'a> {
    signal: &'a mut AbortSignal,
    pushed: bool,
}

impl<'a> Inside<'a> {
    #[inline]
    pub(crate) fn new(signal: &'a mut AbortSignal) -> Self {
        let pushed = signal.node.is_some()
            // A thread that ends has no stack any more; what is polled there has no context.
            && STACK
                .try_with(|stack| stack.borrow_mut().signals.push(mem::take(signal)))
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
        if let Ok(Some(signal)) = STACK.try_with(|stack| stack.borrow_mut().signals.pop()) {
            *self.signal = signal;
        }
    }
}

/// While this lives, the signals of this thread are those of `base` alone, and what comes on top of them.
#[must_use]
pub(crate) struct Apart {
    outer: Option<(usize, Option<Base>)>,
}

impl Apart {
    #[inline]
    pub(crate) fn new(base: Option<Base>) -> Self {
        let enter = |stack: &RefCell<Stack>| {
            let stack = &mut *stack.borrow_mut();
            let floor = mem::replace(&mut stack.floor, stack.signals.len());
            (floor, mem::replace(&mut stack.base, base))
        };
        // See above for why it may fail.
        Self {
            outer: STACK.try_with(enter).ok(),
        }
    }
}

impl Drop for Apart {
    #[inline]
    fn drop(&mut self) {
        if let Some((floor, base)) = self.outer {
            let leave = |stack: &RefCell<Stack>| {
                let stack = &mut *stack.borrow_mut();
                (stack.floor, stack.base) = (floor, base);
            };
            let _gone = STACK.try_with(leave);
        }
    }
}

pub(super) fn current() -> AbortSignal {
    let look = |stack: &RefCell<Stack>| {
        let stack = stack.borrow();
        match (stack.base, &stack.signals[stack.floor..]) {
            (None, []) => Ok(AbortSignal::never()),
            (None, [only]) => Ok(only.clone()),
            (base, several) => Err((base, several.to_vec())),
        }
    };
    match STACK.try_with(look).unwrap_or(Ok(AbortSignal::never())) {
        Ok(signal) => signal,
        Err((base, inner)) => {
            let mut signals = Vec::new();
            if let Some(base) = base {
                base(&mut signals);
            }
            signals.extend(inner);
            combine(&signals)
        }
    }
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
