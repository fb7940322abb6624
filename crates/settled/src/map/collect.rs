//! The closed forms: each polls everything that it has started, up to the end.

use std::collections::VecDeque;
use std::future::IntoFuture;
use std::pin::pin;

use super::Map;
use super::drive::{Drive, Driven, Ended, Next};
use super::items::Source;
use super::partial::{Partial, Rest};
use super::shape::{Shape, Step};
use crate::combine::Settlement;
use crate::outcome::Outcome;
use crate::reason::{Reason, ReasonKind};

impl<Src, F, Fut, S, Sh> Map<Src, F, Sh>
where
    Src: Source,
    F: FnMut(Src::Item) -> Fut,
    Fut: IntoFuture<Output = S>,
    S: Settlement,
    Sh: Shape<S::Value>,
{
    /// Every value, or the first failure in time. What runs when one fails is dropped before the failure is returned.
    ///
    /// # Errors
    /// What the first item to fail fails with: the `E` of a `Result<_, E>`, the [`Failed<E>`](crate::Failed) of an outcome.
    ///
    /// # Panics
    /// If the function, one of its futures or the source of the items panics; whatever runs is dropped first.
    ///
    /// # Cancel safety
    /// Dropping it drops what runs and the values that were there. Items that were not pulled are still in `items`, if it was borrowed.
    ///
    /// # Fairness
    /// Those that woke are polled each once before any of them twice, and before new ones are started. After 256 new items in one poll the
    /// other tasks of the runtime have their turn.
    pub async fn collect(self) -> Result<Vec<Sh::Value>, S::Failure> {
        let mut kept = InOrder::new::<Sh, S::Value>(self.unordered);
        let driven = self
            .drive(|number, ended| match keep::<S, Sh>(resume(ended)) {
                Ok(Step::Keep(value)) => {
                    kept.put(number, Some(value));
                    Next::On
                }
                Ok(Step::Skip) => {
                    kept.put(number, None);
                    Next::On
                }
                Ok(Step::End) => {
                    kept.end(number);
                    Next::End
                }
                Err(failure) => Next::Stop(failure),
            })
            .await;
        match driven.answer {
            Some(failure) => Err(failure),
            None => Ok(kept.into_vec()),
        }
    }

    /// As [`collect`](Self::collect), and keeps nothing.
    ///
    /// # Errors
    /// What the first item to fail fails with.
    ///
    /// # Panics
    /// As [`collect`](Self::collect); cancel safety and fairness are the same, too.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let mut sum = std::cell::Cell::new(0);
    /// let add = async |n: u32| Ok::<_, String>(sum.set(sum.get() + n));
    /// settled::map(1..=10, add).limit(3).for_each().await.unwrap();
    /// assert_eq!(*sum.get_mut(), 55);
    /// # });
    /// ```
    pub async fn for_each(self) -> Result<(), S::Failure> {
        let driven = self
            .drive(|_, ended| match keep::<S, Sh>(resume(ended)) {
                Ok(Step::Keep(_) | Step::Skip) => Next::On,
                Ok(Step::End) => Next::End,
                Err(failure) => Next::Stop(failure),
            })
            .await;
        driven.answer.map_or(Ok(()), Err)
    }

    /// The outcome of every item; failures and panics end only the item they come from.
    ///
    /// # Panics
    /// If the source of the items panics; whatever runs is dropped first.
    ///
    /// # Cancel safety
    /// As [`collect`](Self::collect); fairness is the same, too.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let parse = async |text: &str| text.parse::<u8>();
    /// let outcomes = settled::map(["7", "300", "9"], parse).limit(2).collect_settled().await;
    /// let kinds: Vec<_> = outcomes.iter().map(|outcome| outcome.kind().name()).collect();
    /// assert_eq!(kinds, ["fulfilled", "rejected", "fulfilled"]);
    /// # });
    /// ```
    pub async fn collect_settled(self) -> Vec<Outcome<Sh::Value, S::Error>> {
        let mut kept = InOrder::new::<Sh, S::Value>(self.unordered);
        self.drive::<()>(|number, ended| {
            let (outcome, next) = settled::<S, Sh, ()>(ended);
            match next {
                Next::End => kept.end(number),
                _ => kept.put(number, outcome),
            }
            next
        })
        .await;
        kept.into_vec()
    }

    /// Stops at the first failure, and accounts for everything: the outcome of each item that was started, in the order of the
    /// items, and the items that were not.
    ///
    /// What ran when the failure came is dropped, and [`Cancelled`](Outcome::Cancelled) with a reason of the kind
    /// [`Failed`](ReasonKind::Failed). With [`map_while`](crate::map_while()), what is behind the end has no outcome.
    ///
    /// # Panics
    /// If the source of the items panics; whatever runs is dropped first.
    ///
    /// # Cancel safety
    /// As [`collect`](Self::collect); fairness is the same, too.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let job = async |n: u32| if n == 3 { Err("no") } else { Ok(n) };
    /// let partial = settled::map(1..=6, job).collect_partial().await;
    /// let kinds: Vec<_> = partial.outcomes.iter().map(|outcome| outcome.kind().name()).collect();
    /// assert_eq!(kinds, ["fulfilled", "fulfilled", "rejected"]);
    /// assert_eq!(partial.rest.collect::<Vec<_>>(), [4, 5, 6], "to be done another time");
    /// # });
    /// ```
    pub async fn collect_partial(self) -> Partial<Sh::Value, S::Error, Src> {
        let mut source = Box::pin(self.source);
        let mut kept: Vec<Option<Kept<_, _>>> = Vec::new();
        let mut end = usize::MAX;
        let driven = Drive::new(source.as_mut(), self.f, self.limit)
            .run(|number, ended| {
                let (outcome, next) = settled::<S, Sh, ()>(ended);
                let failed = outcome
                    .as_ref()
                    .is_some_and(|outcome| !outcome.is_fulfilled());
                put(&mut kept, number, outcome);
                match next {
                    Next::End => {
                        kept.truncate(number);
                        end = number;
                        Next::End
                    }
                    _ if failed => Next::Stop(()),
                    next => next,
                }
            })
            .await;
        if driven.answer.is_some() {
            kept.resize_with(driven.pulled.min(end), || None);
        }
        let dropped = || {
            let reason = Reason::literal(ReasonKind::Failed, "another item failed");
            Some(Outcome::Cancelled(reason))
        };
        let outcomes = kept
            .into_iter()
            .filter_map(|kept| kept.unwrap_or_else(dropped));
        Partial {
            outcomes: outcomes.collect(),
            rest: Rest::new(Vec::new(), (!driven.exhausted).then_some(source)),
        }
    }

    async fn drive<B>(self, ended: impl FnMut(usize, Ended<S>) -> Next<B>) -> Driven<B> {
        let source = pin!(self.source);
        Drive::new(source, self.f, self.limit).run(ended).await
    }
}

