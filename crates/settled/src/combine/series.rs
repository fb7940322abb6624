//! [`series`](series()): one after the other, up to the first failure.

use std::future::{Future, IntoFuture};
use std::panic;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::settlement::Settlement;
use super::tuple::*;
use super::{Iter, Tuple, unnamed};

/// After so many steps in one poll the other tasks have their turn.
const TURN: usize = 256;

/// What [`series`](series()) takes: an iterator of futures, or a tuple of them. Their outputs are [`Settlement`]s.
pub trait Series<Kind> {
    /// The values: a `Vec`, or a tuple.
    type Values;
    /// The first failure.
    type Failure;

    #[doc(hidden)]
    type Future: Future<Output = Result<Self::Values, Self::Failure>>;
    #[doc(hidden)]
    fn series(self) -> Self::Future;
}

/// Runs steps one after the other, up to the first that fails: gives every value, or that failure.
///
/// A step begins when the one before it has ended. The next one is taken from the iterator only then, so an iterator that makes its
/// futures as it goes (`urls.iter().map(fetch)`) does not even make those that come after a failure.
///
/// `steps` is any iterator of futures, or a tuple of up to twelve of different types. They run in the caller's task, and may borrow.
///
/// # Errors
/// What the first step to fail fails with. No later step was started.
///
/// # Panics
/// If a step does. Also if it is polled again after it was ready.
///
/// # Cancel safety
/// Dropping it drops the step that runs, and those that were not started.
///
/// # Fairness
/// After 256 steps of an iterator in one poll the other tasks of the runtime have their turn.
///
/// ```
/// use settled::series;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// async fn step(name: &'static str) -> Result<usize, String> {
///     if name == "test" { Err("a test failed".to_owned()) } else { Ok(name.len()) }
/// }
/// let mut made = Vec::new();
/// let steps = ["build", "test", "publish"].into_iter().map(|name| {
///     made.push(name);
///     step(name)
/// });
/// assert_eq!(series(steps).await, Err("a test failed".to_owned()));
/// assert_eq!(made, ["build", "test"], "nothing was published");
/// # });
/// ```
pub fn series<Kind, C: Series<Kind>>(steps: C) -> C::Future {
    steps.series()
}

impl<I, F, S> Series<Iter> for I
where
    I: IntoIterator<Item = F>,
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    type Values = Vec<S::Value>;
    type Failure = S::Failure;
    type Future = SeriesOf<I::IntoIter, F::IntoFuture, S::Value>;

    fn series(self) -> Self::Future {
        SeriesOf {
            steps: Some(self.into_iter()),
            step: None,
            values: Vec::new(),
        }
    }
}

pin_project! {
    /// The future of [`series`](series()) of an iterator.
    #[must_use = "futures do nothing unless polled"]
    pub struct SeriesOf<I, F, T> {
        // `None`: it is over.
        steps: Option<I>,
        #[pin]
        step: Option<F>,
        values: Vec<T>,
    }
}

impl<I, F, S> Future for SeriesOf<I, F::IntoFuture, S::Value>
where
    I: Iterator<Item = F>,
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    type Output = Result<Vec<S::Value>, S::Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        for _ in 0..TURN {
            if let Some(step) = this.step.as_mut().as_pin_mut() {
                let settlement = ready!(step.poll(cx));
                this.step.set(None);
                match settlement.into_result() {
                    Ok(value) => this.values.push(value),
                    Err(failure) => {
                        *this.steps = None;
                        return Poll::Ready(Err(failure));
                    }
                }
            }
            let steps = this.steps.as_mut();
            match steps.expect("it is polled again after it was ready").next() {
                Some(step) => this.step.set(Some(step.into_future())),
                None => {
                    *this.steps = None;
                    return Poll::Ready(Ok(std::mem::take(this.values)));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

pin_project! {
    /// The future of [`series`](series()) of a tuple.
    #[must_use = "futures do nothing unless polled"]
    pub struct SeriesOfTuple<C> {
        #[pin]
        steps: C,
    }
}

pin_project! {
    /// What is no future before its turn comes, and then a child.
    pub struct Step<S, F, T> {
        waits: Option<S>,
        #[pin]
        child: Child<F, T>,
    }
}

unnamed!(SeriesOf<I, F, T>, SeriesOfTuple<C>);

macro_rules! series_of_tuple {
    ($Of:ident $($F:ident $f:ident),+) => {
        impl<Failure, $($F,)+> Series<Tuple> for ($($F,)+)
        where
            $($F: IntoFuture, $F::Output: Settlement<Failure = Failure>,)+
        {
            type Values = ($(<$F::Output as Settlement>::Value,)+);
            type Failure = Failure;
            type Future = SeriesOfTuple<
                $Of<$(Step<$F, $F::IntoFuture, <$F::Output as Settlement>::Value>),+>
            >;

            fn series(self) -> Self::Future {
                let ($($f,)+) = self;
                $(let $f = Step { waits: Some($f), child: Child::ended() };)+
                SeriesOfTuple { steps: $Of::new(($($f,)+)) }
            }
        }

        impl<Failure, $($F,)+> Future
            for SeriesOfTuple<$Of<$(Step<$F, $F::IntoFuture, <$F::Output as Settlement>::Value>),+>>
        where
            $($F: IntoFuture, $F::Output: Settlement<Failure = Failure>,)+
        {
            type Output = Result<($(<$F::Output as Settlement>::Value,)+), Failure>;

            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let mut steps = self.project().steps.project();
                assert!(!*steps.over, "it is polled again after it was ready");
                $(
                    let mut step = steps.$f.as_mut().project();
                    if let Some(waits) = step.waits.take() {
                        step.child.set(Child::new(waits.into_future()));
                    }
                    match step.child.as_mut().poll(cx, Settlement::into_result) {
                        Some(Stop::Break(failure)) => {
                            *steps.over = true;
                            return Poll::Ready(Err(failure));
                        }
                        Some(Stop::Panicked(payload)) => {
                            *steps.over = true;
                            panic::resume_unwind(payload);
                        }
                        None if step.child.has_ended() => {}
                        None => return Poll::Pending,
                    }
                )+
                *steps.over = true;
                Poll::Ready(Ok(($(steps.$f.as_mut().project().child.take(),)+)))
            }
        }
    };
}
for_each_tuple!(series_of_tuple);
