//! Long-lived workers that share one source: what all spawned forms of a map are made of.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Map;
use super::collect::{Kept, settled};
use super::drive::Next;
use super::items::Source;
use super::shape::Shape;
use super::supply::{Numbered, Supply};
use crate::combine::Settlement;
use crate::outcome::{Outcome, settle};
use crate::reason::{Reason, ReasonKind};
use crate::scope::{Scope, Spawner};
use crate::timeout::current_deadline;

/// A batch that took longer than this was worth a task of its own for each of its items.
const WORTH_SHARING: Duration = Duration::from_micros(20);

/// How many items a worker takes at once, where they take no time at all.
const BATCH: usize = 64;

/// Where outcomes go, and what says when an item may start.
pub(super) trait Sink<T, E>: Send + Sync + 'static {
    /// What a worker holds of them.
    type Hand: Default + Send;

    /// Whether items that were not started are kept; they are dropped, and reported, if not.
    const KEEPS_REST: bool;

    /// Whether a failure is the end of all.
    fn stops_at_failure(&self) -> bool;

    /// Room for at least one item and at most `most`. None: it is over.
    fn poll_room(&self, worker: usize, most: usize, cx: &mut Context<'_>) -> Poll<usize>;

    /// Room that was not needed.
    fn give_room(&self, room: usize);

    /// Whether somebody waits for what is in the hands of a worker.
    fn is_hungry(&self) -> bool;

    /// What came of an item.
    fn put(&self, hand: &mut Self::Hand, number: usize, kept: Kept<T, E>, is_end: bool);

    /// Passes on what a worker holds.
    fn flush(&self, hand: &mut Self::Hand);

    /// The worker goes.
    fn leave(&self, hand: &mut Self::Hand) {
        self.flush(hand);
    }

    /// An item was pulled and is dropped.
    fn aborted(&self, hand: &mut Self::Hand, number: usize, fate: impl FnOnce() -> Outcome<T, E>);
}

/// What the workers of a map share.
pub(super) struct Shared<Src: Source, F, K> {
    pub(super) supply: Supply<Src>,
    pub(super) sink: K,
    pub(super) spawner: Spawner,
    f: F,
    limit: usize,
    workers: AtomicUsize,
    /// When the tasks end at the latest: they have the caller's deadline.
    deadline: Option<tokio::time::Instant>,
    /// Items behind this one do not count.
    end: watch::Sender<usize>,
}

impl<Src: Source, F, K> Shared<Src, F, K> {
    pub(super) fn new<Sh>(map: Map<Src, F, Sh>, scope: &Scope, sink: K) -> Arc<Self> {
        Arc::new(Self {
            supply: Supply::new(map.source),
            sink,
            spawner: scope.spawner(),
            f: map.f,
            limit: map.limit,
            workers: AtomicUsize::new(0),
            deadline: current_deadline(),
            end: watch::Sender::new(usize::MAX),
        })
    }

    pub(super) fn end(&self) -> usize {
        *self.end.borrow()
    }

    /// How what was not done ended.
    pub(super) fn fate<T, E>(&self) -> Outcome<T, E> {
        let is_late = || {
            self.deadline
                .is_some_and(|at| tokio::time::Instant::now() >= at)
        };
        match self.spawner.signal().reason() {
            Some(reason) => Outcome::Cancelled(reason),
            None if is_late() => Outcome::TimedOut,
            None => Outcome::Cancelled(Reason::literal(
                ReasonKind::Dropped,
                "its task was stopped from outside",
            )),
        }
    }

    /// What came of the future of an item; `None` if it is behind the end. That drops it in the midst of its run.
    async fn up_to_the_end<R>(
        &self,
        ends: bool,
        number: usize,
        mut running: Pin<&mut impl Future<Output = R>>,
    ) -> Option<R> {
        if !ends {
            return Some(running.await);
        }
        let mut ends = self.end.subscribe();
        let mut behind = pin!(ends.wait_for(|end| *end < number));
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = running.as_mut().poll(cx) {
                return Poll::Ready(Some(outcome));
            }
            behind.as_mut().poll(cx).map(|_| None)
        })
        .await
    }

    fn ends_at(&self, number: usize) {
        self.end.send_if_modified(|end| {
            let is_earlier = number < *end;
            *end = number.min(*end);
            is_earlier
        });
    }
}

