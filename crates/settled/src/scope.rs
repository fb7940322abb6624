//! Tasks that belong to somebody: [`Scope`], and what becomes of them when it is dropped: [`drained`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::sync::{Notify, oneshot};

use crate::abort::{AbortController, AbortSignal, Run};
use crate::outcome::{Outcome, Panic, Settle, settle};
use crate::reason::{Reason, ReasonKind};

/// Owns tasks: none of them outlives [`join`](Self::join), and none is lost when the scope is dropped.
///
/// - Each task gives a [`Handle`], which settles exactly once, whatever happens to the task or to its runtime.
///   Dropping a handle does nothing to its task, which belongs to the scope; [`Handle::abort`] stops a single one.
/// - [`abort`](Self::abort) stops all: each is dropped at the `.await` where it stands, and settles as cancelled.
/// - A task that panics settles as panicked; its siblings are aborted, and the join goes on with the panic once they are gone.
/// - Dropping the scope without joining it aborts. What can't be gone at once is counted by [`running`](crate::running()) and can be
///   waited for with [`drained`].
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
    shared: Arc<Shared>,
}

/// Starts tasks in a [`Scope`], or stops all of them, also from inside of its tasks. It does not keep the scope open.
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
    shared: Arc<Shared>,
}

struct Shared {
    controller: AbortController,
    state: Mutex<State>,
    idle: Notify,
}

struct State {
    /// No more tasks are taken: the scope was joined or dropped.
    closed: bool,
    /// The scope was dropped: its tasks are counted in [`ROOT`].
    adopted: bool,
    running: usize,
    /// The first panic of a task.
    panic: Option<Panic>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more task in, unless the scope has ended or is ending.
    fn enter(self: &Arc<Self>) -> Result<Member, Reason> {
        if let Some(reason) = self.controller.signal().reason() {
            return Err(reason);
        }
        let mut state = self.state();
        if state.closed {
            return Err(Reason::literal(ReasonKind::Closed, "the scope has ended"));
        }
        state.running += 1;
        Ok(Member {
            shared: Arc::clone(self),
        })
    }

    fn panicked(&self, panic: &Panic) {
        self.state().panic.get_or_insert_with(|| panic.clone());
        let message = format!("another task of the scope panicked: {}", panic.message());
        self.controller
            .abort(Reason::new(ReasonKind::Failed).message(message));
    }
}

/// That a task is counted. It is let go as the last thing of a task, whichever way the task ends.
struct Member {
    shared: Arc<Shared>,
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.running -= 1;
        let (idle, adopted) = (state.running == 0, state.adopted);
        drop(state);
        if idle {
            self.shared.idle.notify_waiters();
        }
        if adopted {
            ROOT.left();
        }
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self::new()
    }
}

impl Scope {
    /// A scope of its own.
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
        let state = State {
            closed: false,
            adopted: false,
            running: 0,
            panic: None,
        };
        let shared = Shared {
            controller: signal.child(),
            state: Mutex::new(state),
            idle: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
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
        start(&self.shared, future, |child| drop(tokio::spawn(child)))
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
        start(&self.shared, future, |child| {
            drop(tokio::task::spawn_local(child))
        })
    }

    /// What starts tasks in this scope from elsewhere.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        Spawner {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Fires when the scope is aborted, or dropped without being joined, or one of its tasks panicked.
    #[must_use]
    pub fn signal(&self) -> AbortSignal {
        self.shared.controller.signal()
    }

    /// Stops all tasks and takes no more. `false` if it was aborted before: the first reason stays.
    pub fn abort(&self, reason: impl Into<Reason>) -> bool {
        self.shared.controller.abort(reason)
    }

    /// How many of its tasks are not over yet: a snapshot.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.state().running
    }

    /// Waits until no task of the scope is left, also none that was started meanwhile. By then every handle has settled. From then
    /// on whatever is started settles as cancelled.
    ///
    /// # Panics
    /// With the first panic of a task, once all are gone.
    ///
    /// # Cancel safety
    /// Dropping the future drops the scope, which aborts its tasks.
    pub async fn join(self) {
        loop {
            // Made before the look at the count, so that it hears of all that happens after.
            let idle = self.shared.idle.notified();
            {
                let mut state = self.shared.state();
                if state.running == 0 {
                    state.closed = true;
                    break;
                }
            }
            idle.await;
        }
        let panic = self.shared.state().panic.take();
        if let Some(panic) = panic {
            panic.resume();
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let joined = std::mem::replace(&mut state.closed, true);
        if joined {
            return;
        }
        if state.running > 0 {
            // Under the scope's lock, so that no task leaves the registry before it was in.
            ROOT.adopt(state.running);
            state.adopted = true;
        }
        drop(state);
        self.abort(Reason::literal(
            ReasonKind::Dropped,
            "the scope was dropped",
        ));
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

impl Spawner {
    /// As [`Scope::spawn`]. In a scope that has ended, the future is dropped without being polled, and the handle settles as
    /// cancelled.
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
        start(&self.shared, future, |child| drop(tokio::spawn(child)))
    }

    /// As [`Scope::spawn_local`], and as [`spawn`](Self::spawn) in a scope that has ended.
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
        start(&self.shared, future, |child| {
            drop(tokio::task::spawn_local(child))
        })
    }

    /// Stops the whole scope: [`Scope::abort`], from inside of it or while it is being joined.
    pub fn abort(&self, reason: impl Into<Reason>) -> bool {
        self.shared.controller.abort(reason)
    }

    /// The scope's [`signal`](Scope::signal).
    #[must_use]
    pub fn signal(&self) -> AbortSignal {
        self.shared.controller.signal()
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner")
            .field("running", &self.shared.state().running)
            .finish()
    }
}

