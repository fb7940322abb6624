//! What a child of a combinator ends with: [`Settlement`].

use crate::outcome::{Failed, Outcome};

/// What a fallible piece of work ends with: a `Result`, or an [`Outcome`], as a task's handle gives it. Nothing else is one.
pub trait Settlement: sealed::Sealed {
    /// What it is if all went well.
    type Value;
    /// What its code says when it fails.
    type Error;
    /// Every way in which it may not have gone well: the error of a `Result`, a [`Failed`] of an outcome.
    type Failure;

    /// The value, or what kept it from being there.
    ///
    /// # Errors
    /// If it did not go well.
    fn into_result(self) -> Result<Self::Value, Self::Failure>;

    /// The same as an outcome.
    fn into_outcome(self) -> Outcome<Self::Value, Self::Error>;
}

mod sealed {
    pub trait Sealed {}
    impl<T, E> Sealed for Result<T, E> {}
    impl<T, E> Sealed for crate::outcome::Outcome<T, E> {}
}

impl<T, E> Settlement for Result<T, E> {
    type Value = T;
    type Error = E;
    type Failure = E;

    fn into_result(self) -> Self {
        self
    }

    fn into_outcome(self) -> Outcome<T, E> {
        self.into()
    }
}

impl<T, E> Settlement for Outcome<T, E> {
    type Value = T;
    type Error = E;
    type Failure = Failed<E>;

    fn into_result(self) -> Result<T, Failed<E>> {
        Self::into_result(self)
    }

    fn into_outcome(self) -> Self {
        self
    }
}
