//! The same over all cores: long-lived workers that share one source.

use std::convert::Infallible;
use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Map;
use super::collect::{Kept, put, settled};
use super::drive::Next;
use super::items::Source;
use super::partial::{Partial, Rest};
use super::shape::Shape;
use super::supply::Supply;
use crate::combine::Settlement;
use crate::outcome::{Failed, Outcome, settle};
use crate::reason::{Reason, ReasonKind};
use crate::scope::{Scope, Spawner};
use crate::sync::Lock;

/// A [`Map`] whose items are worked on by tasks: see [`Map::spawned`].
#[must_use = "nothing runs before `collect`, `for_each` or one of the others is awaited"]
pub struct SpawnedMap<Src, F, Sh>(pub(super) Map<Src, F, Sh>);

impl<Src, F, Sh> fmt::Debug for SpawnedMap<Src, F, Sh> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SpawnedMap").field(&self.0).finish()
    }
}

impl<Src, F, Sh> Map<Src, F, Sh> {
    /// The same in tasks of their own, as many as the [limit](Self::limit), on whatever threads the runtime has. Items, function,
    /// futures and what they give are `Send` and `'static` then.
    ///
    /// The tasks belong to this call: when it has an answer, they are gone. If it is dropped they are aborted, and
    /// joined by [`drained`](crate::drained).
    ///
    /// What only computes, for more than some microseconds at a time, holds up its thread here as in any task.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
    /// let square = async |n: u64| Ok::<_, String>(n * n);
    /// let squares = settled::map(1..=4, square).limit(2).spawned().collect().await;
    /// assert_eq!(squares.unwrap(), [1, 4, 9, 16]);
    /// # });
    /// ```
    pub fn spawned(self) -> SpawnedMap<Src, F, Sh> {
        SpawnedMap(self)
    }
}

/// The outcomes of a whole map, by number; and who was first to fail.
struct Done<T, E> {
    values: Vec<(usize, T)>,
    /// Where failures are kept, too: what each item came to.
    kept: Vec<(usize, Kept<T, E>)>,
    /// How many items have ended.
    ended: usize,
    failure: Option<Failed<E>>,
    /// Items from this one on do not count: an earlier one said that it was the end.
    end: usize,
}

struct Shared<Src: Source, F, T, E> {
    supply: Supply<Src>,
    f: F,
    limit: usize,
    workers: AtomicUsize,
    spawner: Spawner,
    done: Lock<Done<T, E>>,
    /// Somebody has failed, and that is the end of it.
    stopping: AtomicBool,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Goes on after failures.
    Settle,
    /// Stops at the first failure, and keeps what there is.
    Partial,
    /// Stops at the first failure, which is the answer.
    Collect,
    /// As `Collect`, and keeps nothing.
    ForEach,
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
    /// As [`Map::collect`]; what runs when one fails is aborted and joined before the failure is returned. `unordered` gives no order
    /// at all.
    ///
    /// # Errors
    /// How the first item to fail failed. [`Cancelled`](Failed::Cancelled), if the tasks were stopped from outside, as a
    /// runtime does that shuts down.
    ///
    /// # Panics
    /// If the source of the items panics; outside of a tokio runtime.
    ///
    /// # Cancel safety
    /// Dropping it aborts the tasks, and drops the values that were there.
    pub async fn collect(self) -> Result<Vec<Sh::Value>, Failed<S::Error>> {
        let unordered = self.0.unordered;
        let (done, pulled) = self.run(Mode::Collect).await.all_done()?;
        let values = done.values.into_iter();
        let values = values.filter(|(number, _)| *number < done.end);
        if unordered {
            return Ok(values.map(|(_, value)| value).collect());
        }
        let mut ordered = Vec::with_capacity(pulled);
        for (number, value) in values {
            put(&mut ordered, number, value);
        }
        Ok(ordered.into_iter().flatten().collect())
    }