/// Starts one more worker, unless there are as many as there may be; whether it did.
pub(super) fn start<Src, F, Fut, S, Sh, K>(shared: &Arc<Shared<Src, F, K>>) -> bool
where
    Src: Source + Send + 'static,
    Src::Item: Send + 'static,
    F: Fn(Src::Item) -> Fut + Send + Sync + 'static,
    Fut: IntoFuture<Output = S> + 'static,
    Fut::IntoFuture: Send + 'static,
    S: Settlement + Send + 'static,
    Sh: Shape<S::Value> + 'static,
    Sh::Value: Send + 'static,
    S::Error: Send + 'static,
    K: Sink<Sh::Value, S::Error>,
{
    if shared.workers.load(Ordering::Relaxed) >= shared.limit {
        return false;
    }
    let worker = shared.workers.fetch_add(1, Ordering::Relaxed);
    if worker >= shared.limit {
        return false;
    }
    let work = work::<Src, F, Fut, S, Sh, K>(Arc::clone(shared), worker);
    drop(shared.spawner.spawn(work));
    true
}

async fn work<Src, F, Fut, S, Sh, K>(
    shared: Arc<Shared<Src, F, K>>,
    worker: usize,
) -> Result<(), Infallible>
where
    Src: Source + Send + 'static,
    Src::Item: Send + 'static,
    F: Fn(Src::Item) -> Fut + Send + Sync + 'static,
    Fut: IntoFuture<Output = S> + 'static,
    Fut::IntoFuture: Send + 'static,
    S: Settlement + Send + 'static,
    Sh: Shape<S::Value> + 'static,
    Sh::Value: Send + 'static,
    S::Error: Send + 'static,
    K: Sink<Sh::Value, S::Error>,
{
    let mut hands = Hands::<Src, F, Sh::Value, S::Error, K>::new(&shared);
    let mut size = 1;
    while hands.take(worker, size).await {
        let is_new = start::<Src, F, Fut, S, Sh, K>(&shared);
        let (began, mut at_once) = (Instant::now(), true);
        while let Some((number, item)) = hands.next(Sh::ENDS) {
            let future = async { Ok::<S, Infallible>((shared.f)(item).into_future().await) };
            let mut running = pin!(settle(future));
            // Most small ones are ready at once: what they end with is not even moved.
            let first = poll_fn(|cx| {
                let polled = running.as_mut().poll(cx);
                Poll::Ready(polled.map(|outcome| hands.ended::<S, Sh>(number, outcome)))
            });
            let is_over = match first.await {
                Poll::Ready(is_over) => is_over,
                Poll::Pending => {
                    at_once = false;
                    if hands.let_go() {
                        start::<Src, F, Fut, S, Sh, K>(&shared);
                    }
                    match shared.up_to_the_end(Sh::ENDS, number, running).await {
                        Some(outcome) => hands.ended::<S, Sh>(number, outcome),
                        None => hands.is_behind_the_end(number),
                    }
                }
            };
            if is_over {
                return Ok(());
            }
            if hands.somebody_waits() && began.elapsed() > WORTH_SHARING {
                hands.let_go();
            }
        }
        hands.let_go();
        let is_quick = at_once && began.elapsed() < WORTH_SHARING;
        size = if is_quick { (size * 2).min(BATCH) } else { 1 };
        // Who was started or woken from here may be on this very thread, and nobody else takes it from there.
        if is_new || (at_once && !is_quick) {
            get_back_in_line().await;
        }
    }
    Ok(())
}

/// As tokio's `yield_now`, which keeps the task where it is until its thread has nothing else to do, where this one lets other threads
/// have it.
async fn get_back_in_line() {
    let mut was_there = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut was_there, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// What a worker holds. Wherever it is dropped, nothing of it is lost.
struct Hands<'a, Src: Source, F, T, E, K: Sink<T, E>> {
    shared: &'a Shared<Src, F, K>,
    batch: Numbered<Src>,
    /// It has taken more than one item and has not said yet that all are started.
    is_holder: bool,
    /// The item whose future runs.
    running: Option<usize>,
    hand: K::Hand,
}

impl<'a, Src: Source, F, T, E, K: Sink<T, E>> Hands<'a, Src, F, T, E, K> {
    fn new(shared: &'a Shared<Src, F, K>) -> Self {
        Self {
            shared,
            batch: VecDeque::new(),
            is_holder: false,
            running: None,
            hand: K::Hand::default(),
        }
    }

