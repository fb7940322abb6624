//! What there is in a page, for whoever pointed beside it.

use std::borrow::Cow;

use crate::json::pointer::{elements, members};

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
