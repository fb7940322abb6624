//! Outcomes as they come, with the consumer setting the pace.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::items::Source;
use super::pace::{Pace, Report};
use super::shape::Shape;
use super::spawned::SpawnedMap;
use super::worker::{Shared, start};
use crate::combine::Settlement;
use crate::outcome::Outcome;
use crate::reason::{Reason, ReasonKind};
use crate::scope::{Scope, Spawner};

/// The outcomes of a [`SpawnedMap`] as a stream: see [`SpawnedMap::stream`].
///
/// When it has ended, its tasks are gone. Dropped before that, it aborts them; what can't be gone at once is joined by
/// [`drained`](crate::drained).
#[must_use = "a stream that is dropped aborts what runs"]
pub struct MapStream<T, E> {
    spawner: Spawner,
    /// Owns the tasks, and ends when they are gone.
    join: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pace: Arc<Pace<T, E>>,
    /// What came last, in no order.
    came: Vec<Report<T, E>>,
    /// Outcomes in the order in which they are given, from `next` on; those that are not there yet are awaited.
    queue: VecDeque<Option<Report<T, E>>>,
    /// How many items have had their turn.
    next: usize,
    ordered: bool,
    /// Items from this one on do not count.
    end: usize,
}

impl<T, E> MapStream<T, E> {
    /// The next outcome; `None` when all items have had theirs.
    ///
    /// # Panics
    /// If the source of the items has panicked, once all other outcomes were given.
    ///
    /// # Cancel safety
    /// Nothing is lost by dropping the future.
    pub async fn next(&mut self) -> Option<Outcome<T, E>> {
        poll_fn(|cx| self.poll_outcome(cx)).await
    }

    /// Aborts what runs, waits until it is gone, and gives all outcomes that were not taken: those that were there, and for
    /// every other item that was pulled, [`Cancelled`](Outcome::Cancelled). Items that were not are still in the source, which is
    /// dropped.
    ///
    /// # Panics
    /// As [`next`](Self::next).
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub async fn close(mut self) -> Vec<Outcome<T, E>> {
        self.spawner
            .abort(Reason::literal(ReasonKind::Closed, "the stream was closed"));
        self.pace.close();
        let mut outcomes = Vec::new();
        while let Some(outcome) = self.next().await {
            outcomes.push(outcome);
        }
        outcomes
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Option<Outcome<T, E>>> {
        loop {
            if let Some(report) = self.queue.front_mut().and_then(Option::take) {
                self.queue.pop_front();
                self.next += 1;
                self.pace.make_room(1);
                match report.kept {
                    Some(outcome) if report.number < self.end => {
                        return Poll::Ready(Some(outcome));
                    }
                    _ => continue,
                }
            }
            let wanted = self.ordered.then_some(self.next);
            if self
                .pace
                .poll_reports(&mut self.came, wanted, cx)
                .is_pending()
            {
                let Some(mut join) = self.join.take() else {
                    return Poll::Ready(None);
                };
                // If it panics it is gone.
                if join.as_mut().poll(cx).is_pending() {
                    self.join = Some(join);
                    return Poll::Pending;
                }
            }
            self.take_in();
        }
    }

    /// Puts into the queue what came.
    fn take_in(&mut self) {
        for report in self.came.drain(..) {
            if report.is_end {
                self.end = self.end.min(report.number);
            }
            if !self.ordered {
                self.queue.push_back(Some(report));
                continue;
            }
            let at = report.number - self.next;
            if at >= self.queue.len() {
                self.queue.resize_with(at + 1, || None);
            }
            self.queue[at] = Some(report);
        }
    }
}

impl<T, E> Drop for MapStream<T, E> {
    fn drop(&mut self) {
        self.pace.close();
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
            .field("delivered", &self.next)
            .finish_non_exhaustive()
    }
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
        let pace = Arc::new(Pace::new(self.0.limit));
        let ordered = !self.0.unordered;
        let shared = Shared::new(self.0, &scope, Arc::clone(&pace));
        start::<Src, F, Fut, S, Sh, _>(&shared);
        MapStream {
            spawner: scope.spawner(),
            join: Some(Box::pin(scope.join())),
            pace,
            came: Vec::new(),
            queue: VecDeque::new(),
            next: 0,
            ordered,
            end: usize::MAX,
        }
    }
}