#[track_caller]
fn start<T, E, F: Future<Output = Result<T, E>>>(
    shared: &Arc<Shared>,
    future: F,
    spawn: impl FnOnce(Child<T, E, F>),
) -> Handle<T, E> {
    let (sender, outcome) = oneshot::channel();
    let controller = shared.controller.signal().child();
    match shared.enter() {
        Ok(member) => {
            let body = settle(controller.signal().run(future));
            spawn(Child {
                body,
                sender: Some(sender),
                member: Some(member),
            });
        }
        // Nobody has the receiver yet, so it can't be gone.
        Err(reason) => drop(sender.send(Outcome::Cancelled(reason))),
    }
    Handle {
        outcome,
        controller,
    }
}

pin_project! {
    // The task of a child. A task that its runtime drops goes field by field, in this order: the body is gone first, then
    // the handle settles for want of a sender, then the scope hears that the child is gone.
    struct Child<T, E, F> {
        #[pin]
        body: Settle<Run<F>>,
        sender: Option<oneshot::Sender<Outcome<T, E>>>,
        member: Option<Member>,
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> Future for Child<T, E, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let outcome = match ready!(this.body.poll(cx)) {
            Outcome::Fulfilled(result) => result.into(),
            Outcome::Rejected(reason) => Outcome::Cancelled(reason),
            Outcome::Panicked(panic) => Outcome::Panicked(panic),
            Outcome::TimedOut => Outcome::TimedOut,
            Outcome::Cancelled(reason) => Outcome::Cancelled(reason),
            Outcome::Abandoned => Outcome::Abandoned,
        };
        if let (Outcome::Panicked(panic), Some(member)) = (&outcome, &*this.member) {
            member.shared.panicked(panic);
        }
        if let Some(sender) = this.sender.take() {
            // Nobody may be there to take it: whoever dropped the handle did not want to know.
            drop(sender.send(outcome));
        }
        this.member.take();
        Poll::Ready(())
    }
}

/// A task of a [`Scope`]; as a future, its [`Outcome`].
///
/// Dropping it does nothing to the task.
///
/// # Cancel safety
/// It may be polled now and then: awaiting `&mut handle` in a `timeout` loses nothing.
///
/// # Panics
/// If it is polled again after it gave the outcome.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let scope = settled::Scope::new();
/// let handle = scope.spawn(std::future::pending::<Result<(), ()>>());
/// handle.abort("only this one");
/// assert!(handle.await.is_cancelled());
/// scope.join().await;
/// # });
/// ```
#[must_use = "a handle has the outcome of a task; drop it with `drop` if nobody wants to know"]
pub struct Handle<T, E> {
    outcome: oneshot::Receiver<Outcome<T, E>>,
    controller: AbortController,
}

impl<T, E> Handle<T, E> {
    /// Stops this task alone. `false` if it, or its scope, was aborted before. A task that is over stays as it ended.
    pub fn abort(&self, reason: impl Into<Reason>) -> bool {
        self.controller.abort(reason)
    }
}

impl<T, E> Future for Handle<T, E> {
    type Output = Outcome<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.outcome).poll(cx));
        Poll::Ready(outcome.unwrap_or_else(|_| {
            // The task was dropped half-way, which is what a runtime does that shuts down.
            let shut_down =
                || Reason::literal(ReasonKind::Dropped, "the task's runtime was shut down");
            Outcome::Cancelled(self.controller.signal().reason().unwrap_or_else(shut_down))
        }))
    }
}

impl<T, E> fmt::Debug for Handle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// The registry of tasks whose scope was dropped before they could end.
static ROOT: Root = Root {
    running: Mutex::new(0),
    left: Notify::const_new(),
};

struct Root {
    running: Mutex<usize>,
    left: Notify,
}

impl Root {
    fn running(&self) -> MutexGuard<'_, usize> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn adopt(&self, tasks: usize) {
        *self.running() += tasks;
    }

    fn left(&self) {
        let mut running = self.running();
        *running -= 1;
        if *running == 0 {
            drop(running);
            self.left.notify_waiters();
        }
    }
}

/// How many tasks of dropped scopes, of the whole process, are not gone yet: what runs behind your back.
#[must_use]
pub fn running() -> usize {
    *ROOT.running()
}

/// Waits until no task of a dropped scope is left in the whole process: the last line of a program that leaves nothing behind.
///
/// Scopes that are still there do not count: those are joined. A task leaves when its runtime polls it again or is
/// dropped; a runtime that does neither keeps this waiting.
///
/// # Cancel safety
/// Nothing is lost by dropping the future.
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
    loop {
        // Made before the look at the count, so that it hears of all that happens after.
        let left = ROOT.left.notified();
        if running() == 0 {
            return;
        }
        left.await;
    }
}
