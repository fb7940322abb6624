//! Why a bench ended early.

use std::fmt;
use std::io;

/// Why a bench ended early. A tool that fails is no error: it is a mark in the table.
#[derive(Debug)]
pub enum Error {
    /// This signal arrived (its number).
    Interrupted(i32),
    /// What was asked for can't be done, and why.
    Refused(String),
    /// The machine said no while doing something.
    Io {
        /// What was being done.
        what: String,
        /// What the machine said.
        source: io::Error,
    },
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was being done when something failed.
pub trait Doing<T> {
    /// Turns the failure into an [`Error::Io`].
    ///
    /// # Errors
    /// The failure, if there was one.
    fn doing(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Io {
            what: what.into(),
            source: source.into(),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(signal) => write!(f, "ended by signal {signal}"),
            Self::Refused(why) => f.write_str(why),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Interrupted(_) | Self::Refused(_) => None,
        }
    }
}
