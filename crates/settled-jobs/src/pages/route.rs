//! Which page comes next.

use std::collections::HashMap;

use url::Url;

use super::address::{Home, param, shown, with_param};
use super::arrived::{Arrived, Cursor};
use super::config::{CursorParam, InvalidPages, Way};
use super::error::Cause;
use super::stream::End;
use crate::job::Key;

/// The parameter where nobody says another.
const CURSOR: &str = "cursor";
const PAGE: &str = "page";

/// Which page comes next, from one page to another.
#[derive(Debug)]
pub(super) struct Route {
    home: Home,
    way: Way,
    /// The page that can be begun, as far as is known.
    next: Option<Url>,
    /// Where `next` counts on from, if pages are numbered.
    number: Option<u64>,
    /// Pages were visited under these URLs (their hashes: 16 bytes a page), with their numbers. Page numbers only grow.
    visited: HashMap<Key, u64>,
    /// The page that arrived last.
    last: Option<Key>,
}

impl Route {
    pub(super) fn new(mut home: Home, way: Way) -> Result<Self, InvalidPages> {
        home.start.set_fragment(None);
        let mut number = None;
        let mut next = home.start.clone();
        if let Way::Numbers { param: name, first } = &way {
            let first = match first {
                Some(first) => *first,
                None => written(&home.start, name)?.unwrap_or(1),
            };
            number = Some(first);
            next = with_param(&next, name, &first.to_string());
        }
        let visited = HashMap::from([(Key::of(next.as_str().as_bytes()), 1)]);
        Ok(Self {
            home,
            way,
            next: Some(next),
            number,
            visited,
            last: None,
        })
    }

    /// [`peek`](Self::peek), which is thereby begun.
    pub(super) fn take(&mut self) -> Option<Url> {
        let url = self.next.take()?;
        if let (Way::Numbers { param, .. }, Some(number)) = (&self.way, self.number) {
            self.number = number.checked_add(1);
            self.next = self
                .number
                .map(|number| with_param(&url, param, &number.to_string()));
        }
        Some(url)
    }

    /// The next page to begin, if it is known by now.
    pub(super) fn peek(&self) -> Option<&Url> {
        self.next.as_ref()
    }

    /// Looks at page `number`, in their order. Gives the end, or nothing if it goes on.
    pub(super) fn arrived(&mut self, number: u64, page: &Arrived) -> Result<Option<End>, Cause> {
        if self.way == Way::Auto {
            match self.decide(page)? {
                None => return Ok(Some(End::OnlyPage)),
                Some(way) => self.way = way,
            }
        }
        if page.more == Some(false) {
            return Ok(Some(End::NoMore));
        }
        let text = match &self.way {
            Way::Numbers { .. } => return self.numbered(page),
            Way::Link | Way::Auto => page.link.clone(),
            Way::Cursor { .. } => match &page.cursor {
                Cursor::Is(text) => Some(text.clone()),
                Cursor::None => None,
                Cursor::Absent(there) => return Ok(Some(End::CursorAbsent(there.clone()))),
            },
        };
        let Some(text) = text else {
            return match page.more {
                Some(true) => Err(Cause::NoNext),
                _ => Ok(Some(End::NoNext)),
            };
        };
        self.go_to(number + 1, self.target(page, &text)?)?;
        Ok(None)
    }

    /// What the first page says of the way. `None`: nothing.
    fn decide(&mut self, page: &Arrived) -> Result<Option<Way>, Cause> {
        if page.link.is_some() {
            return Ok(Some(Way::Link));
        }
        if page.more.is_none() {
            return Ok(None);
        }
        let first = written(&self.home.start, PAGE).map_err(|error| Cause::Next(error.0))?;
        let second = first.unwrap_or(1).checked_add(1);
        self.number = second;
        self.next = second.map(|number| with_param(&self.home.start, PAGE, &number.to_string()));
        Ok(Some(Way::Numbers {
            param: PAGE.to_owned(),
            first: None,
        }))
    }

    fn numbered(&mut self, page: &Arrived) -> Result<Option<End>, Cause> {
        if page.items == 0 {
            return Ok(Some(End::Empty));
        }
        if page.key.is_some() && page.key == self.last {
            return Err(Cause::Repeats);
        }
        self.last = page.key;
        Ok(None)
    }

    fn target(&self, page: &Arrived, text: &str) -> Result<Url, Cause> {
        let token = match &self.way {
            Way::Cursor { param, .. } => match param {
                CursorParam::Token(name) => Some(name.as_str()),
                CursorParam::Guess if is_url(text) => None,
                CursorParam::Guess => Some(CURSOR),
            },
            _ => None,
        };
        match token {
            Some(name) => Ok(with_param(&self.home.start, name, text)),
            None => self.home.follow(&page.url, text).map_err(Cause::Next),
        }
    }

    fn go_to(&mut self, number: u64, url: Url) -> Result<(), Cause> {
        let before = self
            .visited
            .insert(Key::of(url.as_str().as_bytes()), number);
        if let Some(page) = before {
            let url = shown(&url);
            return Err(Cause::Circle { page, url });
        }
        self.next = Some(url);
        Ok(())
    }
}

fn is_url(text: &str) -> bool {
    ["http://", "https://", "/", "?"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// The page number that a URL has.
fn written(url: &Url, name: &str) -> Result<Option<u64>, InvalidPages> {
    match param(url, name) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            InvalidPages(format!(
                "the URL's parameter {name:?} is {text:?}, and no page number"
            ))
        }),
    }
}
