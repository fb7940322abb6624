//! What goes on without an owner: [`shield`], and [`drained`], which waits for it.

use std::future::Future;
use std::sync::Arc;

use super::handle::Handle;
use super::info::TaskInfo;
use super::registry::{Registry, root};
use super::spawner::Spawner;
use crate::abort::AbortSignal;
use crate::context::Context;

/// Starts `future` as a task that belongs to nobody: it goes on when whoever waits for it is dropped, or aborted with its scope,
/// and neither the deadline nor the signal of whoever starts it is its own.
///
/// It is counted by [`running()`], listed by [`left_over()`], and [`drained`] waits for it; [`Handle::abort`] stops it. For
/// what must not be cut in the middle, such as a commit.
///
/// # Panics
/// Outside of a tokio runtime.
///
/// ```
/// # use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// static COMMITTED: AtomicBool = AtomicBool::new(false);
/// async fn commit() -> Result<(), ()> {
///     tokio::time::sleep(Duration::from_secs(2)).await;
///     COMMITTED.store(true, Ordering::SeqCst);
///     Ok(())
/// }
///
/// let late = settled::timeout(Duration::from_secs(1), settled::shield(commit())).await;
/// assert!(late.is_err());
/// settled::drained().await;
/// assert!(COMMITTED.load(Ordering::SeqCst));
/// # });
/// ```
#[track_caller]
pub fn shield<T, E, F>(future: F) -> Handle<T, E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let spawner = Spawner {
        registry: Registry::new(&AbortSignal::never(), None),
        name: None,
    };
    let spawn = |task| drop(tokio::spawn(task));
    let handle = spawner.launch(&Context::default(), future, spawn);
    spawner.registry.detach();
    handle
}

/// How many tasks of the whole process go on without an owner: those of dropped scopes that are not gone yet, of detached
/// scopes, and of [`shield`].
///
/// Scopes that are dropped inside of a task of another scope are that scope's to wait for, and do not count.
#[must_use]
pub fn running() -> usize {
    root().running()
}

/// Which tasks those of [`running()`] are, in the order in which they were started.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let scope = settled::Scope::new();
/// scope.named("tail").spawn(std::future::pending::<Result<(), ()>>()).ignore();
/// drop(scope);
/// assert_eq!(settled::left_over()[0].name(), Some("tail"));
/// settled::drained().await;
/// assert!(settled::left_over().is_empty());
/// # });
/// ```
#[must_use]
pub fn left_over() -> Vec<TaskInfo> {
    root().tasks()
}

/// Waits until no task of the whole process goes on without an owner: the last line of a program that leaves nothing behind.
///
/// Scopes that are still there do not count: those are joined. A task leaves when its runtime polls it again or is
/// dropped; a runtime that does neither keeps this waiting, and so does a shield or a detached scope that does not end.
///
/// # Cancel safety
/// Nothing is lost by dropping the future.
///
/// # Panics
/// In a task that it would wait for: one of a detached scope, or of a shield, or of a scope below one of those.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let scope = settled::Scope::new();
/// let never = scope.spawn(std::future::pending::<Result<(), ()>>());
/// drop(scope);
/// settled::drained().await;
/// assert_eq!(settled::running(), 0);
/// assert!(never.await.is_cancelled());
/// # });
/// ```
pub async fn drained() {
    let root: Arc<Registry> = root();
    root.join(false).await;
}
