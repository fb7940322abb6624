//! Telling work to stop: [`AbortController`] and [`AbortSignal`].

mod aborted;
mod current;
// tokio has no signals where its models run.
#[cfg(all(feature = "signal", not(loom)))]
mod interrupt;
mod node;
mod run;
mod stream;
mod token;
mod told;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use aborted::Aborted;
pub(crate) use aborted::Ears;
pub(crate) use current::{Apart, Inside};
pub use run::Run;
pub use stream::RunStream;
pub(crate) use told::Told;

use crate::reason::Reason;
use node::{Fired, Node};

/// Tells everything that listens to its [`signal`](Self::signal) to stop.
///
/// Clones are the same controller. Dropping a controller does *not* abort: its signal then simply never fires, as on the web.
///
/// ```
/// use settled::AbortController;
///
/// let controller = AbortController::new();
/// let signal = controller.signal();
/// assert!(controller.abort("enough"));
/// assert!(!controller.abort("too late"), "the first reason stays");
/// assert_eq!(signal.reason().unwrap().text(), Some("enough"));
/// ```
#[derive(Clone, Debug)]
pub struct AbortController {
    node: Arc<Node>,
}

/// Hears whether its controller, or one above that, was aborted, and why.
///
/// Clones are the same signal; it may be listened to from any number of tasks, threads and runtimes at once.
///
/// ```
/// use settled::AbortController;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let controller = AbortController::new();
/// let signal = controller.signal();
/// let work = signal.run(async { 7 });
/// assert_eq!(work.await, Ok(7));
///
/// controller.abort("enough");
/// let work = signal.run(async { 7 });
/// assert_eq!(work.await.unwrap_err().text(), Some("enough"));
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct AbortSignal {
    /// `None`: never.
    node: Option<Arc<Node>>,
}

impl Default for AbortController {
    fn default() -> Self {
        Self::new()
    }
}

impl AbortController {
    /// A controller of its own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            node: Arc::new(Node::root()),
        }
    }

    /// What this controller aborts.
    #[must_use]
    pub fn signal(&self) -> AbortSignal {
        AbortSignal {
            node: Some(Arc::clone(&self.node)),
        }
    }

    /// Aborts, and wakes all that listen. `false` if it was aborted before, from here or from above: the first reason stays.
    ///
    /// May be called from any thread, in or out of a runtime.
    pub fn abort(&self, reason: impl Into<Reason>) -> bool {
        self.node.abort(reason.into())
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.node.fired().is_some()
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        self.node.fired().map(|fired| fired.reason.clone())
    }

    /// When it will be aborted by a timer, if nothing is before that.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.node.earliest()
    }
}

impl AbortSignal {
    /// A signal that never fires.
    ///
    /// ```
    /// assert!(!settled::AbortSignal::never().is_aborted());
    /// ```
    #[must_use]
    pub const fn never() -> Self {
        Self { node: None }
    }

    /// The signal of what is being polled: that of the [`run`](Self::run) around it, or of the task of a [`Scope`](crate::Scope). Where
    /// several are around it, a signal that fires with the first of them; where none is, [`never`](Self::never).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use settled::{AbortController, AbortSignal};
    ///
    /// async fn deep_down() -> AbortSignal {
    ///     AbortSignal::current()
    /// }
    /// let controller = AbortController::new();
    /// let seen = controller.signal().run(deep_down()).await.unwrap();
    /// controller.abort("enough");
    /// assert!(seen.is_aborted());
    /// assert!(!deep_down().await.is_aborted(), "not inside of it any more");
    /// # });
    /// ```
    #[must_use]
    pub fn current() -> Self {
        current::current()
    }

    /// A signal that fires as soon as one of `signals` does, with that one's reason. Of several that have fired, the first
    /// one counts; of none at all, it never fires.
    ///
    /// It listens to each of them by itself, also to those that they are made of. So make one of all: a chain in which each is made
    /// of the one before and one more takes memory with the square of its length.
    ///
    /// ```
    /// use settled::{AbortController, AbortSignal};
    ///
    /// let (a, b) = (AbortController::new(), AbortController::new());
    /// let either = AbortSignal::any([a.signal(), b.signal()]);
    /// b.abort("b");
    /// a.abort("a");
    /// assert_eq!(either.reason().unwrap().text(), Some("b"));
    /// ```
    #[must_use]
    pub fn any(signals: impl IntoIterator<Item = Self>) -> Self {
        let above: Box<[_]> = signals
            .into_iter()
            .filter_map(|signal| signal.node)
            .collect();
        match above.is_empty() {
            true => Self::never(),
            false => Self::of(Node::below(above)),
        }
    }

