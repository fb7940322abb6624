//! What becomes of a value: it is kept, left out, or the end.

/// What [`map`](crate::map()), [`filter_map`](crate::filter_map) and [`map_while`](crate::map_while) make of the value that `f` gives.
pub trait Shape<V> {
    /// What is kept of it.
    type Value;

    /// Whether a value can be the end.
    #[doc(hidden)]
    const ENDS: bool = false;

    #[doc(hidden)]
    fn step(value: V) -> Step<Self::Value>;
}

/// What becomes of a value.
#[derive(Debug)]
pub enum Step<T> {
    /// It is kept.
    Keep(T),
    /// It is left out.
    Skip,
    /// It ends the whole, as `break` would.
    End,
}

/// Every value is kept.
#[derive(Debug)]
pub enum Every {}

impl<T> Shape<T> for Every {
    type Value = T;

    fn step(value: T) -> Step<T> {
        Step::Keep(value)
    }
}

/// `None` leaves an item out.
#[derive(Debug)]
pub enum Filter {}

impl<T> Shape<Option<T>> for Filter {
    type Value = T;

    fn step(value: Option<T>) -> Step<T> {
        value.map_or(Step::Skip, Step::Keep)
    }
}

/// `None` is the end.
#[derive(Debug)]
pub enum While {}

impl<T> Shape<Option<T>> for While {
    type Value = T;

    const ENDS: bool = true;

    fn step(value: Option<T>) -> Step<T> {
        value.map_or(Step::End, Step::Keep)
    }
}
