//! Many items, a few at a time: [`map`], [`filter_map`], [`map_while`].
//!
//! What they take is a trait, [`Items`], which exists for iterators and for streams; the compiler finds out which it is, so its type
//! arguments are never written.

mod collect;
mod drive;
mod items;
mod pace;
mod partial;
mod pool;
mod shape;
mod spawned;
mod stream;
mod supply;
mod worker;

use std::fmt;
use std::marker::PhantomData;

pub use items::{FromIter, FromStream, Items, Iter, Source, Streamed};
pub use partial::{Partial, Rest};
pub use shape::{Every, Filter, Shape, Step, While};
pub use spawned::SpawnedMap;
pub use stream::MapStream;

/// Runs an async function over items, at most [`limit`](Map::limit) at a time, and gives what it gives, in the order of the items.
///
/// `items` is an iterator or a [`Stream`](futures_core::Stream). An item is pulled only when it can be started, so nothing is ever pulled
/// that is not worked on: with `items.by_ref()` what was not pulled is still yours. Everything runs in the caller's
/// task, so items, function and futures may borrow; [`spawned`](Map::spawned) is the same over all cores.
///
/// Nothing runs before one of [`collect`](Map::collect), [`collect_settled`](Map::collect_settled),
/// [`collect_partial`](Map::collect_partial), [`for_each`](Map::for_each) is awaited, and nothing when that has ended or was dropped.
///
/// ```
/// use settled::map;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// async fn length(word: &str) -> Result<usize, String> {
///     if word.is_empty() { Err("an empty word".to_owned()) } else { Ok(word.len()) }
/// }
/// let text = String::from("a few borrowed words");
/// assert_eq!(map(text.split(' '), length).limit(2).collect().await, Ok(vec![1, 3, 8, 5]));
/// assert!(map(["some", "", "none"], length).limit(2).collect().await.is_err());
/// # });
/// ```
pub fn map<Kind, I: Items<Kind>, F>(items: I, f: F) -> Map<I::Source, F, Every> {
    Map::new(items.into_source(), f)
}

/// As [`map`](map()), for a function that gives an `Option`: `None` leaves the item out.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let even = |n: u32| async move { Ok::<_, String>((n % 2 == 0).then_some(n)) };
/// assert_eq!(settled::filter_map(1..=6, even).limit(3).collect().await, Ok(vec![2, 4, 6]));
/// # });
/// ```
pub fn filter_map<Kind, I: Items<Kind>, F>(items: I, f: F) -> Map<I::Source, F, Filter> {
    Map::new(items.into_source(), f)
}

/// As [`map`](map()), for a function that gives an `Option`: `None` is the end, as `break` would be in a loop.
///
/// No more items are pulled then, and what runs for later items than that one is dropped; what runs for earlier ones goes on and counts. So
/// in order, this gives what a loop would have given, whichever item was first to end (but for one after it that failed even before).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let page = |n: u32| async move { Ok::<_, String>((n < 4).then_some(n)) };
/// assert_eq!(settled::map_while(1.., page).limit(8).collect().await, Ok(vec![1, 2, 3]));
/// # });
/// ```
pub fn map_while<Kind, I: Items<Kind>, F>(items: I, f: F) -> Map<I::Source, F, While> {
    Map::new(items.into_source(), f)
}

/// An async function over items, not yet begun: see [`map`](map()).
#[must_use = "nothing runs before `collect`, `for_each` or one of the others is awaited"]
pub struct Map<Src, F, Sh> {
    source: Src,
    f: F,
    limit: usize,
    unordered: bool,
    shape: PhantomData<fn() -> Sh>,
}

impl<Src, F, Sh> Map<Src, F, Sh> {
    fn new(source: Src, f: F) -> Self {
        Self {
            source,
            f,
            limit: 1,
            unordered: false,
            shape: PhantomData,
        }
    }

    /// How many run at once. 1 unless set: one after the other.
    ///
    /// # Panics
    /// If it is 0, which could never do anything; [`try_limit`](Self::try_limit) is for numbers from outside.
    pub fn limit(self, limit: usize) -> Self {
        match self.try_limit(limit) {
            Ok(limited) => limited,
            Err(invalid) => panic!("{invalid}"),
        }
    }

    /// As [`limit`](Self::limit), for a number that may be wrong.
    ///
    /// # Errors
    /// If it is 0.
    ///
    /// ```
    /// # let f = |n: u32| async move { Ok::<_, ()>(n) };
    /// assert!(settled::map([1, 2], f).try_limit(0).is_err());
    /// ```
    pub fn try_limit(self, limit: usize) -> Result<Self, InvalidLimit> {
        match limit {
            0 => Err(InvalidLimit),
            limit => Ok(Self { limit, ..self }),
        }
    }

    /// Gives results in the order in which they come, and not in that of the items.
    pub fn unordered(self) -> Self {
        Self {
            unordered: true,
            ..self
        }
    }
}

impl<Src, F, Sh> fmt::Debug for Map<Src, F, Sh> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("limit", &self.limit)
            .field("unordered", &self.unordered)
            .finish_non_exhaustive()
    }
}

/// A limit of 0, under which nothing could ever run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLimit;

impl fmt::Display for InvalidLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a limit must be at least 1: with 0 nothing could ever run")
    }
}

impl std::error::Error for InvalidLimit {}
