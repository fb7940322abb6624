//! [`all_settled`](all_settled()): every outcome.

use std::convert::Infallible;
use std::future::{Future, IntoFuture};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::settlement::Settlement;
use super::tuple::*;
use super::{Iter, Tuple, unnamed};
use crate::crew::{Crew, Turn};
use crate::outcome::{Outcome, Panic};

/// What [`all_settled`](all_settled()) takes: an iterator of futures, or a tuple of them. Their outputs are [`Settlement`]s.
pub trait AllSettled<Kind> {
    /// The outcomes: a `Vec`, or a tuple.
    type Outcomes;

    #[doc(hidden)]
    type Future: Future<Output = Self::Outcomes>;
    #[doc(hidden)]
    fn all_settled(self) -> Self::Future;
}

/// Waits for all of them, however they end: gives every outcome, in the order of the input.
///
/// As JavaScript's `Promise.allSettled`. A child that panics is [`Outcome::Panicked`]; the others go on. Of no children at all it gives
/// an empty `Vec`.
///
/// `children` is any iterator of futures, or a tuple of up to twelve of different types.
/// They run in the caller's task, all at once, and may borrow. An iterator is read to its end when `all_settled` is called.
///
/// A child that panicked is dropped and never polled again. What it shared with others by reference may be half changed: that is its
/// author's care, as with a panic in a thread. In a program built with `panic = "abort"` a panic ends the program.
///
/// # Panics
/// If it is polled again after it was ready.
///
/// # Cancel safety
/// Dropping it drops the children, and the outcomes that were there.
///
/// # Fairness
/// Those that woke are polled in the order of the input, each once before any of them twice.
///
/// ```
/// use settled::{Outcome, all_settled};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// async fn half(of: u32) -> Result<u32, String> {
///     match of % 2 {
///         0 => Ok(of / 2),
///         _ => Err(format!("{of} is odd")),
///     }
/// }
/// let outcomes = all_settled([2, 3, 4].map(half)).await;
/// let (halves, failed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Outcome::is_fulfilled);
/// assert_eq!((halves.len(), failed.len()), (2, 1));
/// # });
/// ```
pub fn all_settled<Kind, C: AllSettled<Kind>>(children: C) -> C::Future {
    children.all_settled()
}

impl<I, F, S> AllSettled<Iter> for I
where
    I: IntoIterator<Item = F>,
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    type Outcomes = Vec<Outcome<S::Value, S::Error>>;
    type Future = AllSettledOf<F::IntoFuture, S::Value, S::Error>;

    fn all_settled(self) -> Self::Future {
        let crew = Crew::new(self.into_iter().map(IntoFuture::into_future));
        AllSettledOf {
            outcomes: (0..crew.len()).map(|_| None).collect(),
            crew,
        }
    }
}

/// The future of [`all_settled`](all_settled()) of an iterator.
#[must_use = "futures do nothing unless polled"]
pub struct AllSettledOf<F, T, E> {
    crew: Crew<F>,
    outcomes: Vec<Option<Outcome<T, E>>>,
}

// The outcomes are moved about, and never pinned.
impl<F, T, E> Unpin for AllSettledOf<F, T, E> {}

impl<F: Future<Output = S>, S: Settlement> Future for AllSettledOf<F, S::Value, S::Error> {
    type Output = Vec<Outcome<S::Value, S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { crew, outcomes } = self.get_mut();
        loop {
            let turn = crew.poll(cx, |child, settlement: S| {
                outcomes[child] = Some(settlement.into_outcome());
                ControlFlow::<Infallible>::Continue(())
            });
            match turn {
                Turn::Pending => return Poll::Pending,
                Turn::Gone => {
                    super::let_go(crew);
                    let outcome = |outcome: Option<_>| outcome.expect("all have ended");
                    return Poll::Ready(
                        std::mem::take(outcomes).into_iter().map(outcome).collect(),
                    );
                }
                Turn::Panicked(child, payload) => {
                    outcomes[child] = Some(Outcome::Panicked(Panic::new(payload)));
                }
                Turn::Break(never) => match never {},
            }
        }
    }
}

pin_project! {
    /// The future of [`all_settled`](all_settled()) of a tuple.
    #[must_use = "futures do nothing unless polled"]
    pub struct AllSettledOfTuple<C> {
        #[pin]
        children: C,
    }
}

unnamed!(AllSettledOf<F, T, E>, AllSettledOfTuple<C>);

type Settled<S> = Outcome<<S as Settlement>::Value, <S as Settlement>::Error>;

fn outcome<S: Settlement>(settlement: S) -> Result<Settled<S>, Infallible> {
    Ok(settlement.into_outcome())
}

macro_rules! all_settled_of_tuple {
    ($Of:ident $($F:ident $f:ident),+) => {
        impl<$($F,)+> AllSettled<Tuple> for ($($F,)+)
        where
            $($F: IntoFuture, $F::Output: Settlement,)+
        {
            type Outcomes = ($(Settled<$F::Output>,)+);
            type Future =
                AllSettledOfTuple<$Of<$(Child<$F::IntoFuture, Settled<$F::Output>>),+>>;

            fn all_settled(self) -> Self::Future {
                let ($($f,)+) = self;
                AllSettledOfTuple {
                    children: $Of::new(($(Child::new($f.into_future()),)+)),
                }
            }
        }

        impl<$($F,)+> Future for AllSettledOfTuple<$Of<$(Child<$F, Settled<$F::Output>>),+>>
        where
            $($F: Future, $F::Output: Settlement,)+
        {
            type Output = ($(Settled<$F::Output>,)+);

            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let mut children = self.project().children.project();
                let all_ended = in_turn!(children, $($f)+, child => {
                    let mut child = child;
                    match child.as_mut().poll(cx, outcome) {
                        Some(Stop::Panicked(payload)) => {
                            child.keep(Outcome::Panicked(Panic::new(payload)));
                        }
                        Some(Stop::Break(never)) => match never {},
                        None => {}
                    }
                });
                if all_ended {
                    Poll::Ready(($(children.$f.as_mut().take(),)+))
                } else {
                    Poll::Pending
                }
            }
        }
    };
}
for_each_tuple!(all_settled_of_tuple);
