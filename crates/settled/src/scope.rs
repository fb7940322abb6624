//! Tasks that belong to somebody: [`Scope`], and what becomes of them when it is dropped: [`drained`].

mod closed;
mod current;
mod handle;
mod info;
mod left;
mod member;
mod registry;
mod slab;
mod spawner;
mod task;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::abort::AbortSignal;
use crate::outcome::Failed;
use crate::reason::{Reason, ReasonKind};
use crate::timeout::timeout;

pub use closed::scope;
pub use handle::Handle;
pub use info::TaskInfo;
pub use left::{drained, left_over, running, shield};
pub use spawner::{Ready, Spawner};

use registry::Registry;

/// Owns tasks: none of them outlives [`join`](Self::join), and none is lost when the scope is dropped.
///
/// - Each task gives a [`Handle`], which settles exactly once, whatever happens to the task or to its runtime.
///   Dropping a handle does nothing to its task, which belongs to the scope; [`Handle::abort`] stops a single one.
/// - [`abort`](Self::abort) stops all: each is dropped at the `.await` where it stands, and settles as cancelled.
///   [`shutdown`](Self::shutdown) asks first, and gives them some time.
/// - A task that panics settles as panicked; its siblings are aborted, and the join goes on with the panic once they are gone.
///   An error stops nobody: it is the handle's, and if that was dropped, [`on_unhandled`](crate::on_unhandled) hears of it.
/// - Dropping the scope without joining it aborts. What can't be gone at once is waited for by the scope around it: the
///   one in whose task (or [`scope()`]) it was made, or, if that has ended, the next one around, or, if there is none, the
///   whole process, where [`running()`](crate::running()) counts it and [`drained`] waits for it.
///
/// Tasks end at an `.await` only: one that computes without end is neither aborted nor joined.
///
/// ```
/// use settled::{Outcome, Scope};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let scope = Scope::new();
/// let seven = scope.spawn(async { Ok::<_, ()>(7) });
/// let never = scope.spawn(std::future::pending::<Result<(), ()>>());
/// assert_eq!(seven.await.fulfilled(), Some(7));
///
/// scope.abort("enough");
/// scope.join().await;
/// assert!(matches!(never.await, Outcome::Cancelled(reason) if reason.text() == Some("enough")));
/// # });
/// ```
#[must_use = "a scope that is dropped aborts its tasks; `join` waits for them"]
pub struct Scope {
    spawner: Spawner,
}

impl Default for Scope {
    fn default() -> Self {
        Self::new()
    }
}

impl Scope {
    /// A scope of its own. Made in a task of another scope, it is below that: it is told when that one is
    /// [shut down](Self::shutdown), and is that one's to wait for when it is dropped.
    pub fn new() -> Self {
        Self::below(&AbortSignal::never())
    }

    /// A scope that is aborted along with `signal`, with the same reason.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let controller = settled::AbortController::new();
    /// let scope = settled::Scope::below(&controller.signal());
    /// let never = scope.spawn(std::future::pending::<Result<(), ()>>());
    /// controller.abort("all of it");
    /// scope.join().await;
    /// assert!(never.await.is_cancelled());
    /// # });
    /// ```
    pub fn below(signal: &AbortSignal) -> Self {
        let spawner = Spawner {
            registry: Registry::new(signal, current::scope()),
            name: None,
        };
        Self { spawner }
    }

    fn registry(&self) -> &Arc<Registry> {
        &self.spawner.registry
    }

