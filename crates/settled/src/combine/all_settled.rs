//! [`all_settled`]: every outcome.

use std::convert::Infallible;
use std::future::{Future, IntoFuture, poll_fn};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use super::settlement::Settlement;
use super::tuple::{Child, Stop, for_each_tuple};
use super::{Iter, Tuple};
use crate::crew::{Crew, Turn};
use crate::outcome::{Outcome, Panic};

/// What [`all_settled`] takes: an iterator of futures, or a tuple of them. Their outputs are [`Settlement`]s.
pub trait AllSettled<Kind> {
    /// The outcomes: a `Vec`, or a tuple.
    type Outcomes;

    #[doc(hidden)]
    fn all_settled(self) -> impl Future<Output = Self::Outcomes>;
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
pub fn all_settled<Kind, C: AllSettled<Kind>>(children: C) -> impl Future<Output = C::Outcomes> {
    children.all_settled()
}

impl<I, F, S> AllSettled<Iter> for I
where
    I: IntoIterator<Item = F>,
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    type Outcomes = Vec<Outcome<S::Value, S::Error>>;

    fn all_settled(self) -> impl Future<Output = Self::Outcomes> {
        let crew = Crew::new(self.into_iter().map(IntoFuture::into_future));
        AllSettledOf {
            outcomes: (0..crew.len()).map(|_| None).collect(),
            crew,
        }
    }
}

struct AllSettledOf<F, T, E> {
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
                    return Poll::Ready(std::mem::take(outcomes).into_iter().flatten().collect());
                }
                Turn::Panicked(child, payload) => {
                    outcomes[child] = Some(Outcome::Panicked(Panic::new(payload)));
                }
                Turn::Break(never) => match never {},
            }
        }
    }
}

macro_rules! all_settled_of_tuple {
    ($($F:ident $f:ident),+) => {
        impl<$($F,)+> AllSettled<Tuple> for ($($F,)+)
        where
            $($F: IntoFuture, $F::Output: Settlement,)+
        {
            type Outcomes = ($(Outcome<
                <$F::Output as Settlement>::Value,
                <$F::Output as Settlement>::Error,
            >,)+);

            async fn all_settled(self) -> Self::Outcomes {
                let ($($f,)+) = self;
                $(let mut $f = pin!(Child::new($f.into_future()));)+
                poll_fn(|cx| {
                    let mut all_ended = true;
                    $(
                        let outcome = |settlement: $F::Output| {
                            Ok::<_, Infallible>(settlement.into_outcome())
                        };
                        match $f.as_mut().poll(cx, outcome) {
                            Some(Stop::Panicked(payload)) => {
                                $f.as_mut().keep(Outcome::Panicked(Panic::new(payload)));
                            }
                            Some(Stop::Break(never)) => match never {},
                            None => {}
                        }
                        all_ended &= $f.has_ended();
                    )+
                    if all_ended { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                ($($f.take().expect("it has ended"),)+)
            }
        }
    };
}
for_each_tuple!(all_settled_of_tuple);
