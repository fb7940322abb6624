//! Why there is no further page: [`PagesError`].

use std::fmt;

use crate::record::Failure;

/// A page that could not be had, or whose next one can't be.
#[derive(Clone, Debug, PartialEq)]
pub struct PagesError {
    /// The page's number, from 1.
    pub page: u64,
    /// The page's URL as it may be shown: a user name and password are starred out.
    pub url: String,
    /// What went wrong.
    pub cause: Cause,
}

/// What went wrong with a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// The request failed for good.
    Failed {
        /// Why its last try failed.
        failure: Failure,
        /// How many tries there were.
        tries: u32,
    },
    /// The page is no JSON.
    NotJson(String),
    /// There is no array of items where it should be; the text says what there is.
    Items(String),
    /// What should say whether there is more does not.
    More(String),
    /// What should be a cursor is none.
    Cursor(String),
    /// The next page's URL can't be used.
    Next(String),
    /// The next page was there before.
    Circle {
        /// The number that it had then.
        page: u64,
        /// Its URL as it may be shown.
        url: String,
    },
    /// The page is the page before it again: the server does not heed the page number.
    Repeats,
    /// The page says that there is more, and has no next.
    NoNext,
    /// The stream was stopped from outside: its runtime is gone.
    Stopped,
}

impl PagesError {
    /// Where to go on: the URL of a page that may be had another time. `None`: the page itself was had, or will never be.
    #[must_use]
    pub fn resume(&self) -> Option<&str> {
        match self.cause {
            Cause::Failed { .. } | Cause::NotJson(_) | Cause::Items(_) => Some(&self.url),
            _ => None,
        }
    }
}

impl fmt::Display for PagesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { page, url, cause } = self;
        match cause {
            Cause::Stopped => write!(f, "stopped after page {page}"),
            cause => write!(f, "page {page} ({url}): {cause}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { failure, tries: 1 } => f.write_str(&failure.message),
            Self::Failed { failure, tries } => {
                write!(f, "{}, at the last of {tries} tries", failure.message)
            }
            Self::NotJson(why) => write!(f, "no JSON: {why}"),
            Self::Items(why) | Self::More(why) | Self::Cursor(why) | Self::Next(why) => {
                f.write_str(why)
            }
            Self::Circle { page, url } => {
                write!(f, "its next page is page {page} again ({url}): it goes round in circles")
            }
            Self::Repeats => f.write_str(
                "it is the page before it again, byte for byte: the server does not heed the page number",
            ),
            Self::NoNext => f.write_str("it says that there is more, and has no next page"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for PagesError {}
