//! Where in a JSON text something stands: [`Pointer`]. What it finds is the text as it stands there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::value::RawValue;

use super::text::{compact, string};

/// A JSON Pointer (RFC 6901). The empty one is the whole text.
///
/// ```
/// use settled_jobs::pages::Pointer;
///
/// let pointer: Pointer = "/data/items".parse()?;
/// assert_eq!(pointer.to_string(), "/data/items");
/// assert_eq!("data".parse::<Pointer>().unwrap_err().to_string(), "\"data\" is no JSON pointer: it begins with /");
/// # Ok::<(), settled_jobs::pages::InvalidPointer>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer {
    tokens: Box<[String]>,
    text: Box<str>,
}

/// A text that is no JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPointer(String);

impl fmt::Display for InvalidPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidPointer {}

impl FromStr for Pointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        let tokens = match text.strip_prefix('/') {
            None if text.is_empty() => Some(Vec::new()),
            None => {
                return Err(InvalidPointer(format!(
                    "{text:?} is no JSON pointer: it begins with /"
                )));
            }
            Some(rest) => rest.split('/').map(token).collect(),
        };
        let tokens = tokens.ok_or_else(|| {
            InvalidPointer(format!(
                "{text:?} is no JSON pointer: ~ is written ~0, and / inside of a name ~1"
            ))
        })?;
        Ok(Self {
            tokens: tokens.into(),
            text: text.into(),
        })
    }
}

fn token(escaped: &str) -> Option<String> {
    let mut parts = escaped.split('~');
    let mut token = parts.next()?.to_owned();
    for part in parts {
        let (escape, rest) = part.split_at_checked(1)?;
        token.push(match escape {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        token.push_str(rest);
    }
    Some(token)
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pointer {
    /// The member of the outermost object that the pointer goes through.
    pub(crate) fn member(&self) -> Option<&str> {
        self.tokens.first().map(String::as_str)
    }

    /// The value in `json`: a string's text, anything else as compact JSON. `None`: there is no such value.
    pub(crate) fn text_in<'a>(&self, json: &'a str) -> Option<Cow<'a, str>> {
        let value = self.find(json)?;
        if value.starts_with('"') {
            string(value)
        } else {
            Some(compact(value))
        }
    }

    /// The value's JSON in `json`, which is valid. `None`: there is no such value.
    pub(crate) fn find<'a>(&self, json: &'a str) -> Option<&'a str> {
        self.tokens
            .iter()
            .try_fold(json, |json, token| step(json, token))
    }
}

fn step<'a>(json: &'a str, token: &str) -> Option<&'a str> {
    match json.as_bytes().first()? {
        b'{' => Some(members(json)?.remove(token)?.get()),
        b'[' => {
            let canonical = token == "0"
                || !token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit());
            let index: usize = token.parse().ok().filter(|_| canonical)?;
            Some(elements(json)?.get(index)?.get())
        }
        _ => None,
    }
}

/// The members of an object. `None`: it is none.
pub(crate) fn members(json: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(json).ok()
}

/// The values of an array. `None`: it is none.
pub(crate) fn elements(json: &str) -> Option<Vec<&RawValue>> {
    if !json.starts_with('[') {
        return None;
    }
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pointer: &str, json: &str) -> Option<String> {
        pointer
            .parse::<Pointer>()
            .expect("a pointer")
            .find(json)
            .map(str::to_owned)
    }

    #[test]
    fn a_pointer_finds_the_text_as_it_stands() {
        let json = r#"{"a":{"b/c":[10, {"~":"x\ny"}]},"":1,"n":12345678901234567890123.50}"#;
        assert_eq!(find("", json).as_deref(), Some(json));
        assert_eq!(find("/a/b~1c/1/~0", json).as_deref(), Some(r#""x\ny""#));
        assert_eq!(find("/", json).as_deref(), Some("1"));
        assert_eq!(
            find("/n", json).as_deref(),
            Some("12345678901234567890123.50")
        );
        for absent in ["/b", "/a/b~1c/2", "/a/b~1c/01", "/a/b~1c/-", "/n/0"] {
            assert_eq!(find(absent, json), None, "{absent}");
        }
        for wrong in ["a", "/a~2", "/a~"] {
            assert!(wrong.parse::<Pointer>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_is_shown_as_its_text() {
        let json = r#"{"a":{"b/c":[10, {"~":"x\ny"}]}}"#;
        let shown = |pointer: &str| {
            let pointer: Pointer = pointer.parse().expect("a pointer");
            pointer.text_in(json).map(Cow::into_owned)
        };
        assert_eq!(shown("/a/b~1c/1/~0").as_deref(), Some("x\ny"));
        assert_eq!(shown("/a/b~1c").as_deref(), Some(r#"[10,{"~":"x\ny"}]"#));
        assert_eq!(shown("/a/b~1c/+1"), None);
    }
}