fn resume<S>(ended: Ended<S>) -> S {
    ended.unwrap_or_else(|panic| panic.resume())
}

#[inline]
fn keep<S: Settlement, Sh: Shape<S::Value>>(settlement: S) -> Result<Step<Sh::Value>, S::Failure> {
    settlement.into_result().map(Sh::step)
}

/// What an item came to: nothing, if it was left out.
pub(super) type Kept<T, E> = Option<Outcome<T, E>>;

/// What an item's end leaves behind, and what it means for the others.
#[inline]
pub(super) fn settled<S: Settlement, Sh: Shape<S::Value>, B>(
    ended: Ended<S>,
) -> (Kept<Sh::Value, S::Error>, Next<B>) {
    let outcome = match ended {
        Ok(settlement) => settlement.into_outcome(),
        Err(panic) => Outcome::Panicked(panic),
    };
    match outcome.into_result().map(Sh::step) {
        Ok(Step::Keep(value)) => (Some(Outcome::Fulfilled(value)), Next::On),
        Ok(Step::Skip) => (None, Next::On),
        Ok(Step::End) => (None, Next::End),
        Err(failed) => (Some(failed.into()), Next::On),
    }
}

/// What is kept: in the order of the items, or in that in which it came.
struct InOrder<T> {
    /// What is in its place already.
    kept: Vec<T>,
    /// The item whose turn it is.
    next: usize,
    /// What came before its turn, from that item on; `Some(None)` is left out.
    early: VecDeque<Option<Option<T>>>,
    /// Where they stand as they came, and one of them may be the end: whose they are.
    numbers: Vec<usize>,
    unordered: bool,
    ends: bool,
}

impl<T> InOrder<T> {
    fn new<Sh: Shape<V>, V>(unordered: bool) -> Self {
        Self {
            kept: Vec::new(),
            next: 0,
            early: VecDeque::new(),
            numbers: Vec::new(),
            unordered,
            ends: Sh::ENDS,
        }
    }

    /// What came of an item; `None`: it is left out.
    #[inline]
    fn put(&mut self, number: usize, value: Option<T>) {
        if self.unordered {
            if self.ends && value.is_some() {
                self.numbers.push(number);
            }
            self.kept.extend(value);
        } else if number == self.next && self.early.is_empty() {
            self.kept.extend(value);
            self.next += 1;
        } else {
            self.put_early(number, value);
        }
    }

    fn put_early(&mut self, number: usize, value: Option<T>) {
        let at = number - self.next;
        if at >= self.early.len() {
            self.early.resize_with(at + 1, || None);
        }
        self.early[at] = Some(value);
        while let Some(value) = self.early.front_mut().and_then(Option::take) {
            self.early.pop_front();
            self.kept.extend(value);
            self.next += 1;
        }
    }

    /// What is behind this item does not count.
    fn end(&mut self, end: usize) {
        if self.unordered {
            let mut numbers = self.numbers.iter();
            self.kept
                .retain(|_| numbers.next().is_some_and(|number| *number < end));
            self.numbers.retain(|number| *number < end);
        } else {
            self.early.truncate(end - self.next);
        }
    }

    fn into_vec(mut self) -> Vec<T> {
        self.kept.extend(self.early.into_iter().flatten().flatten());
        self.kept
    }
}

/// Puts a value at its place, which may be past the end.
#[inline]
pub(super) fn put<T>(values: &mut Vec<Option<T>>, number: usize, value: T) {
    if number == values.len() {
        values.push(Some(value));
    } else {
        if number > values.len() {
            values.resize_with(number + 1, || None);
        }
        values[number] = Some(value);
    }
}
