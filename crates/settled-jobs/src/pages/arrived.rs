//! A page that has arrived: its items as lines, and what it says of the next one.

use serde_json::value::RawValue;
use url::Url;

use super::error::Cause;
use super::link;
use super::survey::{kind, survey};
use crate::job::Key;
use crate::json::pointer::{Pointer, elements};
use crate::json::text::string;
use crate::record::FetchResult;

/// What is looked for in every page.
#[derive(Debug)]
pub(super) struct Asks {
    pub(super) items: Pointer,
    pub(super) more: Option<Pointer>,
    pub(super) cursor: Option<Pointer>,
}

/// A page, read.
#[derive(Debug)]
pub(super) struct Arrived {
    /// Where it was found, after redirects.
    pub(super) url: Url,
    pub(super) items: u64,
    /// The items, as compact JSON, a line each.
    pub(super) lines: Vec<u8>,
    /// What it says of there being more, if it is asked.
    pub(super) more: Option<bool>,
    pub(super) cursor: Cursor,
    /// The target of its link to the next page.
    pub(super) link: Option<String>,
    /// What it is told by: only for items that are objects, since a page of plain values may well be like the one before it.
    pub(super) key: Option<Key>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    Is(String),
    None,
    /// The first page has nothing there; this is what it has.
    Absent(String),
}

const NO_CONTENT: u16 = 204;

impl Asks {
    /// Reads page `number`, which was asked for at `asked`.
    pub(super) fn read(
        &self,
        number: u64,
        asked: &Url,
        answer: &FetchResult,
    ) -> Result<Arrived, Cause> {
        // Shown with stars where it had a user name, which nobody resolves a link against.
        let landed = answer.url.as_deref().and_then(|url| Url::parse(url).ok());
        let url = landed.unwrap_or_else(|| asked.clone());
        let headers = answer.headers.iter().flat_map(|headers| {
            headers
                .get_all(http::header::LINK)
                .into_iter()
                .filter_map(|value| value.to_str().ok())
        });
        let mut arrived = Arrived {
            link: link::next(headers, &without_fragment(&url)),
            url,
            items: 0,
            lines: Vec::new(),
            more: self.more.as_ref().map(|_| false),
            cursor: Cursor::None,
            key: None,
        };
        let body = answer.body.as_ref().map_or(&[][..], |body| &body.bytes);
        if body.is_empty() && answer.status == NO_CONTENT {
            return Ok(arrived);
        }
        let json = text(body)?;
        let items = self.items_in(json)?;
        arrived.items = items.len() as u64;
        arrived.lines = lines(&items, body.len());
        let objects = items
            .first()
            .is_some_and(|item| item.get().starts_with('{'));
        arrived.key = objects.then(|| Key::of(&arrived.lines));
        if let Some(pointer) = &self.more {
            arrived.more = Some(more(pointer, json, number == 1)?);
        }
        if let Some(pointer) = &self.cursor {
            arrived.cursor = cursor(pointer, json, number == 1)?;
        }
        Ok(arrived)
    }

    fn items_in<'a>(&self, json: &'a str) -> Result<Vec<&'a RawValue>, Cause> {
        let at = &self.items;
        let wrong = |what: String| Cause::Items(format!("{what}; there is: {}", survey(json)));
        let Some(value) = at.find(json) else {
            return Err(wrong(format!("there is nothing at {at}")));
        };
        elements(value).ok_or_else(|| {
            let name = match at.to_string() {
                name if name.is_empty() => "the page itself".to_owned(),
                name => name,
            };
            wrong(format!("{name} is no array of items, but {}", kind(value)))
        })
    }
}

fn without_fragment(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    url
}

