//! What a person sees: made of a run's counters and its report, on standard error.

pub(crate) mod escape;
pub(crate) mod number;
pub(crate) mod progress;
pub(crate) mod style;
pub(crate) mod summary;