    /// Takes items, at most so many. `false`: there are no more.
    async fn take(&mut self, worker: usize, most: usize) -> bool {
        tokio::task::consume_budget().await;
        let Shared { supply, sink, .. } = self.shared;
        let room = poll_fn(|cx| sink.poll_room(worker, most, cx)).await;
        if room == 0 {
            return false;
        }
        poll_fn(|cx| supply.poll_pull(worker, room, &mut self.batch, cx)).await;
        self.is_holder = self.batch.len() > 1;
        if self.batch.len() < room {
            sink.give_room(room - self.batch.len());
        }
        !self.batch.is_empty()
    }

    /// The next item to start.
    fn next(&mut self, ends: bool) -> Option<(usize, Src::Item)> {
        loop {
            let (number, item) = self.batch.pop_front()?;
            if !ends || number < self.shared.end() {
                self.running = Some(number);
                return Some((number, item));
            }
            self.shared.supply.set_aside((number, item));
            self.shared.sink.put(&mut self.hand, number, None, false);
        }
    }

    fn somebody_waits(&self) -> bool {
        self.shared.supply.is_hungry() || self.shared.sink.is_hungry()
    }

    /// Lets go of everything: outcomes, and items that are not started. Whether there were any of these.
    fn let_go(&mut self) -> bool {
        self.shared.sink.flush(&mut self.hand);
        if !std::mem::take(&mut self.is_holder) {
            return false;
        }
        let items = self.batch.len();
        self.shared.supply.give_back(&mut self.batch);
        self.shared.sink.give_room(items);
        items > 0
    }

    /// What came of an item. Whether nothing more is to be started.
    #[inline]
    fn ended<S, Sh>(&mut self, number: usize, outcome: Outcome<S, Infallible>) -> bool
    where
        S: Settlement<Error = E>,
        Sh: Shape<S::Value, Value = T>,
    {
        self.running = None;
        let (kept, next) = match outcome {
            Outcome::Fulfilled(settlement) => settled::<S, Sh, ()>(Ok(settlement)),
            Outcome::Panicked(panic) => settled::<S, Sh, ()>(Err(panic)),
            Outcome::Rejected(never) => match never {},
            Outcome::TimedOut => (Some(Outcome::TimedOut), Next::On),
            Outcome::Cancelled(reason) => (Some(Outcome::Cancelled(reason)), Next::On),
            Outcome::Abandoned => (Some(Outcome::Abandoned), Next::On),
        };
        let is_end = matches!(next, Next::End);
        let stops = kept.as_ref().is_some_and(|kept| !kept.is_fulfilled())
            && self.shared.sink.stops_at_failure();
        let Shared { supply, sink, .. } = self.shared;
        // Of an end and a failure behind it, the first one counts.
        if is_end && !supply.close(|| self.shared.ends_at(number)) {
            sink.aborted(&mut self.hand, number, || self.shared.fate());
        } else if stops && !supply.stop(|| Sh::ENDS && number > self.shared.end()) {
            return self.is_behind_the_end(number);
        } else {
            sink.put(&mut self.hand, number, kept, is_end);
            return stops;
        }
        false
    }

    /// As if it had never been: nobody stops for it.
    fn is_behind_the_end(&mut self, number: usize) -> bool {
        self.running = None;
        self.shared.sink.put(&mut self.hand, number, None, false);
        false
    }
}

impl<Src: Source, F, T, E, K: Sink<T, E>> Drop for Hands<'_, Src, F, T, E, K> {
    fn drop(&mut self) {
        let Shared { supply, sink, .. } = self.shared;
        let fate = || self.shared.fate();
        if let Some(number) = self.running {
            sink.aborted(&mut self.hand, number, fate);
        }
        if self.is_holder {
            supply.give_back(&mut self.batch);
        }
        // Here they are only if the source has panicked behind them.
        for (number, item) in self.batch.drain(..) {
            if K::KEEPS_REST {
                supply.set_aside((number, item));
                continue;
            }
            drop(item);
            sink.aborted(&mut self.hand, number, || {
                let text = "the source of the items panicked";
                Outcome::Cancelled(Reason::literal(ReasonKind::Failed, text))
            });
        }
        if !K::KEEPS_REST {
            for (number, item) in supply.take_returned() {
                drop(item);
                sink.aborted(&mut self.hand, number, fate);
            }
        }
        sink.leave(&mut self.hand);
    }
}
