//! A paginated HTTP API as one stream of items.
//!
//! ```text
//! Route: which page comes next -> Driver: begins pages as far as there is demand -> Fetcher: a page, with its tries
//!   ^                                                                                   |
//!   +------------------ Arrived: items, next link, cursor, more? <----------------------+--> Page, in order -> Pages::next
//! ```
//!
//! # The next page
//!
//! | [`Way`] | the next page is | it is known |
//! |---|---|---|
//! | `Link` | the target of `Link: <..>; rel=next` (RFC 8288) | when the page has arrived |
//! | `Cursor` | what a JSON pointer finds in the page: a URL, or a token for a query parameter | when the page has arrived |
//! | `Numbers` | one more than this page's number, in a query parameter | at once: several can be under way |
//! | `Auto` | as `Link`, if the first page has such a link; else as `Numbers`, if there is a [`more`](PagesConfig::more); else none | |
//!
//! The last page is the one whose `more` is false, that has no next, or that is the last one allowed; with page numbers also the
//! first one without items. With links and cursors an empty page that has a next is not the end: APIs that filter have such pages.
//!
//! # What is refused
//!
//! - A next that was visited before, and, with page numbers, a page of objects that is the page before it again, byte for byte:
//!   the stream would never end.
//! - A page that says that there is more and has no next: it would look like a whole list.
//! - A next at another origin, if the requests carry a secret; a next that leads from https to http.

mod address;
mod arrived;
mod config;
mod driver;
mod error;
mod fetcher;
mod link;
mod route;
mod stream;
mod survey;

pub use crate::json::pointer::{InvalidPointer, Pointer};
pub use config::{CursorParam, InvalidPages, PagesConfig, Way};
pub use error::{Cause, PagesError};
pub use stream::{End, Page, Pages, PagesProgress};
