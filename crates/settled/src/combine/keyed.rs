//! The same with keys: who it was stays with what came of it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::all::AllOf;
use super::all_settled::AllSettledOf;
use super::any::{AnyOf, any};
use super::race::{RaceOf, race};
use super::settlement::Settlement;
use super::{all, all_settled, unnamed};
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
pub fn all_keyed<K, F, S>(
    children: impl IntoIterator<Item = (K, F)>,
) -> AllOf<Keyed<K, F::IntoFuture>, (K, S::Value)>
where
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    all(children.into_iter().map(keyed))
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
pub fn all_settled_keyed<K, F, S>(
    children: impl IntoIterator<Item = (K, F)>,
) -> AllSettledKeyed<K, F::IntoFuture, S::Value, S::Error>
where
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    let (keys, futures): (Vec<K>, Vec<F>) = children.into_iter().unzip();
    AllSettledKeyed {
        keys,
        outcomes: all_settled(futures),
    }
}

/// As [`any`](any()), of pairs of a key and a future: the first value with its key, or every error with its key, in the order of the
/// input.
///
/// Takes whatever gives such pairs: an array, a `Vec`, a map.
///
/// # Errors
/// [`AnyError`](super::AnyError), if all of them failed.
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
pub fn any_keyed<K, F, S>(
    children: impl IntoIterator<Item = (K, F)>,
) -> AnyOf<Keyed<K, F::IntoFuture>, KeyedError<K, S::Failure>>
where
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    any(children.into_iter().map(keyed))
}

/// As [`race`](race()), of pairs of a key and a future: what the first to end gives, with its key.
///
/// Takes whatever gives such pairs: an array, a `Vec`, a map.
///
/// # Errors
/// [`Empty`](super::Empty), if there is nobody.
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
) -> RaceOf<WithKey<K, F::IntoFuture>> {
    race(children.into_iter().map(with_key))
}

pin_project! {
    /// A child that gives its key, too.
    #[must_use = "futures do nothing unless polled"]
    pub struct WithKey<K, F> {
        key: Option<K>,
        #[pin]
        future: F,
    }
}

fn with_key<K, F: IntoFuture>((key, future): (K, F)) -> WithKey<K, F::IntoFuture> {
    WithKey {
        key: Some(key),
        future: future.into_future(),
    }
}

impl<K, F: Future> Future for WithKey<K, F> {
    type Output = (K, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let output = ready!(this.future.poll(cx));
        let key = this
            .key
            .take()
            .expect("it is polled again after it was ready");
        Poll::Ready((key, output))
    }
}

pin_project! {
    /// A child that gives its key with its value, and with its error.
    #[must_use = "futures do nothing unless polled"]
    pub struct Keyed<K, F> {
        #[pin]
        future: WithKey<K, F>,
    }
}

fn keyed<K, F: IntoFuture>(child: (K, F)) -> Keyed<K, F::IntoFuture> {
    Keyed {
        future: with_key(child),
    }
}

impl<K, F: Future<Output = S>, S: Settlement> Future for Keyed<K, F> {
    type Output = Result<(K, S::Value), KeyedError<K, S::Failure>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (key, settlement) = ready!(self.project().future.poll(cx));
        Poll::Ready(match settlement.into_result() {
            Ok(value) => Ok((key, value)),
            Err(error) => Err(KeyedError { key, error }),
        })
    }
}

/// The future of [`all_settled_keyed`].
#[must_use = "futures do nothing unless polled"]
pub struct AllSettledKeyed<K, F, T, E> {
    keys: Vec<K>,
    outcomes: AllSettledOf<F, T, E>,
}

// The keys are moved about, and never pinned.
impl<K, F, T, E> Unpin for AllSettledKeyed<K, F, T, E> {}

impl<K, F: Future<Output = S>, S: Settlement> Future for AllSettledKeyed<K, F, S::Value, S::Error> {
    type Output = Vec<(K, Outcome<S::Value, S::Error>)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let outcomes = ready!(Pin::new(&mut this.outcomes).poll(cx));
        let keys = std::mem::take(&mut this.keys);
        Poll::Ready(keys.into_iter().zip(outcomes).collect())
    }
}

unnamed!(WithKey<K, F>, Keyed<K, F>, AllSettledKeyed<K, F, T, E>);

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
