//! How a piece of work ended: [`Outcome`], and [`settle()`], which makes one of a future.

mod panic;
mod settle;

use std::fmt;
use std::future::Future;
use std::str::FromStr;

use crate::reason::Reason;

pub use panic::Panic;
pub(crate) use settle::settle_by;
pub use settle::{Settle, settle};

/// How a piece of work ended. Everything that starts has exactly one.
///
/// ```
/// use settled::{Outcome, OutcomeKind};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let outcome = settled::settle(async { "7".parse::<u8>() }).await;
/// assert_eq!(outcome.kind(), OutcomeKind::Fulfilled);
/// assert_eq!(outcome.fulfilled(), Some(7));
/// # });
/// ```
#[derive(Debug)]
#[must_use = "an outcome that nobody looks at may be a failure that nobody hears of"]
pub enum Outcome<T, E> {
    /// It did what it was asked to do.
    Fulfilled(T),
    /// It failed, and said why.
    Rejected(E),
    /// Its time was up.
    TimedOut,
    /// It was told to stop, and did, or never started.
    Cancelled(Reason),
    /// Its code panicked.
    Panicked(Panic),
    /// It was told to stop, ignored that past its grace, and may still be running. Only what can't be stopped from outside
    /// (a computation, a foreign process) ever ends like this.
    Abandoned,
}

/// The kind of an [`Outcome`], without what it carries.
///
/// ```
/// use settled::OutcomeKind;
///
/// assert_eq!(OutcomeKind::TimedOut.to_string(), "timed_out");
/// assert_eq!("timed_out".parse(), Ok(OutcomeKind::TimedOut));
/// assert_eq!(OutcomeKind::ALL.len(), 6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OutcomeKind {
    /// [`Outcome::Fulfilled`].
    Fulfilled,
    /// [`Outcome::Rejected`].
    Rejected,
    /// [`Outcome::TimedOut`].
    TimedOut,
    /// [`Outcome::Cancelled`].
    Cancelled,
    /// [`Outcome::Panicked`].
    Panicked,
    /// [`Outcome::Abandoned`].
    Abandoned,
}

impl OutcomeKind {
    /// Every kind, in the order of the enum: `kind as usize` is its index here.
    pub const ALL: [Self; 6] = [
        Self::Fulfilled,
        Self::Rejected,
        Self::TimedOut,
        Self::Cancelled,
        Self::Panicked,
        Self::Abandoned,
    ];

    /// The name, in snake case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fulfilled => "fulfilled",
            Self::Rejected => "rejected",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
            Self::Abandoned => "abandoned",
        }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that is no [`OutcomeKind::name`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownOutcomeKind(Box<str>);

impl fmt::Display for UnknownOutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no kind of outcome", self.0)
    }
}

impl std::error::Error for UnknownOutcomeKind {}

impl FromStr for OutcomeKind {
    type Err = UnknownOutcomeKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| UnknownOutcomeKind(name.into()))
    }
}

impl<T, E> Outcome<T, E> {
    /// Runs `future` to its end; the same as [`settle()`].
    ///
    /// ```
    /// # use settled::Outcome;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let outcome = Outcome::of(async { Err::<(), _>("no such file") }).await;
    /// assert!(outcome.is_rejected());
    /// # });
    /// ```
    pub fn of<F: Future<Output = Result<T, E>>>(future: F) -> Settle<F> {
        settle(future)
    }

    /// Which kind of outcome it is.
    pub const fn kind(&self) -> OutcomeKind {
        match self {
            Self::Fulfilled(_) => OutcomeKind::Fulfilled,
            Self::Rejected(_) => OutcomeKind::Rejected,
            Self::TimedOut => OutcomeKind::TimedOut,
            Self::Cancelled(_) => OutcomeKind::Cancelled,
            Self::Panicked(_) => OutcomeKind::Panicked,
            Self::Abandoned => OutcomeKind::Abandoned,
        }
    }

    /// It is [`Fulfilled`](Self::Fulfilled).
    pub const fn is_fulfilled(&self) -> bool {
        matches!(self, Self::Fulfilled(_))
    }