    /// As [`collect`](Self::collect), and keeps nothing.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    ///
    /// # Panics
    /// As [`collect`](Self::collect); cancel safety is the same, too.
    pub async fn for_each(self) -> Result<(), Failed<S::Error>> {
        let shared = self.run(Mode::ForEach).await;
        shared.all_done().map(drop)
    }

    /// As [`Map::collect_settled`]. An item whose task was stopped from outside, as a runtime does that shuts down, is
    /// [`Cancelled`](Outcome::Cancelled).
    ///
    /// # Panics
    /// As [`collect`](Self::collect); cancel safety is the same, too.
    pub async fn collect_settled(self) -> Vec<Outcome<Sh::Value, S::Error>> {
        let shared = self.run(Mode::Settle).await;
        shared.account(stopped).outcomes
    }

    /// As [`Map::collect_partial`]; what ran when the failure came is aborted and joined.
    ///
    /// # Panics
    /// As [`collect`](Self::collect); cancel safety is the same, too.
    pub async fn collect_partial(self) -> Partial<Sh::Value, S::Error, Src> {
        let shared = self.run(Mode::Partial).await;
        shared.account(another_failed)
    }

    async fn run(self, mode: Mode) -> Shared<Src, F, Sh::Value, S::Error> {
        let scope = Scope::new();
        let shared = Arc::new(Shared {
            supply: Supply::new(self.0.source),
            f: self.0.f,
            limit: self.0.limit,
            workers: AtomicUsize::new(0),
            spawner: scope.spawner(),
            done: Lock::new(Done {
                values: Vec::new(),
                kept: Vec::new(),
                ended: 0,
                failure: None,
                end: usize::MAX,
            }),
            stopping: AtomicBool::new(false),
            mode,
        });
        start::<Src, F, Fut, S, Sh>(&shared);
        scope.join().await;
        Arc::into_inner(shared).expect("the tasks that shared it were joined")
    }
}

/// Starts one more worker, unless there are as many as there may be.
fn start<Src, F, Fut, S, Sh>(shared: &Arc<Shared<Src, F, Sh::Value, S::Error>>)
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
    if shared.workers.load(Ordering::Relaxed) >= shared.limit {
        return;
    }
    let worker = shared.workers.fetch_add(1, Ordering::Relaxed);
    if worker < shared.limit {
        let work = work::<Src, F, Fut, S, Sh>(Arc::clone(shared), worker);
        drop(shared.spawner.spawn(work));
    }
}

/// A batch that took longer than this was worth a task of its own for each of its items.
const WORTH_SHARING: Duration = Duration::from_micros(20);

/// How many items a worker takes at once, where they take no time at all.
const BATCH: usize = 64;

async fn work<Src, F, Fut, S, Sh>(
    shared: Arc<Shared<Src, F, Sh::Value, S::Error>>,
    worker: usize,
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
    let mut hands = Hands {
        shared: &*shared,
        batch: Vec::new(),
        values: Vec::new(),
        kept: Vec::new(),
        ended: 0,
    };
    let mut size = 1;
    loop {
        tokio::task::consume_budget().await;
        let supply = &shared.supply;
        poll_fn(|cx| supply.poll_pull(worker, size, &mut hands.batch, cx)).await;
        if hands.batch.is_empty() {
            return Ok(());
        }
        start::<Src, F, Fut, S, Sh>(&shared);
        // Taken from the end.
        hands.batch.reverse();
        let began = Instant::now();
        while let Some((number, item)) = hands.batch.pop() {
            let future = async { Ok::<S, Infallible>((shared.f)(item).into_future().await) };
            hands.ended::<S, Sh>(number, settle(future).await);
            if shared.stopping.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
        size = match began.elapsed() < WORTH_SHARING {
            true => (size * 2).min(BATCH),
            false => 1,
        };
    }
}

/// What a worker holds. Wherever it is dropped, nothing of it is lost.
struct Hands<'a, Src: Source, F, T, E> {
    shared: &'a Shared<Src, F, T, E>,
    batch: Vec<(usize, Src::Item)>,
    values: Vec<(usize, T)>,
    kept: Vec<(usize, Kept<T, E>)>,
    ended: usize,
}

