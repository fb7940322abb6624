//! [`any`](any()): the first value, or every error.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::ControlFlow;
use std::panic;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::settlement::Settlement;
use super::tuple::*;
use super::{Iter, Tuple, unnamed};
use crate::crew::{Crew, Turn};
use crate::slots::Payload;

/// What [`any`](any()) takes: an iterator of futures, or a tuple of them. Their outputs are [`Settlement`]s.
pub trait Any<Kind> {
    /// The value.
    type Value;
    /// What each of them may fail with.
    type Failure;

    #[doc(hidden)]
    type Future: Future<Output = Result<Self::Value, AnyError<Self::Failure>>>;
    #[doc(hidden)]
    fn any(self) -> Self::Future;
}

/// Waits for the first of them that succeeds; if none does, gives every error, in the order of the input.
///
/// As JavaScript's `Promise.any`, but what is still running when one succeeds does not go on: it is dropped before the value is returned.
/// Of no children at all it gives an error without errors, at once.
///
/// `children` is any iterator of futures, or a tuple of up to twelve, all with the same value and the same error.
/// They run in the caller's task, all at once, and may borrow. An iterator is read to its end when `any` is called.
///
/// # Errors
/// [`AnyError`], if all of them failed.
///
/// # Panics
/// If a child panicked and none succeeded: with the first panic. A panic of a child is forgotten if another one
/// succeeds. Also if it is polled again after it was ready.
///
/// # Cancel safety
/// Dropping it drops the children, and the errors that were there.
///
/// # Fairness
/// Those that woke are polled in the order of the input, each once before any of them twice.
///
/// ```
/// use settled::any;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// async fn mirror(n: u32) -> Result<String, String> {
///     if n == 2 { Ok("the page".to_owned()) } else { Err(format!("mirror {n} is down")) }
/// }
/// assert_eq!(any([1, 2, 3].map(mirror)).await.unwrap(), "the page");
///
/// let error = any([1, 3].map(mirror)).await.unwrap_err();
/// assert_eq!(error.errors(), ["mirror 1 is down", "mirror 3 is down"]);
/// # });
/// ```
pub fn any<Kind, C: Any<Kind>>(children: C) -> C::Future {
    children.any()
}

/// Not one of them succeeded: every error, in the order of the input.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let nobody: [std::future::Ready<Result<(), String>>; 0] = [];
/// let error = settled::any(nobody).await.unwrap_err();
/// assert_eq!(error.to_string(), "there was nobody to succeed");
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyError<E> {
    errors: Vec<E>,
}

impl<E> AnyError<E> {
    pub(crate) const fn new(errors: Vec<E>) -> Self {
        Self { errors }
    }

    /// The errors, in the order of the input.
    #[must_use]
    pub fn errors(&self) -> &[E] {
        &self.errors
    }

    /// The errors, in the order of the input.
    #[must_use]
    pub fn into_errors(self) -> Vec<E> {
        self.errors
    }
}

impl<E: fmt::Display> fmt::Display for AnyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.as_slice() {
            [] => f.write_str("there was nobody to succeed"),
            [only] => fmt::Display::fmt(only, f),
            [first, ..] => write!(f, "all {} failed; the first: {first}", self.errors.len()),
        }
    }
}

/// Its source is the source of the first error, which is in its own message.
impl<E: std::error::Error> std::error::Error for AnyError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.errors.first().and_then(|error| error.source())
    }
}

impl<I, F, S> Any<Iter> for I
where
    I: IntoIterator<Item = F>,
    F: IntoFuture<Output = S>,
    S: Settlement,
{
    type Value = S::Value;
    type Failure = S::Failure;
    type Future = AnyOf<F::IntoFuture, S::Failure>;

    fn any(self) -> Self::Future {
        let crew = Crew::new(self.into_iter().map(IntoFuture::into_future));
        AnyOf {
            failures: (0..crew.len()).map(|_| None).collect(),
            panicked: None,
            crew,
        }
    }
}

