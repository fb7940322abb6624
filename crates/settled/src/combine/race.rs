//! [`race`](race()): the first to settle.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::tuple::*;
use super::{Iter, Tuple, unnamed};
use crate::crew::{Crew, Turn};

/// What [`race`](race()) takes: an iterator of futures, or a tuple of them, all with the same output.
pub trait Race<Kind> {
    /// What the winner gives: its output, and for an iterator, in which there may be nobody, a `Result` of it.
    type Winner;

    #[doc(hidden)]
    type Future: Future<Output = Self::Winner>;
    #[doc(hidden)]
    fn race(self) -> Self::Future;
}

/// Waits for the first of them to end, however it ends.
///
/// As JavaScript's `Promise.race`, but what is still running when one ends does not go on: it is dropped before the answer is returned; and
/// a race among nobody is an error at once, and not pending for ever. The first *success* is what [`any`](crate::any())
/// waits for.
///
/// `children` is any iterator of futures, which gives `Result<Output, Empty>`, or a tuple of up to twelve, which can't be empty and
/// gives the output itself. All have the same output, which may be anything; where they differ, `tokio::select!` is what you
/// want. They run in the caller's task, all at once, and may borrow. An iterator is read to its end when `race` is called.
///
/// # Errors
/// [`Empty`], if there is nobody in the iterator.
///
/// # Panics
/// If a child panics: the others are dropped first. Also if it is polled again after it was ready.
///
/// # Cancel safety
/// Dropping it drops the children: it is as cancel safe as they are.
///
/// # Fairness
/// Those that woke are polled in the order of the input: of several that are ready at once, the first in the input wins.
///
/// ```
/// use settled::race;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// # use std::time::Duration;
/// # use tokio::time::sleep;
/// async fn after(ms: u64) -> Result<u64, String> {
///     sleep(Duration::from_millis(ms)).await;
///     if ms < 10 { Err(format!("{ms} ms was too early")) } else { Ok(ms) }
/// }
/// assert_eq!(race((after(20), after(10))).await, Ok(10));
/// assert_eq!(race([20, 10, 30].map(after)).await, Ok(Ok(10)));
/// assert_eq!(race((after(20), after(5))).await, Err("5 ms was too early".to_owned()));
/// # });
/// ```
pub fn race<Kind, C: Race<Kind>>(children: C) -> C::Future {
    children.race()
}

/// Nobody took part in a [`race`](race()).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Empty;

impl fmt::Display for Empty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a race needs at least one that takes part")
    }
}

impl std::error::Error for Empty {}

impl<I, F> Race<Iter> for I
where
    I: IntoIterator<Item = F>,
    F: IntoFuture,
{
    type Winner = Result<F::Output, Empty>;
    type Future = RaceOf<F::IntoFuture>;

    fn race(self) -> Self::Future {
        RaceOf {
            crew: Crew::new(self.into_iter().map(IntoFuture::into_future)),
        }
    }
}

/// The future of [`race`](race()) of an iterator.
#[must_use = "futures do nothing unless polled"]
pub struct RaceOf<F> {
    crew: Crew<F>,
}

impl<F: Future> Future for RaceOf<F> {
    type Output = Result<F::Output, Empty>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let crew = &mut self.get_mut().crew;
        let answer = match crew.poll(cx, |_, output| ControlFlow::Break(output)) {
            Turn::Pending => return Poll::Pending,
            Turn::Gone => Err(Empty),
            Turn::Break(output) => Ok(output),
            Turn::Panicked(_, payload) => super::resume(crew, payload),
        };
        super::let_go(crew);
        Poll::Ready(answer)
    }
}

pin_project! {
    /// The future of [`race`](race()) of a tuple.
    #[must_use = "futures do nothing unless polled"]
    pub struct RaceOfTuple<C> {
        #[pin]
        children: C,
    }
}

unnamed!(RaceOf<F>, RaceOfTuple<C>);

macro_rules! race_of_tuple {
    ($Of:ident $($F:ident $f:ident),+) => {
        impl<Output, $($F,)+> Race<Tuple> for ($($F,)+)
        where
            $($F: IntoFuture<Output = Output>,)+
        {
            type Winner = Output;
            type Future = RaceOfTuple<$Of<$(Child<$F::IntoFuture, Infallible>),+>>;

            fn race(self) -> Self::Future {
                let ($($f,)+) = self;
                RaceOfTuple {
                    children: $Of::new(($(Child::new($f.into_future()),)+)),
                }
            }
        }

        impl<Output, $($F,)+> Future for RaceOfTuple<$Of<$(Child<$F, Infallible>),+>>
        where
            $($F: Future<Output = Output>,)+
        {
            type Output = Output;

            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let mut children = self.project().children.project();
                let (output, panicked) = 'stop: {
                    let _nobody_is_left = in_turn!(children, $($f)+, child => {
                        match child.poll(cx, Err) {
                            Some(Stop::Break(output)) => break 'stop (Some(output), Ok(())),
                            Some(Stop::Panicked(payload)) => break 'stop (None, Err(payload)),
                            None => {}
                        }
                    });
                    return Poll::Pending;
                };
                let_go!(panicked, children, $($f)+);
                Poll::Ready(output.expect("somebody has won, or has panicked"))
            }
        }
    };
}
for_each_tuple!(race_of_tuple);
