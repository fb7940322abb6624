//! JSON text, changed as little as possible: numbers keep their digits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The text of a JSON string.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<&str>(json) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(json).ok().map(Cow::Owned),
    }
}

/// Valid JSON without the space between its tokens.
pub(crate) fn compact(json: &str) -> Cow<'_, str> {
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
pub(crate) fn canonical(json: &str, out: &mut String) {
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
