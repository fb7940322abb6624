//! Told to stop first, dropped later: [`Grace`].

mod several;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::abort::{AbortSignal, Told};
use crate::reason::Reason;
use crate::timeout::timeout;

/// How long work that is told to stop may take to end by itself, before it is dropped where it stands.
///
/// To drop a future is enough wherever destructors can do the clean-up. Where the clean-up has to `await` (say goodbye to a server, flush
/// a file), the work is told first: it gets a signal, and this long.
///
/// ```
/// # use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use settled::{AbortController, Grace};
///
/// let controller = AbortController::new();
/// let work = Grace::new(Duration::from_secs(1)).run(&controller.signal(), async |stop| {
///     let reason = stop.aborted().await;
///     tokio::time::sleep(Duration::from_millis(200)).await; // says goodbye
///     format!("ended by itself, {reason}")
/// });
/// let abort = async { controller.abort("enough") };
/// let (ended, _) = tokio::join!(work, abort);
/// assert_eq!(ended.unwrap(), "ended by itself, aborted: enough");
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    limit: Duration,
}

impl Grace {
    /// A grace of this length. With [`Duration::ZERO`] work is polled once more after it was told, and no more; with
    /// [`Duration::MAX`] it is never dropped.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self { limit }
    }

    /// How long it is.
    #[must_use]
    pub const fn limit(self) -> Duration {
        self.limit
    }

    /// Runs the future that `make` gives. When `signal` fires, so does the signal that `make` was given (which is also
    /// [`AbortSignal::current`] inside); if the future ends within the grace, its value counts. After that it is dropped, and
    /// only then the reason is returned.
    ///
    /// If `signal` has fired before the first poll, `make` is never called. The grace runs from the first poll after the signal fired;
    /// inside, it counts as a limit like any other ([`remaining`](crate::remaining())).
    ///
    /// # Errors
    /// The signal's reason, if the grace was over.
    ///
    /// # Cancel safety
    /// Dropping it drops the future at once, without a grace.
    ///
    /// # Panics
    /// If the signal has fired, the future is pending, and there is no tokio runtime with timers; and where
    /// [`AbortSignal::aborted`] does.
    pub fn run<F: Future, M: FnOnce(AbortSignal) -> F>(
        self,
        signal: &AbortSignal,
        make: M,
    ) -> impl Future<Output = Result<F::Output, Reason>> + use<F, M> {
        let signal = signal.clone();
        async move {
            if let Some(reason) = signal.reason() {
                return Err(reason);
            }
            let mut aborted = pin!(signal.aborted());
            let mut work = pin!(Told::new(signal.clone(), make(signal.clone())));
            // The signal first: what is done after it has fired is done within the grace.
            let first = poll_fn(|cx| match aborted.as_mut().poll(cx) {
                Poll::Ready(reason) => Poll::Ready(Err(reason)),
                Poll::Pending => work.as_mut().poll(cx).map(Ok),
            });
            match first.await {
                Ok(value) => Ok(value),
                Err(reason) => timeout(self.limit, work).await.map_err(|_late| reason),
            }
        }
    }
}
