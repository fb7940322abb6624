//! The same over all cores: long-lived workers that share one source.

use std::convert::Infallible;
use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Map;
use super::collect::{Kept, put};
use super::items::Source;
use super::partial::{Partial, Rest};
use super::shape::Shape;
use super::worker::{Shared, Sink, start};
use crate::combine::Settlement;
use crate::outcome::{Failed, Outcome};
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
    /// How the first item to fail failed. [`TimedOut`](Failed::TimedOut), if the [deadline](crate::current_deadline) of the caller came first;
    /// [`Cancelled`](Failed::Cancelled), if the tasks were stopped from outside, as a runtime does that shuts down.
    ///
    /// # Panics
    /// If the source of the items panics; outside of a tokio runtime.
    ///
    /// # Cancel safety
    /// Dropping it aborts the tasks, and drops the values that were there.
    ///
    /// # Fairness
    /// Items are started in their order. A task takes one, and several at once (up to 64) only as long as they take next to no time: when
    /// one of them has to wait, or takes more than 20 microseconds while another task has nothing to do, those behind it go back.
    pub async fn collect(self) -> Result<Vec<Sh::Value>, Failed<S::Error>> {
        let unordered = self.0.unordered;
        let shared = self.run(Mode::Collect).await;
        let end = shared.end();
        let (done, pulled) = all_done(shared)?;
        let values = done.values.into_iter().filter(|(number, _)| *number < end);
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
    /// As [`collect`](Self::collect); cancel safety and fairness are the same, too.
    pub async fn for_each(self) -> Result<(), Failed<S::Error>> {
        let shared = self.run(Mode::ForEach).await;
        all_done(shared).map(drop)
    }

    /// As [`Map::collect_settled`]. An item whose task was stopped from outside, as a runtime does that shuts down, is
    /// [`Cancelled`](Outcome::Cancelled), or [`TimedOut`](Outcome::TimedOut) by the [deadline](crate::current_deadline) of the caller; items
    /// that had not been pulled by then have no outcome.
    ///
    /// # Panics
    /// As [`collect`](Self::collect); cancel safety and fairness are the same, too.
    pub async fn collect_settled(self) -> Vec<Outcome<Sh::Value, S::Error>> {
        let shared = self.run(Mode::Settle).await;
        account(shared).outcomes
    }

    /// As [`Map::collect_partial`]; what ran when the failure came is aborted and joined.
    ///
    /// # Panics
    /// As [`collect`](Self::collect); cancel safety and fairness are the same, too.
    pub async fn collect_partial(self) -> Partial<Sh::Value, S::Error, Src> {
        let shared = self.run(Mode::Partial).await;
        account(shared)
    }

    async fn run(self, mode: Mode) -> Shared<Src, F, Gather<Sh::Value, S::Error>> {
        let scope = Scope::new();
        let shared = Shared::new(self.0, &scope, Gather::new(mode, scope.spawner()));
        start::<Src, F, Fut, S, Sh, _>(&shared);
        scope.join().await;
        Arc::into_inner(shared).expect("the tasks that shared it were joined")
    }
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

/// Where the outcomes of all workers come together, when they go.
struct Gather<T, E> {
    mode: Mode,
    spawner: Spawner,
    done: Lock<Done<T, E>>,
}

struct Done<T, E> {
    values: Vec<(usize, T)>,
    /// Where failures are kept, too: what each item came to.
    kept: Vec<(usize, Kept<T, E>)>,
    /// How many items have ended.
    ended: usize,
    /// Who was first to fail.
    failure: Option<Failed<E>>,
}

impl<T, E> Default for Done<T, E> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            kept: Vec::new(),
            ended: 0,
            failure: None,
        }
    }
}

impl<T, E> Gather<T, E> {
    fn new(mode: Mode, spawner: Spawner) -> Self {
        Self {
            mode,
            spawner,
            done: Lock::new(Done::default()),
        }
    }

