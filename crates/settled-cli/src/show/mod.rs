//! What a person sees: made of a run's counters and its report, on standard error.

pub(crate) mod escape;
pub(crate) mod number;
pub(crate) mod progress;
pub(crate) mod style;
pub(crate) mod summary;

/// Says a line on standard error, as `eprintln!` does, but where that takes nothing (a closed pipe, a full disk, a terminal that
/// hung up) the run goes on: what counts is the ledger.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}
pub(crate) use say;