    /// It is [`Rejected`](Self::Rejected).
    pub const fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }

    /// It is [`TimedOut`](Self::TimedOut).
    pub const fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut)
    }

    /// It is [`Cancelled`](Self::Cancelled).
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    /// It is [`Panicked`](Self::Panicked).
    pub const fn is_panicked(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// It is [`Abandoned`](Self::Abandoned).
    pub const fn is_abandoned(&self) -> bool {
        matches!(self, Self::Abandoned)
    }

    /// The value, if there is one.
    ///
    /// ```
    /// # use settled::Outcome;
    /// assert_eq!(Outcome::<_, ()>::Fulfilled(7).fulfilled(), Some(7));
    /// assert_eq!(Outcome::<u8, ()>::TimedOut.fulfilled(), None);
    /// ```
    pub fn fulfilled(self) -> Option<T> {
        match self {
            Self::Fulfilled(value) => Some(value),
            _ => None,
        }
    }

    /// Changes the value, and nothing else.
    ///
    /// ```
    /// # use settled::Outcome;
    /// let length = Outcome::<_, ()>::Fulfilled("seven").map(str::len);
    /// assert_eq!(length.fulfilled(), Some(5));
    /// ```
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U, E> {
        match self {
            Self::Fulfilled(value) => Outcome::Fulfilled(change(value)),
            Self::Rejected(error) => Outcome::Rejected(error),
            Self::TimedOut => Outcome::TimedOut,
            Self::Cancelled(reason) => Outcome::Cancelled(reason),
            Self::Panicked(panic) => Outcome::Panicked(panic),
            Self::Abandoned => Outcome::Abandoned,
        }
    }

    /// Changes the error, and nothing else.
    ///
    /// ```
    /// # use settled::Outcome;
    /// let outcome = Outcome::<(), _>::Rejected(404).map_err(|status| format!("HTTP {status}"));
    /// assert!(matches!(outcome, Outcome::Rejected(text) if text == "HTTP 404"));
    /// ```
    pub fn map_err<F>(self, change: impl FnOnce(E) -> F) -> Outcome<T, F> {
        match self {
            Self::Fulfilled(value) => Outcome::Fulfilled(value),
            Self::Rejected(error) => Outcome::Rejected(change(error)),
            Self::TimedOut => Outcome::TimedOut,
            Self::Cancelled(reason) => Outcome::Cancelled(reason),
            Self::Panicked(panic) => Outcome::Panicked(panic),
            Self::Abandoned => Outcome::Abandoned,
        }
    }

    /// The same outcome with references to the value or the error.
    ///
    /// ```
    /// # use settled::Outcome;
    /// let outcome = Outcome::<_, ()>::Fulfilled(String::from("seven"));
    /// assert_eq!(outcome.as_ref().map(|text| text.len()).fulfilled(), Some(5));
    /// assert!(outcome.is_fulfilled(), "still there");
    /// ```
    pub fn as_ref(&self) -> Outcome<&T, &E> {
        match self {
            Self::Fulfilled(value) => Outcome::Fulfilled(value),
            Self::Rejected(error) => Outcome::Rejected(error),
            Self::TimedOut => Outcome::TimedOut,
            Self::Cancelled(reason) => Outcome::Cancelled(reason.clone()),
            Self::Panicked(panic) => Outcome::Panicked(panic.clone()),
            Self::Abandoned => Outcome::Abandoned,
        }
    }

    /// The value, or nothing if it was cancelled, or every other failure as it is.
    ///
    /// # Errors
    /// Every kind but [`Fulfilled`](Self::Fulfilled) and [`Cancelled`](Self::Cancelled). A limit that was up is an error, unless
    /// an [`AbortSignal::timeout`](crate::AbortSignal::timeout) has cancelled it.
    ///
    /// ```
    /// # use settled::{Failed, Outcome, Reason};
    /// let given_up = Outcome::<u8, &str>::Cancelled(Reason::from("not needed any more"));
    /// assert!(matches!(given_up.or_none_if_aborted(), Ok(None)));
    /// let failed = Outcome::<u8, _>::Rejected("no such file");
    /// assert!(matches!(failed.or_none_if_aborted(), Err(Failed::Rejected("no such file"))));
    /// ```
    pub fn or_none_if_aborted(self) -> Result<Option<T>, Failed<E>> {
        match self.into_result() {
            Ok(value) => Ok(Some(value)),
            Err(Failed::Cancelled(_)) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    /// The value, or whatever kept it from being there.
    ///
    /// # Errors
    /// Every kind but [`Fulfilled`](Self::Fulfilled).
    ///
    /// ```
    /// # use settled::{Failed, Outcome};
    /// let result = Outcome::<u8, &str>::Rejected("no such file").into_result();
    /// assert!(matches!(result, Err(Failed::Rejected("no such file"))));
    /// ```
    pub fn into_result(self) -> Result<T, Failed<E>> {
        match self {
            Self::Fulfilled(value) => Ok(value),
            Self::Rejected(error) => Err(Failed::Rejected(error)),
            Self::TimedOut => Err(Failed::TimedOut),
            Self::Cancelled(reason) => Err(Failed::Cancelled(reason)),
            Self::Panicked(panic) => Err(Failed::Panicked(panic)),
            Self::Abandoned => Err(Failed::Abandoned),
        }
    }
}

impl<T, E> From<Result<T, E>> for Outcome<T, E> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Fulfilled(value),
            Err(error) => Self::Rejected(error),
        }
    }
}

/// Every way to end but [`Outcome::Fulfilled`], as an error.
///
/// ```
/// use settled::{Failed, Outcome};
///
/// let failed = Outcome::<(), std::fmt::Error>::TimedOut.into_result().unwrap_err();
/// assert_eq!(failed.to_string(), "timed out");
/// ```
#[derive(Debug)]
pub enum Failed<E> {
    /// [`Outcome::Rejected`].
    Rejected(E),
    /// [`Outcome::TimedOut`].
    TimedOut,
    /// [`Outcome::Cancelled`].
    Cancelled(Reason),
    /// [`Outcome::Panicked`].
    Panicked(Panic),
    /// [`Outcome::Abandoned`].
    Abandoned,
}

impl<T, E> From<Failed<E>> for Outcome<T, E> {
    fn from(failed: Failed<E>) -> Self {
        match failed {
            Failed::Rejected(error) => Self::Rejected(error),
            Failed::TimedOut => Self::TimedOut,
            Failed::Cancelled(reason) => Self::Cancelled(reason),
            Failed::Panicked(panic) => Self::Panicked(panic),
            Failed::Abandoned => Self::Abandoned,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(error) => fmt::Display::fmt(error, f),
            Self::TimedOut => f.write_str("timed out"),
            Self::Cancelled(reason) => write!(f, "cancelled ({reason})"),
            Self::Panicked(panic) => write!(f, "panicked: {}", panic.message()),
            Self::Abandoned => f.write_str("abandoned: told to stop, and may still be running"),
        }
    }
}

impl<E: std::error::Error> std::error::Error for Failed<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // The error speaks for itself in `Display`, so the chain goes on with its source.
            Self::Rejected(error) => error.source(),
            _ => None,
        }
    }
}
