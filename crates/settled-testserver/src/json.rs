//! The few JSON texts that the server writes.

use std::fmt::Write as _;

use crate::request::Request;

/// Appends `text` as a JSON string.
fn string(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

/// The request as a JSON object.
pub(crate) fn echo(request: &Request) -> String {
    let mut out = String::from("{\"method\":");
    string(&mut out, &request.method);
    out.push_str(",\"target\":");
    string(&mut out, &request.target);
    out.push_str(",\"headers\":[");
    for (n, (name, value)) in request.headers.iter().enumerate() {
        out.push_str(if n == 0 { "[" } else { ",[" });
        string(&mut out, name);
        out.push(',');
        string(&mut out, value);
        out.push(']');
    }
    out.push_str("],");
    if let Ok(text) = std::str::from_utf8(&request.body) {
        out.push_str("\"body\":");
        string(&mut out, text);
    } else {
        out.push_str("\"body_hex\":\"");
        request.body.iter().for_each(|byte| {
            let _ = write!(out, "{byte:02x}");
        });
        out.push('"');
    }
    out.push('}');
    out
}

/// A page of a list; `data` is JSON values.
pub(crate) fn page<T: AsRef<str>>(data: &[T], next: Option<&str>) -> String {
    let mut out = String::from("{\"data\":[");
    for (n, value) in data.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push_str(value.as_ref());
    }
    out.push_str("],\"next\":");
    match next {
        Some(next) => string(&mut out, next),
        None => out.push_str("null"),
    }
    let _ = write!(out, ",\"hasMore\":{}}}", next.is_some());
    out
}

#[cfg(test)]
mod tests {
    use super::{page, string};

    #[test]
    fn a_string_is_escaped() {
        let mut out = String::new();
        string(&mut out, "a\"b\\c\n\u{1}é");
        assert_eq!(out, "\"a\\\"b\\\\c\\u000a\\u0001é\"");
    }

    #[test]
    fn the_last_page_has_no_next() {
        assert_eq!(
            page(&["1", "{}"], Some("/p?2")),
            r#"{"data":[1,{}],"next":"/p?2","hasMore":true}"#
        );
        assert_eq!(
            page::<&str>(&[], None),
            r#"{"data":[],"next":null,"hasMore":false}"#
        );
    }
}
