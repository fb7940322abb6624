//! `Link` headers (RFC 8288).

use url::Url;

/// One link of a `Link` header, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Link<'a> {
    target: &'a str,
    /// The relations, from the first `rel` parameter: later ones do not count.
    rel: Option<String>,
    /// Another page than this one is what has the next.
    anchor: Option<String>,
}

/// The target of the first link to the next page, as it is written; `page` is the URL that the headers came from.
pub(super) fn next<'a>(headers: impl Iterator<Item = &'a str>, page: &Url) -> Option<String> {
    for header in headers {
        let found = links(header).into_iter().find(|link| {
            let about_this = link
                .anchor
                .as_ref()
                .is_none_or(|anchor| page.join(anchor).is_ok_and(|anchor| anchor == *page));
            let is_next = link.rel.as_ref().is_some_and(|rel| {
                rel.split_ascii_whitespace()
                    .any(|rel| rel.eq_ignore_ascii_case("next"))
            });
            about_this && is_next
        });
        if let Some(link) = found {
            return Some(link.target.to_owned());
        }
    }
    None
}

/// All links of one header. What is no link is passed over up to the next comma.
fn links(header: &str) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return links;
        }
        match rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((target, parameters)) => {
                let mut link = Link {
                    target: target.trim(),
                    ..Link::default()
                };
                rest = read_parameters(parameters, &mut link);
                links.push(link);
            }
            None => rest = rest.split_once(',').map_or("", |(_, rest)| rest),
        }
    }
}

/// Reads `; name=value` as often as it comes, and gives what is left behind the link.
fn read_parameters<'a>(mut rest: &'a str, link: &mut Link<'_>) -> &'a str {
    const ENDS: [char; 5] = ['=', ';', ',', ' ', '\t'];
    loop {
        rest = trim(rest);
        let Some(parameter) = rest.strip_prefix(';') else {
            // Junk between a link and the comma behind it.
            return rest.find(',').map_or("", |comma| &rest[comma..]);
        };
        let parameter = trim(parameter);
        let (name, after) = parameter.split_at(parameter.find(ENDS).unwrap_or(parameter.len()));
        rest = trim(after);
        let value = match rest.strip_prefix('=').map(trim) {
            None => String::new(),
            Some(value) if value.starts_with('"') => {
                let (value, after) = quoted(&value[1..]);
                rest = after;
                value
            }
            Some(value) => {
                let end = value.find(&ENDS[1..]).unwrap_or(value.len());
                rest = &value[end..];
                value[..end].to_owned()
            }
        };
        let place = match name.to_ascii_lowercase().as_str() {
            "rel" => &mut link.rel,
            "anchor" => &mut link.anchor,
            _ => continue,
        };
        place.get_or_insert(value);
    }
}

fn trim(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The rest of a quoted string, and what comes behind it. One that never ends goes up to the end.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            char => value.push(char),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[&str]) -> Option<String> {
        let page = Url::parse("https://a.example/list?page=1").expect("a URL");
        next(headers.iter().copied(), &page)
    }

    #[test]
    fn the_next_page_is_found_however_it_is_written() {
        for (header, target) in [
            ("</p?2>; rel=next", "/p?2"),
            ("</p?2>; rel=\"next\"", "/p?2"),
            ("</p?2>;rel=\"NEXT last\"", "/p?2"),
            (
                "</p?2> ; title=\"a; b, <c>; rel=prev\" ; rel=\"x next\"",
                "/p?2",
            ),
            ("</p?2>; title=\"say \\\"rel\\\"\"; rel=next", "/p?2"),
            (
                "</0>; rel=prev, </p?a=1,2;3>; rel=next, </9>; rel=last",
                "/p?a=1,2;3",
            ),
            ("nonsense, </p?2>; rel = next", "/p?2"),
            ("</0> junk, </p?2>; crossorigin; rel=next", "/p?2"),
            ("</p?2>; rel=next; anchor=\"?page=1\"", "/p?2"),
            (",, <>; rel=next", ""),
        ] {
            assert_eq!(of(&[header]).as_deref(), Some(target), "{header}");
        }
        assert_eq!(
            of(&["</0>; rel=prev", "</2>; rel=next"]).as_deref(),
            Some("/2")
        );
    }

    #[test]
    fn what_is_no_next_page() {
        for header in [
            "",
            "</p>",
            "</p>; rel=prev",
            "</p>; rel=nextish",
            // The first relation counts.
            "</p>; rel=prev; rel=next",
            "</p>; rev=next",
            "</p>; title=\"rel=next\"",
            // It is another page that this one is the next of.
            "</p>; rel=next; anchor=\"/other\"",
            "</p; rel=next",
            "/p; rel=next",
        ] {
            assert_eq!(of(&[header]), None, "{header}");
        }
    }
}
