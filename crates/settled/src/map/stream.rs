//! Outcomes as they come, with the consumer setting the pace.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::mpsc;

use super::collect::{Kept, settled};
use super::drive::Next;
use super::items::Source;
use super::shape::Shape;
use super::spawned::{SpawnedMap, stopped};
use super::supply::Supply;
use crate::abort::AbortSignal;
use crate::combine::Settlement;
use crate::outcome::{Outcome, settle};
use crate::reason::{Reason, ReasonKind};
use crate::scope::{Scope, Spawner};
use crate::semaphore::{OwnedPermit, Semaphore};

/// The outcomes of a [`SpawnedMap`] as a stream: see [`SpawnedMap::stream`].
///
/// When it has ended, its tasks are gone. Dropped before that, it aborts them; what can't be gone at once is joined by
/// [`drained`](crate::drained), or by the scope of the task it was dropped in.
#[must_use = "a stream that is dropped aborts what runs"]
pub struct MapStream<T, E> {
    tasks: Tasks,
    signal: AbortSignal,
    /// Closes when no worker is left.
    reports: mpsc::UnboundedReceiver<Report<T, E>>,
    /// Outcomes that wait for earlier ones, from `next` on.
    waiting: VecDeque<Option<Report<T, E>>>,
    /// The number of the item whose outcome is next, or how many there were already.
    next: usize,
    ordered: bool,
    /// Closed, it lets no more items start.
    permits: Arc<Semaphore>,
    /// How many items were started, so far.
    started: Arc<AtomicUsize>,
    /// Items from this one on do not count.
    end: usize,
}

enum Tasks {
    Running(Scope),
    Joining(Pin<Box<dyn Future<Output = ()> + Send>>),
    Gone,
}

/// What came of an item. Its permit goes when the consumer has the outcome, and lets another item start.
struct Report<T, E> {
    number: usize,
    kept: Kept<T, E>,
    is_end: bool,
    _permit: OwnedPermit,
}

