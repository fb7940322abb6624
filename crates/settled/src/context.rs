//! What goes with the work: [`Context`], the deadline and the signal of what is being polled.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::abort::{AbortSignal, Apart, Inside};
use crate::timeout::{Limits, Within, current_deadline};

/// The deadline and the signal of what is being polled, to be taken along to where something else polls: to a task.
///
/// [`timeout`](crate::timeout()), [`deadline`](crate::deadline) and [`AbortSignal::run`] set both for what runs inside of them; tasks of a
/// [`Scope`](crate::Scope) have them from whoever starts them, without being asked. It is there during polls alone: a destructor that
/// runs because the time was up is outside of the limit already.
///
/// ```
/// # use std::time::Duration;
/// # use tokio::time::Instant;
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use settled::{Context, current_deadline, timeout};
///
/// let end = Instant::now() + Duration::from_secs(1);
/// let (bare, with) = timeout(Duration::from_secs(1), async {
///     let bare = tokio::spawn(async { current_deadline() });
///     let with = tokio::spawn(Context::current().within(async { current_deadline() }));
///     (bare.await.unwrap(), with.await.unwrap())
/// }).await.unwrap();
/// assert_eq!((bare, with), (None, Some(end)));
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Context {
    deadline: Option<Instant>,
    signal: AbortSignal,
}

impl Context {
    pub(crate) const fn new(deadline: Option<Instant>, signal: AbortSignal) -> Self {
        Self { deadline, signal }
    }

    /// That of what is being polled right now. It looks at the clock if a [`timeout`](crate::timeout()) around has only just begun.
    #[must_use]
    pub fn current() -> Self {
        Self {
            deadline: current_deadline(),
            signal: AbortSignal::current(),
        }
    }

    /// When the time is up; `None` if there is no limit.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Tells to stop; a signal that never fires if there is none.
    #[must_use]
    pub const fn signal(&self) -> &AbortSignal {
        &self.signal
    }

    /// Polls `future` in this context in place of the one that is around it then. The context is *told*, not enforced: what is
    /// inside sees the deadline and the signal, and goes on when they have come. To end it, put it into
    /// [`deadline`](crate::deadline) and [`AbortSignal::run`].
    ///
    /// # Cancel safety
    /// Dropping it drops `future`: as cancel safe as that is.
    pub fn within<F: Future>(self, future: F) -> InContext<F> {
        InContext {
            future,
            deadline: self.deadline,
            signal: self.signal,
        }
    }
}

pin_project! {
    /// The future of [`Context::within`].
    #[must_use = "futures do nothing unless polled"]
    pub struct InContext<F> {
        #[pin]
        future: F,
        deadline: Option<Instant>,
        signal: AbortSignal,
    }
}

impl<F> fmt::Debug for InContext<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InContext")
            .field("deadline", &self.deadline)
            .field("signal", &self.signal)
            .finish_non_exhaustive()
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _limits = Within::only(Limits::until(*this.deadline));
        let _apart = Apart::new(None);
        let _inside = Inside::new(this.signal);
        this.future.poll(cx)
    }
}
