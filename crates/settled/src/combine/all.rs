//! [`all`](all()): every value, or the first error.

use std::future::{Future, IntoFuture};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::settlement::Settlement;
use super::tuple::*;
use super::{Iter, Tuple, unnamed};
use crate::crew::{Crew, Turn};

/// What [`all`](all()) takes: an iterator of futures, or a tuple of them. Their outputs are [`Settlement`]s.
pub trait All<Kind> {
    /// The values: a `Vec`, or a tuple.
    type Values;
    /// The first failure.
    type Failure;

    #[doc(hidden)]
    type Future: Future<Output = Result<Self::Values, Self::Failure>>;
    #[doc(hidden)]
    fn all(self) -> Self::Future;
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
pub fn all<Kind, C: All<Kind>>(children: C) -> C::Future {
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
    type Future = AllOf<F::IntoFuture, S::Value>;

    fn all(self) -> Self::Future {
        let crew = Crew::new(self.into_iter().map(IntoFuture::into_future));
        AllOf {
            values: (0..crew.len()).map(|_| None).collect(),
            crew,
        }
    }
}

/// The future of [`all`](all()) of an iterator.
#[must_use = "futures do nothing unless polled"]
pub struct AllOf<F, T> {
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
            Turn::Gone => {
                let value = |value: Option<_>| value.expect("all have ended, none with a failure");
                Ok(std::mem::take(values).into_iter().map(value).collect())
            }
            Turn::Break(failure) => Err(failure),
            Turn::Panicked(_, payload) => super::resume(crew, payload),
        };
        super::let_go(crew);
        Poll::Ready(answer)
    }
}

pin_project! {
    /// The future of [`all`](all()) of a tuple.
    #[must_use = "futures do nothing unless polled"]
    pub struct AllOfTuple<C> {
        #[pin]
        children: C,
    }
}

unnamed!(AllOf<F, T>, AllOfTuple<C>);

macro_rules! all_of_tuple {
    ($Of:ident $($F:ident $f:ident),+) => {
        impl<Failure, $($F,)+> All<Tuple> for ($($F,)+)
        where
            $($F: IntoFuture, $F::Output: Settlement<Failure = Failure>,)+
        {
            type Values = ($(<$F::Output as Settlement>::Value,)+);
            type Failure = Failure;
            type Future = AllOfTuple<
                $Of<$(Child<$F::IntoFuture, <$F::Output as Settlement>::Value>),+>
            >;

            fn all(self) -> Self::Future {
                let ($($f,)+) = self;
                AllOfTuple {
                    children: $Of::new(($(Child::new($f.into_future()),)+)),
                }
            }
        }

        impl<Failure, $($F,)+> Future
            for AllOfTuple<$Of<$(Child<$F, <$F::Output as Settlement>::Value>),+>>
        where
            $($F: Future, $F::Output: Settlement<Failure = Failure>,)+
        {
            type Output = Result<($(<$F::Output as Settlement>::Value,)+), Failure>;

            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let mut children = self.project().children.project();
                let (failure, panicked) = 'stop: {
                    let all_ended = in_turn!(children, $($f)+, child => {
                        match child.poll(cx, Settlement::into_result) {
                            Some(Stop::Break(failure)) => break 'stop (Some(failure), Ok(())),
                            Some(Stop::Panicked(payload)) => break 'stop (None, Err(payload)),
                            None => {}
                        }
                    });
                    if !all_ended {
                        return Poll::Pending;
                    }
                    return Poll::Ready(Ok(($(children.$f.as_mut().take(),)+)));
                };
                let_go!(panicked, children, $($f)+);
                Poll::Ready(Err(failure.expect("it has failed, or has panicked")))
            }
        }
    };
}
for_each_tuple!(all_of_tuple);
