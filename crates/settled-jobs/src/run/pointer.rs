//! Values inside a JSON text, found and shown without changing them: numbers keep their digits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

/// A JSON Pointer (RFC 6901) that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    tokens: Box<[String]>,
    text: Box<str>,
}

impl Pointer {
    /// `None` if it is none: no leading slash, no UTF-8, or a `~` that escapes nothing.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let tokens = text
            .strip_prefix('/')?
            .split('/')
            .map(token)
            .collect::<Option<_>>()?;
        Some(Self {
            tokens,
            text: text.into(),
        })
    }

    /// The member of the outermost object that the pointer goes through.
    pub(super) fn member(&self) -> &str {
        &self.tokens[0]
    }

    /// The value in `json`: a string's text, anything else as compact JSON. `None`: there is no such value.
    pub(super) fn text_in<'a>(&self, json: &'a str) -> Option<Cow<'a, str>> {
        let value = self
            .tokens
            .iter()
            .try_fold(json, |json, token| step(json, token))?;
        if value.starts_with('"') {
            string(value)
        } else {
            Some(compact(value))
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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

fn step<'a>(json: &'a str, token: &str) -> Option<&'a str> {
    match json.as_bytes().first()? {
        b'{' => serde_json::from_str::<BTreeMap<String, &'a RawValue>>(json)
            .ok()?
            .remove(token)
            .map(RawValue::get),
        b'[' => {
            let plain = token == "0"
                || !token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit());
            let index: usize = token.parse().ok().filter(|_| plain)?;
            serde_json::from_str::<Vec<&'a RawValue>>(json)
                .ok()?
                .get(index)
                .map(|value| value.get())
        }
        _ => None,
    }
}

/// The text of a JSON string.
pub(super) fn string(json: &str) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<&str>(json) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

/// Valid JSON without the space between its tokens.
pub(super) fn compact(json: &str) -> Cow<'_, str> {
    if !json.contains([' ', '\t', '\n', '\r']) {
        return Cow::Borrowed(json);
    }
    let (mut quoted, mut escaped) = (false, false);
    let keep = |character: &char| {
        let space = !quoted && matches!(character, ' ' | '\t' | '\n' | '\r');
        quoted ^= *character == '"' && !escaped;
        escaped = *character == '\\' && !escaped;
        !space
    };
    Cow::Owned(json.chars().filter(keep).collect())
}

/// Appends valid JSON in a form that is equal for equal values: no space, members sorted by name.
pub(super) fn canonical(json: &str, out: &mut String) {
    descend(json, DEPTH, out);
}

/// Deeper than this the text is taken as it stands: a hostile line must not use up the stack.
const DEPTH: usize = 100;

fn descend(json: &str, depth: usize, out: &mut String) {
    if depth > 0
        && json.starts_with('{')
        && let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json)
    {
        for (position, (name, value)) in members.iter().enumerate() {
            out.push(if position == 0 { '{' } else { ',' });
            out.push_str(&serde_json::Value::from(name.as_str()).to_string());
            out.push(':');
            descend(value.get(), depth - 1, out);
        }
        return out.push_str(if members.is_empty() { "{}" } else { "}" });
    }
    if depth > 0
        && json.starts_with('[')
        && let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(json)
    {
        for (position, value) in values.iter().enumerate() {
            out.push(if position == 0 { '[' } else { ',' });
            descend(value.get(), depth - 1, out);
        }
        return out.push_str(if values.is_empty() { "[]" } else { "]" });
    }
    match json.starts_with('"').then(|| string(json)).flatten() {
        Some(text) => out.push_str(&serde_json::Value::from(text).to_string()),
        None => out.push_str(&compact(json)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pointer: &str, json: &str) -> Option<String> {
        Pointer::parse(pointer.as_bytes())
            .expect("a pointer")
            .text_in(json)
            .map(Cow::into_owned)
    }

    #[test]
    fn a_pointer_finds_what_rfc_6901_says() {
        let json = r#"{"a":{"b/c":[10, {"~":"x\ny"}]},"":1,"n":12345678901234567890123.50}"#;
        assert_eq!(find("/a/b~1c/1/~0", json).as_deref(), Some("x\ny"));
        assert_eq!(
            find("/a/b~1c", json).as_deref(),
            Some(r#"[10,{"~":"x\ny"}]"#)
        );
        assert_eq!(find("/", json).as_deref(), Some("1"));
        assert_eq!(
            find("/n", json).as_deref(),
            Some("12345678901234567890123.50")
        );
        for absent in [
            "/b",
            "/a/b~1c/2",
            "/a/b~1c/01",
            "/a/b~1c/-",
            "/n/0",
            "/a/b~1c/+1",
        ] {
            assert_eq!(find(absent, json), None, "{absent}");
        }
        assert_eq!(Pointer::parse(b"/a~2"), None);
        assert_eq!(Pointer::parse(b"/a~"), None);
        assert_eq!(Pointer::parse(b"a"), None);
    }

    #[test]
    fn compacting_leaves_strings_alone() {
        assert_eq!(
            compact("{ \"a b\" : [ 1 , \"\\\" x\" ] }"),
            r#"{"a b":[1,"\" x"]}"#
        );
        assert_eq!(compact(r#"["\\ ", 1]"#), r#"["\\ ",1]"#);
    }

    #[test]
    fn equal_values_have_one_canonical_form() {
        let form = |json| {
            let mut out = String::new();
            canonical(json, &mut out);
            out
        };
        assert_eq!(
            form(r#"{"b":[1, 2],"a":"\u0041"}"#),
            form(r#"{ "a":"A","b":[1,2] }"#)
        );
        assert_eq!(form(r#"{"b":[],"a":{}}"#), r#"{"a":{},"b":[]}"#);
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        assert_eq!(form(&deep), deep);
    }
}