    /// A signal that fires by itself after `after`, with a reason of kind [`ReasonKind::Timeout`](crate::ReasonKind::Timeout). An `after` past what the
    /// clock can say never fires.
    ///
    /// It costs no timer and no task until somebody awaits it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let signal = settled::AbortSignal::timeout(Duration::from_secs(1));
    /// let reason = signal.run(std::future::pending::<()>()).await.unwrap_err();
    /// assert_eq!(reason.kind(), settled::ReasonKind::Timeout);
    /// # });
    /// ```
    #[must_use]
    pub fn timeout(after: Duration) -> Self {
        match Instant::now().checked_add(after) {
            Some(at) => Self::of(Node::at(at)),
            None => Self::never(),
        }
    }

    /// A controller below this signal: it is aborted with it, with the same reason, and never the other way round.
    ///
    /// There is no limit to the number of levels. To look at a signal costs the same on each of them, except for the first look after
    /// an abort anywhere in the process: that one looks at all above, at some nanoseconds each.
    ///
    /// ```
    /// # use settled::AbortController;
    /// let parent = AbortController::new();
    /// let (one, other) = (parent.signal().child(), parent.signal().child());
    /// one.abort("only this one");
    /// parent.abort("all");
    /// assert_eq!(one.signal().reason().unwrap().text(), Some("only this one"));
    /// assert_eq!(other.signal().reason().unwrap().text(), Some("all"));
    /// ```
    #[must_use]
    pub fn child(&self) -> AbortController {
        let above = self.node.iter().cloned().collect();
        AbortController {
            node: Arc::new(Node::below(above)),
        }
    }

    /// It is the same signal as `other`: a clone, or both are [`never`](Self::never). Two signals that are made of the same others are
    /// not the same.
    ///
    /// ```
    /// # use settled::AbortController;
    /// let controller = AbortController::new();
    /// assert!(controller.signal().same(&controller.signal()));
    /// assert!(!controller.signal().same(&controller.signal().child().signal()));
    /// ```
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (&self.node, &other.node) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// It is no signal at all: made by [`never`](Self::never).
    pub(crate) const fn is_never(&self) -> bool {
        self.node.is_none()
    }

    /// It has fired.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.fired().is_some()
    }

    /// Why it fired; `None` if it has not.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.fired().map(|fired| fired.reason.clone())
    }

    fn of(node: Node) -> Self {
        Self {
            node: Some(Arc::new(node)),
        }
    }

    fn fired(&self) -> Option<&Fired> {
        self.node.as_ref()?.fired()
    }

    /// Waits until it fires.
    ///
    /// # Cancel safety
    /// Nothing is lost or left behind by dropping the future.
    ///
    /// # Panics
    /// When polled outside of a tokio runtime with timers, and there is a [`timeout`](Self::timeout) in it.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let controller = settled::AbortController::new();
    /// let aborted = controller.signal().aborted();
    /// std::thread::spawn(move || controller.abort("from another thread"));
    /// assert_eq!(aborted.await.text(), Some("from another thread"));
    /// # });
    /// ```
    pub fn aborted(&self) -> Aborted {
        Aborted::new(self.clone())
    }

    /// Runs `future` until it is ready or the signal fires, and drops it before it returns the reason.
    ///
    /// If the signal has fired before the first poll, `future` is never polled. After that a value that is ready when the
    /// signal fires wins.
    ///
    /// # Errors
    /// The signal's reason.
    ///
    /// # Cancel safety
    /// Dropping it drops `future`: as cancel safe as that is.
    ///
    /// # Panics
    /// If it is polled again after it was ready, and where [`aborted`](Self::aborted) does.
    pub fn run<F: Future>(&self, future: F) -> Run<F> {
        Run::new(self, future)
    }
}
