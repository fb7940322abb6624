//! [`series`]: one after the other, up to the first failure.

use std::future::{Future, IntoFuture};

use super::settlement::Settlement;
use super::tuple::for_each_tuple;
use super::{Iter, Tuple};

/// What [`series`] takes: an iterator of futures, or a tuple of them. Their outputs are [`Settlement`]s.
pub trait Series<Kind> {
    /// The values: a `Vec`, or a tuple.
    type Values;
    /// The first failure.
    type Failure;

    #[doc(hidden)]
    fn series(self) -> impl Future<Output = Result<Self::Values, Self::Failure>>;
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
/// If a step does.
///
/// # Cancel safety
/// Dropping it drops the step that runs, and those that were not started.
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
pub fn series<Kind, C: Series<Kind>>(
    steps: C,
) -> impl Future<Output = Result<C::Values, C::Failure>> {
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

    fn series(self) -> impl Future<Output = Result<Self::Values, Self::Failure>> {
        let steps = self.into_iter();
        async move {
            let mut values = Vec::new();
            for step in steps {
                values.push(step.into_future().await.into_result()?);
            }
            Ok(values)
        }
    }
}

macro_rules! series_of_tuple {
    ($($F:ident $f:ident),+) => {
        impl<Failure, $($F,)+> Series<Tuple> for ($($F,)+)
        where
            $($F: IntoFuture, $F::Output: Settlement<Failure = Failure>,)+
        {
            type Values = ($(<$F::Output as Settlement>::Value,)+);
            type Failure = Failure;

            async fn series(self) -> Result<Self::Values, Failure> {
                let ($($f,)+) = self;
                Ok(($($f.into_future().await.into_result()?,)+))
            }
        }
    };
}
for_each_tuple!(series_of_tuple);
