//! The same with keys: who it was stays with what came of it.

use std::fmt;
use std::future::{Future, IntoFuture};

use super::any::{AnyError, any};
use super::race::{Empty, race};
use super::settlement::Settlement;
use super::{all, all_settled};
use crate::outcome::Outcome;

/// As [`all`](all()), of pairs of a key and a future: the values with their keys, in the order of the input.
///
/// Takes whatever gives such pairs: an array, a `Vec`, a map. Collect what it gives into the map that you like.
///
/// # Errors
/// The first failure in time, with its key.
///
/// # Panics
/// As [`all`](all()); cancel safety and fairness are the same, too.
///
/// ```
/// use std::collections::HashMap;
/// use settled::all_keyed;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// async fn price(of: &str) -> Result<u32, String> {
///     if of == "tea" { Ok(3) } else { Err("not here".to_owned()) }
/// }
/// let prices: HashMap<_, _> = all_keyed([("tea", price("tea"))]).await.unwrap().into_iter().collect();
/// assert_eq!(prices["tea"], 3);
///
/// let error = all_keyed(["tea", "beer"].map(|of| (of, price(of)))).await.unwrap_err();
/// assert_eq!(error.to_string(), "beer: not here");
/// # });
/// ```
#[expect(clippy::type_complexity, reason = "a future of pairs, and no more")]
pub fn all_keyed<K, F, S>(
    children: impl IntoIterator<Item = (K, F)>,
) -> impl Future<Output = Result<Vec<(K, S::Value)>, KeyedError<K, S::Failure>>>
where
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    all(children.into_iter().map(with_key))
}

/// As [`all_settled`](all_settled()), of pairs of a key and a future: the outcomes with their keys, in the order of the input.
///
/// Takes whatever gives such pairs: an array, a `Vec`, a map. Panics, cancel safety and fairness are those of [`all_settled`](all_settled()).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let pings = [("a", Ok(12)), ("b", Err("down"))].map(|(host, ms)| (host, std::future::ready(ms)));
/// for (host, outcome) in settled::all_settled_keyed(pings).await {
///     assert_eq!(outcome.is_fulfilled(), host == "a");
/// }
/// # });
/// ```
#[expect(clippy::type_complexity, reason = "a future of pairs, and no more")]
pub fn all_settled_keyed<K, F, S>(
    children: impl IntoIterator<Item = (K, F)>,
) -> impl Future<Output = Vec<(K, Outcome<S::Value, S::Error>)>>
where
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    let (keys, futures): (Vec<K>, Vec<F>) = children.into_iter().unzip();
    let outcomes = all_settled(futures);
    async move { keys.into_iter().zip(outcomes.await).collect() }
}

/// As [`any`](any()), of pairs of a key and a future: the first value with its key, or every error with its key, in the order of the
/// input.
///
/// Takes whatever gives such pairs: an array, a `Vec`, a map.
///
/// # Errors
/// [`AnyError`], if all of them failed.
///
/// # Panics
/// As [`any`](any()); cancel safety and fairness are the same, too.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let mirrors = [("a", Err("down")), ("b", Ok("page"))].map(|(host, page)| (host, std::future::ready(page)));
/// assert_eq!(settled::any_keyed(mirrors).await.unwrap(), ("b", "page"));
/// # });
/// ```
#[expect(clippy::type_complexity, reason = "a future of pairs, and no more")]
pub fn any_keyed<K, F, S>(
    children: impl IntoIterator<Item = (K, F)>,
) -> impl Future<Output = Result<(K, S::Value), AnyError<KeyedError<K, S::Failure>>>>
where
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    any(children.into_iter().map(with_key))
}

/// As [`race`](race()), of pairs of a key and a future: what the first to end gives, with its key.
///
/// Takes whatever gives such pairs: an array, a `Vec`, a map.
///
/// # Errors
/// [`Empty`], if there is nobody.
///
/// # Panics
/// As [`race`](race()); cancel safety and fairness are the same, too.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let first = settled::race_keyed([("a", std::future::ready(7))]).await;
/// assert_eq!(first, Ok(("a", 7)));
/// # });
/// ```
pub fn race_keyed<K, F: IntoFuture>(
    children: impl IntoIterator<Item = (K, F)>,
) -> impl Future<Output = Result<(K, F::Output), Empty>> {
    race(children.into_iter().map(|(key, future)| {
        let future = future.into_future();
        async move {
            let output = future.await;
            (key, output)
        }
    }))
}

fn with_key<K, F, S>(
    (key, future): (K, F),
) -> impl Future<Output = Result<(K, S::Value), KeyedError<K, S::Failure>>>
where
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    let future = future.into_future();
    async move {
        match future.await.into_result() {
            Ok(value) => Ok((key, value)),
            Err(error) => Err(KeyedError { key, error }),
        }
    }
}

/// An error, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedError<K, E> {
    /// Whose it is.
    pub key: K,
    /// What it said.
    pub error: E,
}

impl<K: fmt::Display, E: fmt::Display> fmt::Display for KeyedError<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.error)
    }
}

/// Its source is the source of the error, which is in its own message.
impl<K: fmt::Debug + fmt::Display, E: std::error::Error> std::error::Error for KeyedError<K, E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
