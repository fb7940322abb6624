//! Telling work to stop: [`AbortController`] and [`AbortSignal`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::reason::{Reason, ReasonKind};

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
#[derive(Clone, Debug)]
pub struct AbortSignal {
    /// `None`: never.
    node: Option<Arc<Node>>,
}

/// One controller, or one signal that is made of others.
///
/// 1. `fired` is the truth, and is written once. A node is aborted when its own `fired` is set, or that of one above it, or
///    when the time of its timer or of one above has come. So an abort is there for the whole tree at one instant.
/// 2. The tokens do nothing but wake: a token is cancelled after `fired` was written, never before.
/// 3. Whoever finds a node aborted from above writes what it found into the node's own `fired`. That keeps a node's reason
///    the same for ever, and a later `abort` of the node loses.
struct Node {
    fired: OnceLock<Fired>,
    token: CancellationToken,
    /// Nodes whose abort is this node's too.
    above: Box<[Arc<Node>]>,
    /// Tokens to listen to beside the own one: a token can have one parent only, a node several.
    others: Box<[CancellationToken]>,
    /// When this node aborts itself.
    timer: Option<Instant>,
    /// The earliest timer here or above.
    earliest: Option<Instant>,
}

/// An abort, and when it was, so that of several above a node the first one counts.
#[derive(Clone)]
struct Fired {
    reason: Reason,
    at: Instant,
    /// Tells apart what was at the same instant, as much of a test on a paused clock is.
    order: u64,
}

impl Fired {
    fn now(reason: Reason) -> Self {
        static ORDER: AtomicU64 = AtomicU64::new(1);
        Self {
            reason,
            at: Instant::now(),
            order: ORDER.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn by_timer(at: Instant) -> Self {
        Self {
            reason: Reason::new(ReasonKind::Timeout),
            at,
            order: 0,
        }
    }
}

impl Node {
    fn root() -> Self {
        Self {
            fired: OnceLock::new(),
            token: CancellationToken::new(),
            above: Box::default(),
            others: Box::default(),
            timer: None,
            earliest: None,
        }
    }

    fn below(above: Box<[Arc<Self>]>) -> Self {
        let Some((first, more)) = above.split_first() else {
            return Self::root();
        };
        let mut others = first.others.to_vec();
        for node in more {
            others.push(node.token.clone());
            others.extend(node.others.iter().cloned());
        }
        Self {
            token: first.token.child_token(),
            others: others.into(),
            earliest: above.iter().filter_map(|node| node.earliest).min(),
            above,
            ..Self::root()
        }
    }

    fn fired(&self) -> Option<&Fired> {
        if let Some(fired) = self.fired.get() {
            return Some(fired);
        }
        let timer = self
            .timer
            .filter(|at| Instant::now() >= *at)
            .map(Fired::by_timer);
        let above = self.above.iter().filter_map(|node| node.fired());
        let first = above
            .chain(timer.as_ref())
            .min_by_key(|fired| (fired.at, fired.order))?;
        Some(self.fired.get_or_init(|| first.clone()))
    }

    fn abort(&self, reason: Reason) -> bool {
        let first = self.fired().is_none() && self.fired.set(Fired::now(reason)).is_ok();
        if first {
            self.token.cancel();
        }
        first
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.fired().map(|fired| &fired.reason);
        f.debug_struct("Node")
            .field("aborted", &reason)
            .finish_non_exhaustive()
    }
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

    /// A signal that fires as soon as one of `signals` does, with that one's reason. Of several that have fired, the first
    /// one counts; of none at all, it never fires.
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
            false => Self {
                node: Some(Arc::new(Node::below(above))),
            },
        }
    }

    /// A signal that fires by itself after `after`, with a reason of kind [`ReasonKind::Timeout`]. An `after` past what the
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
        let Some(at) = Instant::now().checked_add(after) else {
            return Self::never();
        };
        let node = Node {
            timer: Some(at),
            earliest: Some(at),
            ..Node::root()
        };
        Self {
            node: Some(Arc::new(node)),
        }
    }

    /// A controller below this signal: it is aborted with it, with the same reason, and never the other way round.
    ///
    /// To look at a signal is to look at all above it, as far as none of them is aborted; each level costs some nanoseconds.
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
        Aborted {
            signal: self.clone(),
            own: None,
            others: Vec::new(),
            timer: None,
        }
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
        Run {
            future: Some(future),
            aborted: self.aborted(),
        }
    }
}

pin_project! {
    /// The future of [`AbortSignal::aborted`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Aborted {
        signal: AbortSignal,
        #[pin]
        own: Option<WaitForCancellationFutureOwned>,
        others: Vec<Pin<Box<WaitForCancellationFutureOwned>>>,
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl fmt::Debug for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aborted")
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}

impl Future for Aborted {
    type Output = Reason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reason> {
        let mut this = self.project();
        let Some(node) = &this.signal.node else {
            return Poll::Pending;
        };
        loop {
            if let Some(fired) = node.fired() {
                return Poll::Ready(fired.reason.clone());
            }
            if this.own.is_none() {
                this.own.set(Some(node.token.clone().cancelled_owned()));
                let listen = |token: &CancellationToken| Box::pin(token.clone().cancelled_owned());
                *this.others = node.others.iter().map(listen).collect();
                *this.timer = node
                    .earliest
                    .map(|at| Box::pin(tokio::time::sleep_until(at)));
            }
            // All of them are polled, also after one was ready: a listener that was never polled would never wake.
            let mut ready = this
                .own
                .as_mut()
                .as_pin_mut()
                .is_some_and(|own| own.poll(cx).is_ready());
            for other in this.others.iter_mut() {
                ready |= other.as_mut().poll(cx).is_ready();
            }
            ready |= this
                .timer
                .as_mut()
                .is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
            if !ready {
                return Poll::Pending;
            }
            // Something woke, so the next turn finds out what; listeners that are done are made anew, should it come to that.
            this.own.set(None);
        }
    }
}

pin_project! {
    /// The future of [`AbortSignal::run`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<F> {
        #[pin]
        future: Option<F>,
        #[pin]
        aborted: Aborted,
    }
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.future.is_none();
        f.debug_struct("Run")
            .field("done", &done)
            .field("aborted", &self.aborted)
            .finish()
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, Reason>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // No listener yet: this is the first poll.
        let fresh = this.aborted.own.is_none();
        let before = if fresh {
            this.aborted.signal.reason()
        } else {
            None
        };
        let result = match before {
            Some(reason) => Err(reason),
            None => match this.future.as_mut().as_pin_mut() {
                None => panic!("`Run` polled after it was ready"),
                Some(future) => match future.poll(cx) {
                    Poll::Ready(value) => Ok(value),
                    Poll::Pending => match this.aborted.as_mut().poll(cx) {
                        Poll::Ready(reason) => Err(reason),
                        Poll::Pending => return Poll::Pending,
                    },
                },
            },
        };
        this.future.set(None);
        Poll::Ready(result)
    }
}