/// The future of [`any`](any()) of an iterator.
#[must_use = "futures do nothing unless polled"]
pub struct AnyOf<F, E> {
    crew: Crew<F>,
    failures: Vec<Option<E>>,
    panicked: Option<Payload>,
}

// The failures are moved about, and never pinned.
impl<F, E> Unpin for AnyOf<F, E> {}

impl<F: Future<Output = S>, S: Settlement> Future for AnyOf<F, S::Failure> {
    type Output = Result<S::Value, AnyError<S::Failure>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            crew,
            failures,
            panicked,
        } = self.get_mut();
        loop {
            let turn = crew.poll(cx, |child, settlement: S| match settlement.into_result() {
                Ok(value) => ControlFlow::Break(value),
                Err(failure) => {
                    failures[child] = Some(failure);
                    ControlFlow::Continue(())
                }
            });
            match turn {
                Turn::Pending => return Poll::Pending,
                Turn::Break(value) => {
                    super::let_go(crew);
                    return Poll::Ready(Ok(value));
                }
                Turn::Panicked(_, payload) => {
                    panicked.get_or_insert(payload);
                }
                Turn::Gone => {
                    super::let_go(crew);
                    if let Some(payload) = panicked.take() {
                        panic::resume_unwind(payload);
                    }
                    let errors = std::mem::take(failures).into_iter().flatten().collect();
                    return Poll::Ready(Err(AnyError::new(errors)));
                }
            }
        }
    }
}

pin_project! {
    /// The future of [`any`](any()) of a tuple.
    #[must_use = "futures do nothing unless polled"]
    pub struct AnyOfTuple<C> {
        #[pin]
        children: C,
        panicked: Option<Payload>,
    }
}

unnamed!(AnyOf<F, E>, AnyOfTuple<C>);

/// A failure is kept, a value decides.
fn failure<S: Settlement>(settlement: S) -> Result<S::Failure, S::Value> {
    match settlement.into_result() {
        Ok(value) => Err(value),
        Err(failure) => Ok(failure),
    }
}

macro_rules! any_of_tuple {
    ($Of:ident $($F:ident $f:ident),+) => {
        impl<Value, Failure, $($F,)+> Any<Tuple> for ($($F,)+)
        where
            $($F: IntoFuture, $F::Output: Settlement<Value = Value, Failure = Failure>,)+
        {
            type Value = Value;
            type Failure = Failure;
            type Future = AnyOfTuple<$Of<$(Child<$F::IntoFuture, Failure>),+>>;

            fn any(self) -> Self::Future {
                let ($($f,)+) = self;
                AnyOfTuple {
                    children: $Of::new(($(Child::new($f.into_future()),)+)),
                    panicked: None,
                }
            }
        }

        impl<Value, Failure, $($F,)+> Future for AnyOfTuple<$Of<$(Child<$F, Failure>),+>>
        where
            $($F: Future, $F::Output: Settlement<Value = Value, Failure = Failure>,)+
        {
            type Output = Result<Value, AnyError<Failure>>;

            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                let this = self.project();
                let mut children = this.children.project();
                let value = 'value: {
                    let all_ended = in_turn!(children, $($f)+, child => {
                        match child.poll(cx, failure) {
                            Some(Stop::Break(value)) => break 'value value,
                            Some(Stop::Panicked(payload)) => {
                                this.panicked.get_or_insert(payload);
                            }
                            None => {}
                        }
                    });
                    if !all_ended {
                        return Poll::Pending;
                    }
                    if let Some(payload) = this.panicked.take() {
                        panic::resume_unwind(payload);
                    }
                    let errors = [$(children.$f.as_mut().take()),+];
                    return Poll::Ready(Err(AnyError::new(errors.into())));
                };
                let_go!(Ok(()), children, $($f)+);
                Poll::Ready(Ok(value))
            }
        }
    };
}
for_each_tuple!(any_of_tuple);
