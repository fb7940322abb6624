//! What is known of a task from outside: [`TaskInfo`].

use std::fmt;
use std::num::NonZeroU64;
use std::panic::Location;
use std::time::Duration;

use tokio::time::Instant;

use super::{current, registry};
use crate::unhandled::Origin;

/// A task that was not over when somebody looked: [`Scope::tasks`](crate::Scope::tasks), [`left_over`](crate::left_over()).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let scope = settled::Scope::new();
/// let handle = scope.named("worker 7").spawn(std::future::pending::<Result<(), ()>>());
/// let tasks = scope.tasks();
/// assert_eq!(tasks[0].name(), Some("worker 7"));
/// assert!(tasks[0].to_string().starts_with("\"worker 7\" (started at "), "{}", tasks[0]);
/// # drop((scope, handle));
/// # });
/// ```
#[derive(Clone)]
pub struct TaskInfo {
    id: u64,
    /// No task has the number zero.
    parent: Option<NonZeroU64>,
    origin: Origin,
    started: Instant,
}

impl TaskInfo {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            id: registry::next_id(),
            parent: current::task().and_then(NonZeroU64::new),
            origin,
            started: Instant::now(),
        }
    }

    /// A number that no other task of the process has; a task that was started later has a higher one.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The [`id`](Self::id) of the task that started it, if a task of a scope did: with it the tasks make a tree.
    #[must_use]
    pub fn parent(&self) -> Option<u64> {
        self.parent.map(NonZeroU64::get)
    }

    /// The name that it was given with [`Scope::named`](crate::Scope::named).
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.origin.name.as_deref()
    }

    /// Where it was started.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.origin.location
    }

    /// When it was started, by tokio's clock.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// How long ago that was, by tokio's clock.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {:?} ago", self.origin, self.age())
    }
}

impl fmt::Debug for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskInfo")
            .field("id", &self.id)
            .field("parent", &self.parent())
            .field("name", &self.name())
            .field("location", &format_args!("{}", self.location()))
            .field("age", &self.age())
            .finish()
    }
}
