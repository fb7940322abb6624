//! Which task is being polled: what is made inside of it knows where it belongs.

use std::cell::RefCell;
use std::sync::Arc;

use super::registry::Registry;
use crate::abort::{AbortSignal, swap_signals};
use crate::context::Context;
use crate::timeout::{Limits, Within, current_deadline};

/// The surroundings of what is being polled: the scope, and the task where it is one.
pub(super) struct Current {
    registry: Arc<Registry>,
    task: Option<u64>,
    /// The signal that the task was given along.
    inherited: AbortSignal,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

#[cfg(not(loom))]
thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

// The threads of a model share one of the system's.
#[cfg(loom)]
loom::thread_local! {
    static CURRENT: RefCell<Option<Current>> = RefCell::new(None);
}

impl Current {
    pub(super) fn new(registry: &Arc<Registry>, task: Option<u64>, inherited: AbortSignal) -> Self {
        Self {
            registry: Arc::clone(registry),
            task,
            inherited,
            #[cfg(feature = "tracing")]
            span: tracing::Span::current(),
        }
    }
}

impl Current {
    /// For a body that is polled in the caller's task, as a part of a scope of its own.
    pub(super) fn body(registry: &Arc<Registry>) -> Self {
        let look = |current: &RefCell<Option<Self>>| {
            let current = current.borrow();
            let current = current.as_ref()?;
            Some((current.task, current.inherited.clone()))
        };
        let (task, inherited) = CURRENT.try_with(look).ok().flatten().unwrap_or_default();
        Self::new(registry, task, inherited)
    }
}

/// What a task is polled in, in place of whatever is around the poll.
pub(super) struct Surroundings {
    current: Option<Current>,
    /// Of the thread while the task is polled: those that whoever started the task heard, and the scope's.
    signals: Vec<AbortSignal>,
}

impl Surroundings {
    pub(super) fn new(registry: &Arc<Registry>, task: u64, inherited: &AbortSignal) -> Self {
        let told = [inherited.clone(), registry.soft.signal()];
        Self {
            current: Some(Current::new(registry, Some(task), inherited.clone())),
            signals: told.into(),
        }
    }

    pub(super) fn enter<R>(&mut self, work: impl FnOnce() -> R) -> R {
        /// Swaps back, whichever way `work` ends.
        struct Back<'a>(&'a mut Vec<AbortSignal>);

        impl Drop for Back<'_> {
            fn drop(&mut self) {
                swap_signals(self.0);
            }
        }

        // A `LocalSet` may be polled inside of a limit or a signal that is none of its tasks' business.
        let _limits = Within::only(Limits::NONE);
        swap_signals(&mut self.signals);
        let _back = Back(&mut self.signals);
        within(&mut self.current, work)
    }
}

/// Calls `work` inside of `surroundings`.
pub(super) fn within<R>(surroundings: &mut Option<Current>, work: impl FnOnce() -> R) -> R {
    /// Swaps back, whichever way `work` ends.
    struct Back<'a>(&'a mut Option<Current>);

    impl Drop for Back<'_> {
        fn drop(&mut self) {
            swap(self.0);
        }
    }

    #[cfg(feature = "tracing")]
    let span = surroundings.as_ref().map(|current| current.span.clone());
    #[cfg(feature = "tracing")]
    let _entered = span.as_ref().map(tracing::Span::enter);
    swap(surroundings);
    let _back = Back(surroundings);
    work()
}

fn swap(other: &mut Option<Current>) {
    // While a thread ends its variables are gone; what is polled then has no surroundings.
    let _gone = CURRENT.try_with(|current| std::mem::swap(&mut *current.borrow_mut(), other));
}

/// The scope whose task, or whose closed form's body, is being polled.
pub(super) fn scope() -> Option<Arc<Registry>> {
    let look = |current: &RefCell<Option<Current>>| {
        let current = current.borrow();
        current
            .as_ref()
            .map(|current| Arc::clone(&current.registry))
    };
    CURRENT.try_with(look).ok().flatten()
}

/// The task that is being polled.
pub(super) fn task() -> Option<u64> {
    let look = |current: &RefCell<Option<Current>>| current.borrow().as_ref()?.task;
    CURRENT.try_with(look).ok().flatten()
}

/// What a task that is started here is to take along. From a task that is what the task was given itself, without its own signal:
/// a chain of tasks, each started by the one before, would otherwise keep a chain of signals.
pub(super) fn context() -> Context {
    let look = |current: &RefCell<Option<Current>>| {
        let current = current.borrow();
        let task = current.as_ref().filter(|current| current.task.is_some());
        task.map(|current| current.inherited.clone())
    };
    match CURRENT.try_with(look).ok().flatten() {
        Some(inherited) => Context::new(current_deadline(), inherited),
        None => Context::current(),
    }
}