/// The body as valid JSON, without the space around it.
fn text(body: &[u8]) -> Result<&str, Cause> {
    let begins = || {
        let text: String = String::from_utf8_lossy(&body[..body.len().min(240)])
            .trim_start()
            .chars()
            .take(60)
            .collect();
        match text.is_empty() {
            true => "it is empty".to_owned(),
            false => format!("it begins with {text:?}"),
        }
    };
    let text = std::str::from_utf8(body)
        .map_err(|_| Cause::NotJson(format!("not UTF-8; {}", begins())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => Ok(value.get()),
        Err(error) => Err(Cause::NotJson(format!("{error}; {}", begins()))),
    }
}

fn lines(items: &[&RawValue], capacity: usize) -> Vec<u8> {
    let mut lines = Vec::with_capacity(capacity);
    for item in items {
        push_compact(&mut lines, item.get());
        lines.push(b'\n');
    }
    lines
}

/// Appends valid JSON without the space between its tokens; nothing else is changed.
fn push_compact(out: &mut Vec<u8>, json: &str) {
    let json = json.as_bytes();
    if !json.iter().any(u8::is_ascii_whitespace) {
        return out.extend_from_slice(json);
    }
    let (mut quoted, mut escaped) = (false, false);
    out.extend(json.iter().copied().filter(|byte| {
        let space = !quoted && byte.is_ascii_whitespace();
        quoted ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        !space
    }));
}

fn more(pointer: &Pointer, json: &str, first: bool) -> Result<bool, Cause> {
    let Some(value) = pointer.find(json) else {
        // Later pages may leave it out where it is false; a first page without it looks like a slip in the pointer.
        return match first {
            false => Ok(false),
            true => Err(Cause::More(format!(
                "there is nothing at {pointer}; there is: {}",
                survey(json)
            ))),
        };
    };
    match (value, value.as_bytes().first()) {
        ("true", _) => Ok(true),
        ("false" | "null", _) => Ok(false),
        (number, Some(b'-' | b'0'..=b'9')) => Ok(number.parse::<f64>().is_ok_and(|n| n != 0.0)),
        _ => Err(Cause::More(format!(
            "{pointer} is neither true nor false, but {}",
            kind(value)
        ))),
    }
}

fn cursor(pointer: &Pointer, json: &str, first: bool) -> Result<Cursor, Cause> {
    let Some(value) = pointer.find(json) else {
        return Ok(match first {
            true => Cursor::Absent(survey(json)),
            false => Cursor::None,
        });
    };
    let text = match value.as_bytes().first() {
        Some(b'"') => string(value).map(std::borrow::Cow::into_owned),
        Some(b'-' | b'0'..=b'9') => Some(value.to_owned()),
        Some(b'n' | b'f') => Some(String::new()),
        _ => None,
    };
    match text {
        Some(text) if text.is_empty() => Ok(Cursor::None),
        Some(text) => Ok(Cursor::Is(text)),
        None => Err(Cause::Cursor(format!(
            "{pointer} is neither a URL nor a token, but {}",
            kind(value)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compacting_changes_nothing_but_space() {
        let compact = |json: &str| {
            let mut out = Vec::new();
            push_compact(&mut out, json);
            String::from_utf8(out).expect("UTF-8")
        };
        let odd =
            "{ \"z\" : 1.0e400 ,\n \"a b\\\"\" : [ 0.10 , \"\\\\ \", \"\\u00e9 é\" ], \"z\":-0 }";
        assert_eq!(
            compact(odd),
            "{\"z\":1.0e400,\"a b\\\"\":[0.10,\"\\\\ \",\"\\u00e9 é\"],\"z\":-0}"
        );
    }

    #[test]
    fn what_counts_as_more_and_as_a_cursor() {
        let at: Pointer = "/m".parse().expect("a pointer");
        for (value, is_more) in [
            ("true", true),
            ("false", false),
            ("null", false),
            ("0", false),
            ("17", true),
        ] {
            assert_eq!(
                more(&at, &format!("{{\"m\":{value}}}"), true),
                Ok(is_more),
                "{value}"
            );
        }
        assert!(more(&at, "{\"m\":\"yes\"}", true).is_err());
        assert!(more(&at, "{}", true).is_err());
        assert_eq!(more(&at, "{}", false), Ok(false));
        for (value, text) in [
            ("\"a\\/b\"", "a/b"),
            ("12345678901234567890", "12345678901234567890"),
        ] {
            let found = cursor(&at, &format!("{{\"m\":{value}}}"), true);
            assert_eq!(found, Ok(Cursor::Is(text.to_owned())));
        }
        for value in ["null", "\"\"", "false"] {
            assert_eq!(
                cursor(&at, &format!("{{\"m\":{value}}}"), true),
                Ok(Cursor::None)
            );
        }
        assert!(cursor(&at, "{\"m\":{}}", true).is_err());
        assert_eq!(
            cursor(&at, "{\"n\":1}", true),
            Ok(Cursor::Absent("/n (a number)".into()))
        );
        assert_eq!(cursor(&at, "{\"n\":1}", false), Ok(Cursor::None));
    }
}
