//! Where in a page something stands: [`Pointer`], over JSON text that stays as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::value::RawValue;

/// A JSON Pointer (RFC 6901). The empty one is the page itself.
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
    /// The value's text in `json`, which is valid. `None`: there is no such value.
    pub(super) fn find<'a>(&self, json: &'a str) -> Option<&'a str> {
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

fn members(json: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(json).ok()
}

/// The values of an array. `None`: it is none.
pub(super) fn elements(json: &str) -> Option<Vec<&RawValue>> {
    if !json.starts_with('[') {
        return None;
    }
    serde_json::from_str(json).ok()
}

/// The text of a JSON string.
pub(super) fn string(json: &str) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<&str>(json) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

/// What a value is, in a word or two.
pub(super) fn kind(json: &str) -> Cow<'static, str> {
    Cow::Borrowed(match json.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => {
            let count = elements(json).map_or(0, |elements| elements.len());
            return Cow::Owned(format!("an array of {count}"));
        }
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    })
}

/// How deep, and how many: enough to find the right one, short enough to read.
const DEPTH: usize = 3;
const SHOWN: usize = 16;

/// Which pointers there are in a page, and what they point at: `/data (an array of 2), /meta/next (a text)`.
pub(super) fn survey(json: &str) -> String {
    let mut found = Vec::new();
    walk(json, "", DEPTH, &mut found);
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    let mut text = found.join(", ");
    if more > 0 {
        text.push_str(", …");
    }
    text
}

fn walk(json: &str, at: &str, depth: usize, found: &mut Vec<String>) {
    // Whatever is inside of the array of items is not what anybody looks for.
    let inside = if json.starts_with('{') && depth > 0 {
        members(json)
    } else {
        None
    };
    let Some(members) = inside.filter(|members| !members.is_empty()) else {
        let name = if at.is_empty() { "the page itself" } else { at };
        return found.push(format!("{name} ({})", kind(json)));
    };
    for (name, value) in members {
        let name = name.replace('~', "~0").replace('/', "~1");
        walk(value.get(), &format!("{at}/{name}"), depth - 1, found);
        if found.len() > SHOWN {
            return;
        }
    }
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
    fn a_survey_names_what_there_is() {
        assert_eq!(
            survey(r#"{"data":{"rows":[1,2],"a/b":null},"next":"x","n":1,"more":true,"e":{}}"#),
            "/data/a~1b (null), /data/rows (an array of 2), /e (an object), /more (a boolean), /n (a number), /next (a text)"
        );
        assert_eq!(survey("[]"), "the page itself (an array of 0)");
        let wide: Vec<_> = (0..40).map(|n| format!("\"m{n}\":{n}")).collect();
        assert!(survey(&format!("{{{}}}", wide.join(","))).ends_with(", …"));
    }
}
