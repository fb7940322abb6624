//! [`all`]: every value, or the first error.

use std::future::{Future, IntoFuture, poll_fn};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use super::settlement::Settlement;
use super::tuple::{Child, Stop, for_each_tuple, let_go};
use super::{Iter, Tuple};
use crate::crew::{Crew, Turn};

/// What [`all`] takes: an iterator of futures, or a tuple of them. Their outputs are [`Settlement`]s.
pub trait All<Kind> {
    /// The values: a `Vec`, or a tuple.
    type Values;
    /// The first failure.
    type Failure;

    #[doc(hidden)]
    fn all(self) -> impl Future<Output = Result<Self::Values, Self::Failure>>;
}

/// Waits for all of them: gives every value, in the order of the input, or the first failure in time.
///
/// As JavaScript's `Promise.all`, but what is still running when one fails does not go on: it is dropped before the failure is returned.
/// Of no children at all it gives an empty `Vec`.
///
/// `children` is any iterator of futures, or a tuple of up to twelve of different types.
/// They run in the caller's task, all at once, and may borrow. An iterator is read to its end when `all` is called.
///
/// # Errors
/// What the first child to fail fails with: the `E` of a `Result<_, E>`, the [`Failed<E>`](crate::Failed) of an outcome.
///
/// # Panics
/// If a child panics: the others are dropped first. Also if it is polled again after it was ready.
///
/// # Cancel safety
/// Dropping it drops the children: it is as cancel safe as they are.
///
/// # Fairness
/// Those that woke are polled in the order of the input, each once before any of them twice.
///
/// ```
/// use settled::all;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// async fn price(of: &str) -> Result<u32, String> {
///     match of {
///         "tea" => Ok(3),
///         "cake" => Ok(5),
///         _ => Err(format!("no {of} here")),
///     }
/// }
/// async fn table() -> Result<&'static str, String> { Ok("by the window") }
///
/// assert_eq!(all(["tea", "cake"].map(price)).await, Ok(vec![3, 5]));
/// assert_eq!(all((price("tea"), table())).await, Ok((3, "by the window")));
/// assert_eq!(all(["tea", "beer"].map(price)).await, Err("no beer here".to_owned()));
/// # });
/// ```
pub fn all<Kind, C: All<Kind>>(children: C) -> impl Future<Output = Result<C::Values, C::Failure>> {
    children.all()
}

impl<I, F, S> All<Iter> for I
where
    I: IntoIterator<Item = F>,
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    type Values = Vec<S::Value>;
    type Failure = S::Failure;

    fn all(self) -> impl Future<Output = Result<Self::Values, Self::Failure>> {
        let crew = Crew::new(self.into_iter().map(IntoFuture::into_future));
        AllOf {
            values: (0..crew.len()).map(|_| None).collect(),
            crew,
        }
    }
}

struct AllOf<F, T> {
    crew: Crew<F>,
    values: Vec<Option<T>>,
}

// The values are moved about, and never pinned.
impl<F, T> Unpin for AllOf<F, T> {}

impl<F: Future<Output = S>, S: Settlement> Future for AllOf<F, S::Value> {
    type Output = Result<Vec<S::Value>, S::Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { crew, values } = self.get_mut();
        let turn = crew.poll(cx, |child, settlement: S| match settlement.into_result() {
            Ok(value) => {
                values[child] = Some(value);
                ControlFlow::Continue(())
            }
            Err(failure) => ControlFlow::Break(failure),
        });
        let answer = match turn {
            Turn::Pending => return Poll::Pending,
            Turn::Gone => Ok(std::mem::take(values).into_iter().flatten().collect()),
            Turn::Break(failure) => Err(failure),
            Turn::Panicked(_, payload) => super::resume(crew, payload),
        };
        super::let_go(crew);
        Poll::Ready(answer)
    }
}

macro_rules! all_of_tuple {
    ($($F:ident $f:ident),+) => {
        impl<Failure, $($F,)+> All<Tuple> for ($($F,)+)
        where
            $($F: IntoFuture, $F::Output: Settlement<Failure = Failure>,)+
        {
            type Values = ($(<$F::Output as Settlement>::Value,)+);
            type Failure = Failure;

            async fn all(self) -> Result<Self::Values, Failure> {
                let ($($f,)+) = self;
                $(let mut $f = pin!(Child::new($f.into_future()));)+
                let stop = poll_fn(|cx| {
                    let mut all_ended = true;
                    $(
                        if let Some(stop) = $f.as_mut().poll(cx, Settlement::into_result) {
                            return Poll::Ready(Some(stop));
                        }
                        all_ended &= $f.has_ended();
                    )+
                    if all_ended { Poll::Ready(None) } else { Poll::Pending }
                })
                .await;
                let (failure, panicked) = match stop {
                    Some(Stop::Break(failure)) => (Some(failure), Ok(())),
                    Some(Stop::Panicked(payload)) => (None, Err(payload)),
                    None => (None, Ok(())),
                };
                let_go!(panicked, $($f)+);
                match failure {
                    Some(failure) => Err(failure),
                    None => Ok(($($f.take().expect("it has ended, and not with a failure"),)+)),
                }
            }
        }
    };
}
for_each_tuple!(all_of_tuple);
