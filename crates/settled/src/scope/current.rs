//! Which task is being polled: what is made inside of it knows where it belongs.

use std::cell::RefCell;
use std::sync::Arc;

use super::member::Member;
use super::registry::Registry;
use crate::abort::{AbortSignal, Apart};
use crate::context::Context;
use crate::timeout::{Limits, Within, current_deadline};

/// The surroundings of what is being polled.
pub(super) struct Current {
    task: Option<Running>,
    /// The scope whose closed form's body is being polled, in that task or in none.
    body: Option<Arc<Registry>>,
    /// The signal that the task was given along.
    inherited: AbortSignal,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

/// The task that is being polled.
#[derive(Clone)]
struct Running {
    registry: Arc<Registry>,
    id: u64,
    place: usize,
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
    fn new(task: Option<Running>, body: Option<Arc<Registry>>, inherited: AbortSignal) -> Self {
        Self {
            task,
            body,
            inherited,
            #[cfg(feature = "tracing")]
            span: tracing::Span::current(),
        }
    }

    /// For a body that is polled in the caller's task, as a part of a scope of its own.
    pub(super) fn body(registry: &Arc<Registry>) -> Self {
        let found = look(|current| Some((current.task.clone(), current.inherited.clone())));
        let (task, inherited) = found.unwrap_or_default();
        Self::new(task, Some(Arc::clone(registry)), inherited)
    }
}

/// What a task is polled in, in place of whatever is around the poll.
pub(super) struct Surroundings {
    current: Option<Current>,
}

impl Surroundings {
    pub(super) fn new(member: &Member, inherited: &AbortSignal) -> Self {
        let task = Running {
            registry: Arc::clone(&member.registry),
            id: member.id,
            place: member.place,
        };
        Self {
            current: Some(Current::new(Some(task), None, inherited.clone())),
        }
    }

    pub(super) fn enter<R>(&mut self, work: impl FnOnce() -> R) -> R {
        // A `LocalSet` may be polled inside of a limit or a signal that is none of its tasks' business.
        let _limits = Within::only(Limits::NONE);
        let _signals = Apart::new(Some(signals));
        within(&mut self.current, work)
    }
}

/// What the task that is being polled hears: what whoever started it heard, the scope's signal, and its own.
fn signals(heard: &mut Vec<AbortSignal>) {
    let found = look(|current| Some((current.task.clone()?, current.inherited.clone())));
    if let Some((task, inherited)) = found {
        let own = task.registry.signal_of(task.id, task.place);
        heard.extend([inherited, task.registry.soft.signal(), own]);
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

/// Looks at what is around, if anything is.
fn look<R>(look: impl FnOnce(&Current) -> Option<R>) -> Option<R> {
    let look = |current: &RefCell<Option<Current>>| look(current.borrow().as_ref()?);
    CURRENT.try_with(look).ok().flatten()
}

/// The scope whose task, or whose closed form's body, is being polled.
pub(super) fn scope() -> Option<Arc<Registry>> {
    look(|current| {
        let task = current.task.as_ref().map(|task| &task.registry);
        current.body.as_ref().or(task).cloned()
    })
}

/// The task that is being polled.
pub(super) fn task() -> Option<u64> {
    look(|current| Some(current.task.as_ref()?.id))
}

/// What a task that is started here is to take along. From a task that is what the task was given itself, without its own signal:
/// a chain of tasks, each started by the one before, would otherwise keep a chain of signals.
pub(super) fn context() -> Context {
    let inherited = look(|current| current.task.is_some().then(|| current.inherited.clone()));
    match inherited {
        Some(inherited) => Context::new(current_deadline(), inherited),
        None => Context::current(),
    }
}
