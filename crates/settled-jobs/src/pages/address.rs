//! Pages' URLs: one parameter changed, or the next one followed.

use std::borrow::Cow;

use url::{Url, form_urlencoded};

/// Where the first page is, and what its requests carry.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) start: Url,
    /// Requests carry something that only this origin may see.
    pub(super) secrets: bool,
}

impl Home {
    /// The URL that `text`, found in the page at `page`, leads to.
    ///
    /// As redirects do, it takes no user name and password over from the text, and never goes from https to http. Unlike them it
    /// does not go on without the secrets: a list that is shorter for strangers would look whole.
    pub(super) fn follow(&self, page: &Url, text: &str) -> Result<Url, String> {
        let mut next = page
            .join(text)
            .map_err(|error| format!("its next page has no usable URL: {error}"))?;
        if !matches!(next.scheme(), "http" | "https") {
            return Err(format!(
                "its next page is no http or https URL, but {}:",
                next.scheme()
            ));
        }
        next.set_fragment(None);
        credentials(&mut next, "", None);
        if next.origin() == self.start.origin() {
            credentials(&mut next, self.start.username(), self.start.password());
            return Ok(next);
        }
        if self.start.scheme() == "https" && next.scheme() == "http" {
            return Err(format!("its next page would leave https ({next}): refused"));
        }
        if self.secrets {
            return Err(format!(
                "its next page is at another origin ({next}), and what the requests carry is secret: refused"
            ));
        }
        Ok(next)
    }
}

fn credentials(url: &mut Url, name: &str, password: Option<&str>) {
    // Neither fails for http and https URLs.
    let _ = url.set_username(name);
    let _ = url.set_password(password);
}

/// The value of a query parameter.
pub(super) fn param<'a>(url: &'a Url, name: &str) -> Option<Cow<'a, str>> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

/// `url` with this query parameter; all others stay, to the letter.
pub(super) fn with_param(url: &Url, name: &str, value: &str) -> Url {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let mut pair = Some(format!("{}={}", encoded(name), encoded(value)));
    let mut parts: Vec<Cow<'_, str>> = Vec::new();
    for part in url.query().unwrap_or_default().split('&') {
        let is_it = form_urlencoded::parse(part.as_bytes())
            .next()
            .is_some_and(|(key, _)| key == name);
        if is_it {
            parts.extend(pair.take().map(Cow::Owned));
        } else if !part.is_empty() {
            parts.push(Cow::Borrowed(part));
        }
    }
    parts.extend(pair.map(Cow::Owned));
    let mut changed = url.clone();
    changed.set_query(Some(&parts.join("&")));
    changed
}

/// The URL as it may be shown: without its user name and password.
pub(super) fn shown(url: &Url) -> String {
    if url.username().is_empty() && url.password().is_none() {
        return url.to_string();
    }
    let mut bare = url.clone();
    credentials(&mut bare, "", None);
    bare.as_str().replacen("://", "://***@", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn a_parameter_is_changed_and_the_others_are_left_alone() {
        for (before, after) in [
            ("http://a/p", "http://a/p?page=%2B1"),
            ("http://a/p?", "http://a/p?page=%2B1"),
            ("http://a/p?page=7", "http://a/p?page=%2B1"),
            (
                "http://a/p?q=a%20b&page=7&x=~!'",
                "http://a/p?q=a%20b&page=%2B1&x=~!%27",
            ),
            ("http://a/p?p%61ge=7&page=8&z", "http://a/p?page=%2B1&z"),
        ] {
            assert_eq!(with_param(&url(before), "page", "+1").as_str(), after);
        }
        assert_eq!(
            param(&url("http://a/?x=1&page=a%20b"), "page").as_deref(),
            Some("a b")
        );
    }

    #[test]
    fn the_next_page_never_takes_a_secret_elsewhere() {
        let home = |start: &str, secrets| Home {
            start: url(start),
            secrets,
        };
        let page = url("https://a.example/v1/list?page=1");
        let open = home("https://a.example/v1/list", false);
        let closed = home("https://u:p@a.example/v1/list", true);
        let follow = |home: &Home, text: &str| home.follow(&page, text).map(|url| url.to_string());
        assert_eq!(
            follow(&open, "?page=2#x"),
            Ok("https://a.example/v1/list?page=2".into())
        );
        assert_eq!(
            follow(&closed, "/v2"),
            Ok("https://u:p@a.example/v2".into())
        );
        assert_eq!(
            follow(&closed, "https://x:y@a.example/v2"),
            Ok("https://u:p@a.example/v2".into())
        );
        assert_eq!(
            follow(&open, "https://x:y@b.example/"),
            Ok("https://b.example/".into())
        );
        for (home, text) in [
            (&closed, "https://b.example/"),
            (&closed, "//a.example:444/"),
            (&open, "http://a.example/v1/list?page=2"),
            (&open, "ftp://a.example/"),
            (&open, "https://"),
        ] {
            assert!(follow(home, text).is_err(), "{text}");
        }
        assert_eq!(shown(&closed.start), "https://***@a.example/v1/list");
    }
}
