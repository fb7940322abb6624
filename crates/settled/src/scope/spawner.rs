//! What starts tasks in a scope, from outside and from inside: [`Spawner`].

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::current;
use super::handle::Handle;
use super::registry::Registry;
use super::task::{self, Task};
use crate::abort::AbortSignal;
use crate::context::Context;
use crate::outcome::Failed;
use crate::reason::{Reason, ReasonKind};

/// Starts tasks in a [`Scope`](crate::Scope), or stops all of them, also from inside of its tasks. It does not keep the scope open.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let scope = settled::Scope::new();
/// let spawner = scope.spawner();
/// let child = scope.spawn(async move {
///     let grandchild = spawner.spawn(async { Ok::<_, ()>(7) });
///     Ok::<_, ()>(grandchild)
/// });
/// let grandchild = child.await.fulfilled().unwrap();
/// scope.join().await;
/// assert_eq!(grandchild.await.fulfilled(), Some(7));
/// # });
/// ```
#[derive(Clone)]
pub struct Spawner {
    pub(super) registry: Arc<Registry>,
    pub(super) name: Option<Arc<str>>,
}

impl Spawner {
    /// As [`Scope::spawn`](crate::Scope::spawn). In a scope that has ended, the future is dropped without being polled, and the
    /// handle settles as cancelled.
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
        let spawn = |task| drop(tokio::spawn(task));
        self.launch(&current::context(), future, spawn)
    }

    /// As [`Scope::spawn_local`](crate::Scope::spawn_local), and as [`spawn`](Self::spawn) in a scope that has ended.
    ///
    /// # Panics
    /// Outside of a `LocalSet`.
    #[track_caller]
    pub fn spawn_local<T, E, F>(&self, future: F) -> Handle<T, E>
    where
        F: Future<Output = Result<T, E>> + 'static,
        T: 'static,
        E: 'static,
    {
        let spawn = |task| drop(tokio::task::spawn_local(task));
        self.launch(&current::context(), future, spawn)
    }

    #[track_caller]
    pub(super) fn launch<T, E: 'static, F: Future<Output = Result<T, E>>>(
        &self,
        inherited: &Context,
        future: F,
        spawn: impl FnOnce(Task<T, E, F>),
    ) -> Handle<T, E> {
        task::start(&self.registry, self.name.clone(), inherited, future, spawn)
    }

    /// The task itself, for the models, which poll it without a runtime.
    #[cfg(loom)]
    #[doc(hidden)]
    #[track_caller]
    pub fn unspawned<T, E, F>(
        &self,
        future: F,
    ) -> (
        Handle<T, E>,
        Option<impl Future<Output = ()> + use<T, E, F>>,
    )
    where
        F: Future<Output = Result<T, E>>,
        E: 'static,
    {
        let mut started = None;
        let handle = self.launch(&Context::default(), future, |task| started = Some(task));
        (handle, started)
    }

    /// As [`Scope::start`](crate::Scope::start).
    ///
    /// # Errors
    /// How the task ended, if it never said that it was ready.
    ///
    /// # Cancel safety
    /// Dropping the future before it has given the handle aborts the task.
    ///
    /// # Panics
    /// When polled outside of a tokio runtime.
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
        let (sender, ready) = oneshot::channel();
        let mut starting = Starting(Some(self.spawn(make(Ready { sender }))));
        async move {
            let said = ready.await;
            let handle = starting.0.take().expect("taken here alone");
            match said {
                Ok(value) => Ok((value, handle)),
                Err(_) => Err(never_ready(handle).await),
            }
        }
    }

    /// The same spawner, which gives its tasks this name.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let scope = settled::Scope::new();
    /// let workers = scope.spawner().named("worker");
    /// workers.spawn(std::future::pending::<Result<(), ()>>()).ignore();
    /// assert_eq!(scope.tasks()[0].name(), Some("worker"));
    /// # });
    /// ```
    #[must_use]
    pub fn named(&self, name: impl Into<Arc<str>>) -> Self {
        Self {
            registry: Arc::clone(&self.registry),
            name: Some(name.into()),
        }
    }

    /// Stops the whole scope: [`Scope::abort`](crate::Scope::abort), from inside of it or while it is being joined.
    pub fn abort(&self, reason: impl Into<Reason>) -> bool {
        self.registry.abort(reason.into())
    }

    /// The scope's [`signal`](crate::Scope::signal).
    #[must_use]
    pub fn signal(&self) -> AbortSignal {
        self.registry.soft.signal()
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner")
            .field("name", &self.name)
            .field("running", &self.registry.running())
            .finish()
    }
}

/// With this a task says that it is ready: [`Scope::start`](crate::Scope::start).
#[must_use = "whoever started the task waits for it to be ready"]
pub struct Ready<R> {
    sender: oneshot::Sender<R>,
}

impl<R> Ready<R> {
    /// Says so, with what whoever waits wants to know, such as the port that a server listens on. Gives that back if nobody
    /// waits any more; the task is being aborted then.
    ///
    /// # Errors
    /// `value`, if whoever started the task has given up.
    pub fn with(self, value: R) -> Result<(), R> {
        self.sender.send(value)
    }
}

impl<R> fmt::Debug for Ready<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("given_up", &self.sender.is_closed())
            .finish()
    }
}

/// A task that nobody but the one who waits for it to be ready knows of.
struct Starting<T, E>(Option<Handle<T, E>>);

impl<T, E> Drop for Starting<T, E> {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.abort(Reason::literal(
                ReasonKind::Dropped,
                "nobody waited any more for the task to be ready",
            ));
        }
    }
}

/// How the task ended.
async fn never_ready<T, E>(handle: Handle<T, E>) -> Failed<E> {
    let mut starting = Starting(Some(handle));
    let outcome = match &mut starting.0 {
        Some(handle) => handle.await,
        None => unreachable!("put there above"),
    };
    drop(starting.0.take());
    outcome.into_result().err().unwrap_or_else(|| {
        Failed::Cancelled(Reason::literal(
            ReasonKind::Failed,
            "the task ended without ever having been ready",
        ))
    })
}