    /// Starts `future` as a task of this scope, on the current tokio runtime.
    ///
    /// In a scope that was aborted the future is dropped without being polled, and the handle settles as cancelled, with the
    /// scope's reason.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[track_caller]
    pub fn spawn<T, E, F>(&self, future: F) -> Handle<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.spawner.spawn(future)
    }

    /// As [`spawn`](Self::spawn), for a future that stays on this thread, in the current `LocalSet`.
    ///
    /// # Panics
    /// Outside of a `LocalSet`.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use std::rc::Rc;
    ///
    /// let local = tokio::task::LocalSet::new();
    /// local.run_until(async {
    ///     let scope = settled::Scope::new();
    ///     let seven = Rc::new(7);
    ///     let handle = scope.spawn_local(async move { Ok::<_, ()>(*seven) });
    ///     scope.join().await;
    ///     assert_eq!(handle.await.fulfilled(), Some(7));
    /// }).await;
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_local<T, E, F>(&self, future: F) -> Handle<T, E>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: 'static,
    {
        self.spawner.spawn_local(future)
    }

    /// Starts a task, and waits until it says that it is ready: what it says, and the task's handle.
    ///
    /// The task is started here and now. If it drops its [`Ready`] without a word, this waits for its end.
    ///
    /// # Errors
    /// How the task ended, if it never said that it was ready. A task that came to a good end without a word counts as
    /// cancelled, with a reason of kind [`ReasonKind::Failed`].
    ///
    /// # Cancel safety
    /// Dropping the future before it has given the handle aborts the task.
    ///
    /// # Panics
    /// When called outside of a tokio runtime.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use settled::{Ready, Scope};
    ///
    /// async fn serve(ready: Ready<u16>) -> Result<(), std::io::Error> {
    ///     let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    ///     let _ = ready.with(socket.local_addr()?.port());
    ///     std::future::pending().await
    /// }
    ///
    /// let scope = Scope::new();
    /// let (port, server) = scope.start(serve).await.unwrap();
    /// assert!(port > 0);
    /// server.abort("enough");
    /// scope.join().await;
    /// # });
    /// ```
    #[track_caller]
    pub fn start<R, T, E, F, Fut>(
        &self,
        make: F,
    ) -> impl Future<Output = Result<(R, Handle<T, E>), Failed<E>>> + use<R, T, E, F, Fut>
    where
        F: FnOnce(Ready<R>) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        R: Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.spawner.start(make)
    }

    /// What starts tasks in this scope from elsewhere.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// What starts tasks of this name: `scope.named("worker 3").spawn(..)`. The name is for [`tasks`](Self::tasks) and for
    /// [`on_unhandled`](crate::on_unhandled).
    #[must_use]
    pub fn named(&self, name: impl Into<Arc<str>>) -> Spawner {
        self.spawner.named(name)
    }

    /// Fires when the scope is shut down, aborted, or dropped without being joined, when one of its tasks panicked, and when
    /// a scope around it is shut down.
    #[must_use]
    pub fn signal(&self) -> AbortSignal {
        self.spawner.signal()
    }

    /// Stops all tasks and takes no more. `false` if it was aborted before: the first reason stays.
    pub fn abort(&self, reason: impl Into<Reason>) -> bool {
        self.spawner.abort(reason)
    }

    /// How many of its tasks are not over yet, and of those that scopes below it have left to it: a snapshot.
    #[must_use]
    pub fn running(&self) -> usize {
        self.registry().running()
    }

    /// Which those are, in the order in which they were started: a snapshot.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.registry().tasks()
    }

    /// Waits until no task of the scope is left, also none that was started meanwhile, and none of a scope that was made in
    /// its tasks and dropped. By then every handle has settled. From then on whatever is started settles as cancelled.
    ///
    /// # Panics
    /// With the first panic of a task, once all are gone. In a task of this very scope, or of a scope that was made inside of
    /// it: that would wait for itself.
    ///
    /// # Cancel safety
    /// Dropping the future drops the scope, which aborts its tasks.
    pub async fn join(self) {
        self.registry().join(true).await;
        let panic = self.registry().take_panic();
        if let Some(panic) = panic {
            panic.resume();
        }
    }

    /// Tells the tasks to end, waits up to `grace` for them to do so, then drops those that have not, and waits until they are gone.
    ///
    /// The [`signal`](Self::signal) fires at once, with `reason`, and nothing else happens as long as the grace lasts: a task
    /// that listens may finish what it has begun, and start tasks for that. The scopes that were made in its tasks hear it
    /// too. Gives what had not ended when the grace was over; empty if all did. A `grace` of zero is an
    /// [`abort`](Self::abort); one past what the clock can say has no end.
    ///
    /// # Panics
    /// As [`join`](Self::join).
    ///
    /// # Cancel safety
    /// Dropping the future drops the scope, which aborts its tasks.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let scope = settled::Scope::new();
    /// let stop = scope.signal();
    /// let polite = scope.spawn(async move {
    ///     stop.aborted().await;
    ///     Ok::<_, ()>("said good-bye")
    /// });
    /// let deaf = scope.named("deaf").spawn(std::future::pending::<Result<(), ()>>());
    ///
    /// let dropped = scope.shutdown("closing time", Duration::from_secs(5)).await;
    /// assert_eq!(dropped[0].name(), Some("deaf"));
    /// assert_eq!(polite.await.fulfilled(), Some("said good-bye"));
    /// assert!(deaf.await.is_cancelled());
    /// # });
    /// ```
    pub async fn shutdown(self, reason: impl Into<Reason>, grace: Duration) -> Vec<TaskInfo> {
        let reason = reason.into();
        let registry = Arc::clone(self.registry());
        registry.tell(&reason);
        let mut join = pin!(self.join());
        if timeout(grace, join.as_mut()).await.is_ok() {
            return Vec::new();
        }
        let late = registry.tasks();
        registry.abort(reason);
        join.await;
        late
    }

    /// Lets the tasks go on without an owner. They are counted by [`running()`](crate::running()), and [`drained`] waits for
    /// them; they end by themselves, by their handles, by a [`Spawner`], or by the signal that the scope is
    /// [`below`](Self::below). A panic stops its siblings, and is told to [`on_unhandled`](crate::on_unhandled) if nobody
    /// looks at its handle.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let scope = settled::Scope::new();
    /// let handle = scope.spawn(async { Ok::<_, ()>(7) });
    /// scope.detach();
    /// settled::drained().await;
    /// assert_eq!(handle.await.fulfilled(), Some(7));
    /// # });
    /// ```
    pub fn detach(self) {
        self.registry().detach();
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if self.registry().orphan() {
            self.abort(Reason::literal(
                ReasonKind::Dropped,
                "the scope was dropped",
            ));
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.signal().reason();
        f.debug_struct("Scope")
            .field("running", &self.running())
            .field("aborted", &reason)
            .finish()
    }
}