impl<T, E> MapStream<T, E> {
    /// The next outcome; `None` when all items have had theirs.
    ///
    /// # Panics
    /// If the source of the items has panicked.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn next(&mut self) -> Option<Outcome<T, E>> {
        poll_fn(|cx| self.poll_outcome(cx)).await
    }

    /// Aborts what runs, waits until it is gone, and gives all outcomes that were not taken: those that were there, and for
    /// what ran, [`Cancelled`](Outcome::Cancelled). Items that were not started are still in the source, which is dropped.
    ///
    /// # Panics
    /// As [`next`](Self::next).
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub async fn close(mut self) -> Vec<Outcome<T, E>> {
        self.permits.close();
        if let Tasks::Running(scope) = &self.tasks {
            scope.abort(Reason::literal(ReasonKind::Closed, "the stream was closed"));
        }
        let mut outcomes = Vec::new();
        while let Some(outcome) = self.next().await {
            outcomes.push(outcome);
        }
        outcomes
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome<T, E>>> {
        loop {
            if let Some(report) = self.waiting.front_mut().and_then(Option::take) {
                self.waiting.pop_front();
                self.next += 1;
                match report.kept {
                    Some(outcome) if report.number < self.end => {
                        return Poll::Ready(Some(outcome));
                    }
                    _ => continue,
                }
            }
            match self.reports.poll_recv(cx) {
                Poll::Ready(Some(report)) => self.take_in(report),
                Poll::Ready(None) => {
                    ready!(self.poll_gone(cx));
                    // What was started, and has no outcome: it was aborted.
                    let started = self.started.load(Ordering::Acquire);
                    if self.next >= started.min(self.end) {
                        return Poll::Ready(None);
                    }
                    self.waiting.pop_front();
                    self.next += 1;
                    let reason = self.signal.reason().unwrap_or_else(stopped);
                    return Poll::Ready(Some(Outcome::Cancelled(reason)));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn take_in(&mut self, report: Report<T, E>) {
        if report.is_end {
            self.end = self.end.min(report.number);
        }
        if !self.ordered {
            self.waiting.push_back(Some(report));
            return;
        }
        let at = report.number - self.next;
        if at >= self.waiting.len() {
            self.waiting.resize_with(at + 1, || None);
        }
        self.waiting[at] = Some(report);
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Tasks::Running(_) = &self.tasks
            && let Tasks::Running(scope) = std::mem::replace(&mut self.tasks, Tasks::Gone)
        {
            self.tasks = Tasks::Joining(Box::pin(scope.join()));
        }
        if let Tasks::Joining(join) = &mut self.tasks {
            ready!(join.as_mut().poll(cx));
            self.tasks = Tasks::Gone;
        }
        Poll::Ready(())
    }
}

impl<T, E> Drop for MapStream<T, E> {
    fn drop(&mut self) {
        self.permits.close();
    }
}

// Nothing of it is pinned but what is in a box.
impl<T, E> Unpin for MapStream<T, E> {}

impl<T, E> Stream for MapStream<T, E> {
    type Item = Outcome<T, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_outcome(cx)
    }
}

impl<T, E> fmt::Debug for MapStream<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapStream")
            .field("started", &self.started.load(Ordering::Relaxed))
            .field("delivered", &self.next)
            .finish_non_exhaustive()
    }
}

struct Shared<Src: Source, F> {
    supply: Supply<Src>,
    f: F,
    limit: usize,
    workers: AtomicUsize,
    spawner: Spawner,
    /// One for each item that was started and whose outcome the consumer does not have yet.
    permits: Arc<Semaphore>,
    started: Arc<AtomicUsize>,
}

impl<Src, F, Fut, S, Sh> SpawnedMap<Src, F, Sh>
where
    Src: Source + Send + 'static,
    Src::Item: Send + 'static,
    F: Fn(Src::Item) -> Fut + Send + Sync + 'static,
    Fut: IntoFuture<Output = S> + 'static,
    Fut::IntoFuture: Send + 'static,
    S: Settlement + Send + 'static,
    S::Error: Send + 'static,
    Sh: Shape<S::Value> + 'static,
    Sh::Value: Send + 'static,
{
    /// The outcomes as a stream. It starts at once, and is never more items ahead of the consumer than the
    /// [limit](super::Map::limit): items that run, and outcomes that nobody has taken, together. Failures and panics end only the item that they
    /// come from.
    ///
    /// [`MapStream::close`] ends it early and waits until everything is gone.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
    /// let half = async |n: u32| if n % 2 == 0 { Ok(n / 2) } else { Err("odd") };
    /// let mut halves = settled::map(1.., half).limit(4).spawned().stream();
    /// assert!(halves.next().await.unwrap().is_rejected());
    /// assert_eq!(halves.next().await.unwrap().fulfilled(), Some(1));
    /// let not_taken = halves.close().await;
    /// assert!(not_taken.len() <= 4, "no further ahead than that");
    /// # });
    /// ```
    pub fn stream(self) -> MapStream<Sh::Value, S::Error> {
        let scope = Scope::new();
        let (sender, reports) = mpsc::unbounded_channel();
        let started = Arc::new(AtomicUsize::new(0));
        let permits = Arc::new(Semaphore::new(self.0.limit));
        let shared = Arc::new(Shared {
            supply: Supply::new(self.0.source),
            f: self.0.f,
            limit: self.0.limit,
            workers: AtomicUsize::new(0),
            spawner: scope.spawner(),
            permits: Arc::clone(&permits),
            started: Arc::clone(&started),
        });
        start::<Src, F, Fut, S, Sh>(&shared, sender);
        MapStream {
            signal: scope.signal(),
            tasks: Tasks::Running(scope),
            reports,
            waiting: VecDeque::new(),
            next: 0,
            ordered: !self.0.unordered,
            permits,
            started,
            end: usize::MAX,
        }
    }
}

/// Starts one more worker, unless there are as many as there may be.
fn start<Src, F, Fut, S, Sh>(
    shared: &Arc<Shared<Src, F>>,
    reports: mpsc::UnboundedSender<Report<Sh::Value, S::Error>>,
) where
    Src: Source + Send + 'static,
    Src::Item: Send + 'static,
    F: Fn(Src::Item) -> Fut + Send + Sync + 'static,
    Fut: IntoFuture<Output = S> + 'static,
    Fut::IntoFuture: Send + 'static,
    S: Settlement + Send + 'static,
    S::Error: Send + 'static,
    Sh: Shape<S::Value> + 'static,
    Sh::Value: Send + 'static,
{
    if shared.workers.load(Ordering::Relaxed) >= shared.limit {
        return;
    }
    let worker = shared.workers.fetch_add(1, Ordering::Relaxed);
    if worker < shared.limit {
        let work = work::<Src, F, Fut, S, Sh>(Arc::clone(shared), worker, reports);
        drop(shared.spawner.spawn(work));
    }
}

async fn work<Src, F, Fut, S, Sh>(
    shared: Arc<Shared<Src, F>>,
    worker: usize,
    reports: mpsc::UnboundedSender<Report<Sh::Value, S::Error>>,
) -> Result<(), Infallible>
where
    Src: Source + Send + 'static,
    Src::Item: Send + 'static,
    F: Fn(Src::Item) -> Fut + Send + Sync + 'static,
    Fut: IntoFuture<Output = S> + 'static,
    Fut::IntoFuture: Send + 'static,
    S: Settlement + Send + 'static,
    S::Error: Send + 'static,
    Sh: Shape<S::Value> + 'static,
    Sh::Value: Send + 'static,
{
    let mut pulled = Vec::new();
    loop {
        tokio::task::consume_budget().await;
        let Ok(permit) = shared.permits.acquire_owned(1).await else {
            return Ok(());
        };
        poll_fn(|cx| shared.supply.poll_pull(worker, 1, &mut pulled, cx)).await;
        let Some((number, item)) = pulled.pop() else {
            return Ok(());
        };
        shared.started.fetch_add(1, Ordering::AcqRel);
        start::<Src, F, Fut, S, Sh>(&shared, reports.clone());
        let future = async { Ok::<S, Infallible>((shared.f)(item).into_future().await) };
        let ended = match settle(future).await {
            Outcome::Fulfilled(settlement) => Ok(settlement),
            Outcome::Panicked(panic) => Err(panic),
            // It is not run under any limit or signal that could say so.
            _ => return Ok(()),
        };
        let (kept, next) = settled::<S, Sh, ()>(ended);
        let is_end = matches!(next, Next::End);
        if is_end {
            shared.supply.end();
        }
        // Without a consumer nobody wants to know; this task is about to be aborted.
        let _ = reports.send(Report {
            number,
            kept,
            is_end,
            _permit: permit,
        });
    }
}