    /// Apart from what is the rule, which is to stay small.
    #[inline(never)]
    fn put_other(&self, hand: &mut Done<T, E>, number: usize, kept: Kept<T, E>) {
        match (self.mode, kept) {
            (Mode::Settle, kept) | (_, kept @ (Some(Outcome::Fulfilled(_)) | None)) => {
                hand.kept.push((number, kept));
            }
            (_, Some(failed)) => self.failed(hand, number, failed),
        }
    }

    /// The first failure ends it all.
    fn failed(&self, hand: &mut Done<T, E>, number: usize, outcome: Outcome<T, E>) {
        if self.mode == Mode::Partial {
            hand.kept.push((number, Some(outcome)));
        } else if let Err(failed) = outcome.into_result() {
            self.done.lock().failure.get_or_insert(failed);
        }
        self.spawner
            .abort(Reason::literal(ReasonKind::Failed, "another item failed"));
    }
}

impl<T: Send + 'static, E: Send + 'static> Sink<T, E> for Gather<T, E> {
    type Hand = Done<T, E>;

    const KEEPS_REST: bool = true;

    fn stops_at_failure(&self) -> bool {
        self.mode != Mode::Settle
    }

    fn poll_room(&self, _: usize, most: usize, _: &mut Context<'_>) -> Poll<usize> {
        Poll::Ready(most)
    }

    fn give_room(&self, _: usize) {}

    fn is_hungry(&self) -> bool {
        false
    }

    #[inline(always)]
    fn put(&self, hand: &mut Self::Hand, number: usize, kept: Kept<T, E>, _: bool) {
        hand.ended += 1;
        match (self.mode, kept) {
            (Mode::ForEach, Some(Outcome::Fulfilled(_)) | None) | (Mode::Collect, None) => {}
            (Mode::Collect, Some(Outcome::Fulfilled(value))) => hand.values.push((number, value)),
            (_, kept) => self.put_other(hand, number, kept),
        }
    }

    fn flush(&self, _: &mut Self::Hand) {}

    fn leave(&self, hand: &mut Self::Hand) {
        let mut done = self.done.lock();
        done.ended += hand.ended;
        done.values.append(&mut hand.values);
        done.kept.append(&mut hand.kept);
    }

    fn aborted(&self, _: &mut Self::Hand, _: usize, _: impl FnOnce() -> Outcome<T, E>) {}
}

/// What there is, if all that there was has ended, and well; and how many items were pulled.
fn all_done<Src: Source, F, T, E>(
    shared: Shared<Src, F, Gather<T, E>>,
) -> Result<(Done<T, E>, usize), Failed<E>> {
    let fate = shared.fate::<Infallible, E>();
    let left = shared.supply.into_left();
    let mut done = shared.sink.done.into_inner();
    match done.failure.take() {
        Some(failure) => Err(failure),
        None if left.closed && done.ended == left.pulled => Ok((done, left.pulled)),
        None => fate.into_result().map(|never| match never {}),
    }
}

/// The outcome of each item that was started, and the items that were not.
fn account<Src: Source, F, T, E>(shared: Shared<Src, F, Gather<T, E>>) -> Partial<T, E, Src> {
    let end = shared.end();
    // Of one kind for all of them, and made anew for each.
    let fate = shared.fate::<Infallible, Infallible>();
    let left = shared.supply.into_left();
    let mut all: Vec<Option<Kept<T, E>>> = (0..left.pulled).map(|_| None).collect();
    for (number, kept) in shared.sink.done.into_inner().kept {
        all[number] = Some(kept);
    }
    if shared.sink.mode == Mode::Partial {
        for (number, _) in &left.items {
            all[*number] = Some(None);
        }
    }
    all.truncate(end);
    let dropped = || {
        Some(match &fate {
            Outcome::Cancelled(reason) => Outcome::Cancelled(reason.clone()),
            _ => Outcome::TimedOut,
        })
    };
    let outcomes = all
        .into_iter()
        .filter_map(|kept| kept.unwrap_or_else(dropped));
    let items = left.items.into_iter().map(|(_, item)| item);
    Partial {
        outcomes: outcomes.collect(),
        rest: Rest::new(items.collect(), left.source),
    }
}
