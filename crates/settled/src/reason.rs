//! Why something was told to stop.

use std::fmt;
use std::sync::Arc;

/// Why something was told to stop: a kind that code can match on, and a message for a person.
///
/// Cloning is cheap: a reason travels from one controller to everything below it.
///
/// ```
/// use settled::{Reason, ReasonKind};
///
/// let reason = Reason::new(ReasonKind::Interrupted).message("SIGINT");
/// assert_eq!(reason.kind(), ReasonKind::Interrupted);
/// assert_eq!(reason.to_string(), "interrupted: SIGINT");
/// assert_eq!(Reason::from("not needed any more").kind(), ReasonKind::Aborted);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reason {
    kind: ReasonKind,
    message: Option<Text>,
}

/// What kind of stop it was.
///
/// ```
/// use settled::ReasonKind;
///
/// assert_eq!(ReasonKind::Closed.to_string(), "closed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReasonKind {
    /// Somebody asked for it, and said no more.
    Aborted,
    /// The time was up.
    Timeout,
    /// A person or the system interrupted the program.
    Interrupted,
    /// What it belonged to had been closed.
    Closed,
    /// It was taken from a waiting list before it started.
    Cleared,
    /// Its owner was dropped.
    Dropped,
    /// Another part of the same whole failed, so this part is not needed any more.
    Failed,
}

impl ReasonKind {
    /// The kind in one word of lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
            Self::Closed => "closed",
            Self::Cleared => "cleared",
            Self::Dropped => "dropped",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for ReasonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Most messages are literals: those are never copied; the others are shared.
#[derive(Clone)]
enum Text {
    Literal(&'static str),
    Shared(Arc<str>),
}

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl std::hash::Hash for Text {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Reason {
    /// A reason of this kind, without a message.
    #[must_use]
    pub const fn new(kind: ReasonKind) -> Self {
        Self {
            kind,
            message: None,
        }
    }

    /// The same reason with a message for a person, in place of the one that it may have had.
    ///
    /// ```
    /// use settled::{Reason, ReasonKind};
    ///
    /// let reason = Reason::new(ReasonKind::Closed).message(format!("queue {}", 7));
    /// assert_eq!(reason.text(), Some("queue 7"));
    /// ```
    #[must_use]
    pub fn message(mut self, message: impl Into<Arc<str>>) -> Self {
        self.message = Some(Text::Shared(message.into()));
        self
    }

    /// As [`message`](Self::message), for a literal, which is not copied.
    pub(crate) const fn literal(kind: ReasonKind, message: &'static str) -> Self {
        Self {
            kind,
            message: Some(Text::Literal(message)),
        }
    }

    /// The kind of stop.
    #[must_use]
    pub const fn kind(&self) -> ReasonKind {
        self.kind
    }

    /// The message, if there is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.message.as_ref().map(Text::as_str)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(message) => write!(f, "{}: {message}", self.kind),
            None => fmt::Display::fmt(&self.kind, f),
        }
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason({self})")
    }
}

impl std::error::Error for Reason {}

impl From<ReasonKind> for Reason {
    fn from(kind: ReasonKind) -> Self {
        Self::new(kind)
    }
}

/// Of kind [`ReasonKind::Aborted`].
impl From<&'static str> for Reason {
    fn from(message: &'static str) -> Self {
        Self::literal(ReasonKind::Aborted, message)
    }
}

/// Of kind [`ReasonKind::Aborted`].
impl From<String> for Reason {
    fn from(message: String) -> Self {
        Self::new(ReasonKind::Aborted).message(message)
    }
}