impl<Src: Source, F, T, E> Hands<'_, Src, F, T, E> {
    fn ended<S, Sh>(&mut self, number: usize, outcome: Outcome<S, Infallible>)
    where
        S: Settlement<Error = E>,
        Sh: Shape<S::Value, Value = T>,
    {
        let ended = match outcome {
            Outcome::Fulfilled(settlement) => Ok(settlement),
            Outcome::Panicked(panic) => Err(panic),
            // It is not run under any limit or signal that could say so.
            _ => return,
        };
        self.ended += 1;
        let (kept, next) = settled::<S, Sh, ()>(ended);
        if let Next::End = next {
            self.shared.supply.end();
            let mut done = self.shared.done.lock();
            done.end = done.end.min(number);
        }
        match (self.shared.mode, kept) {
            (Mode::Collect, Some(Outcome::Fulfilled(value))) => self.values.push((number, value)),
            (Mode::Collect | Mode::ForEach, Some(Outcome::Fulfilled(_)) | None) => {}
            (Mode::Settle, kept) => self.kept.push((number, kept)),
            (_, kept @ (Some(Outcome::Fulfilled(_)) | None)) => self.kept.push((number, kept)),
            (_, Some(failed)) => self.failed(number, failed),
        }
    }

    /// The first failure ends it all.
    fn failed(&mut self, number: usize, outcome: Outcome<T, E>) {
        if self.shared.mode == Mode::Partial {
            self.kept.push((number, Some(outcome)));
        } else if let Err(failed) = outcome.into_result() {
            self.shared.done.lock().failure.get_or_insert(failed);
        }
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.supply.end();
        self.shared.spawner.abort(another_failed());
    }
}

impl<Src: Source, F, T, E> Drop for Hands<'_, Src, F, T, E> {
    fn drop(&mut self) {
        self.shared.supply.give_back(self.batch.drain(..));
        let mut done = self.shared.done.lock();
        done.ended += self.ended;
        done.values.append(&mut self.values);
        done.kept.append(&mut self.kept);
    }
}

impl<Src: Source, F, T, E> Shared<Src, F, T, E> {
    /// What there is, if all that was pulled has ended, and well; and how many items that were.
    fn all_done(self) -> Result<(Done<T, E>, usize), Failed<E>> {
        let pulled = self.supply.pulled();
        let mut done = self.done.into_inner();
        match done.failure.take() {
            Some(failure) => Err(failure),
            None if done.ended < pulled => Err(Failed::Cancelled(stopped())),
            None => Ok((done, pulled)),
        }
    }

    /// The outcome of each item that was started, and the items that were not.
    fn account(self, dropped: fn() -> Reason) -> Partial<T, E, Src> {
        let done = self.done.into_inner();
        let pulled = self.supply.pulled();
        let (returned, source) = self.supply.into_rest();
        let mut all: Vec<Option<Kept<T, E>>> = (0..pulled).map(|_| None).collect();
        for (number, kept) in done.kept {
            all[number] = Some(kept);
        }
        for (number, _) in &returned {
            all[*number] = Some(None);
        }
        all.truncate(done.end);
        let outcomes = all
            .into_iter()
            .filter_map(|kept| kept.unwrap_or_else(|| Some(Outcome::Cancelled(dropped()))));
        Partial {
            outcomes: outcomes.collect(),
            rest: Rest::new(returned.into_iter().map(|(_, item)| item).collect(), source),
        }
    }
}

pub(super) fn stopped() -> Reason {
    Reason::literal(ReasonKind::Dropped, "its task was stopped from outside")
}

fn another_failed() -> Reason {
    Reason::literal(ReasonKind::Failed, "another item failed")
}
