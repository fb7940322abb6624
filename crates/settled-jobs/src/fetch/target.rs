//! Where a request goes: a URL, normalised once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::record::{ErrorKind, Failure};

/// An absolute http or https URL without user name, password and fragment.
#[derive(Clone, Debug)]
pub(super) struct Target {
    uri: Uri,
    /// `host:port`, where the URL does not have it written so.
    host: Option<Box<str>>,
    /// What the URL's user name and password come to.
    pub(super) auth: Option<Box<HeaderValue>>,
}

impl Target {
    /// Reads a URL.
    ///
    /// A plain one (see [`is_plain`]) is taken as it is; whatever else goes the way that browsers take (the WHATWG URL standard):
    /// spaces at the ends, other alphabets, dots in the path, odd ways to write an IPv4 address.
    pub(super) fn parse(text: &str, base: Option<&Url>) -> Result<Self, Failure> {
        if is_plain(text.as_bytes())
            && let Ok(uri) = Uri::from_maybe_shared(Bytes::copy_from_slice(text.as_bytes()))
        {
            return Ok(Self::new(uri, None));
        }
        Self::from_url(parse(text, base)?)
    }

    pub(super) fn from_url(mut url: Url) -> Result<Self, Failure> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(format!(
                "only http and https are possible, not {:?}",
                url.scheme()
            )));
        }
        if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
            return Err(invalid("the URL has no host, or port 0"));
        }
        let auth = basic(&url);
        let cleaned = url.set_username("").and_then(|()| url.set_password(None));
        url.set_fragment(None);
        match Uri::try_from(url.as_str()) {
            Ok(uri) if cleaned.is_ok() => Ok(Self::new(uri, auth)),
            _ if url.as_str().len() >= usize::from(u16::MAX) => {
                Err(invalid("the URL is longer than 65534 bytes"))
            }
            _ => Err(invalid("the URL has characters that a request can't have")),
        }
    }

    fn new(uri: Uri, auth: Option<HeaderValue>) -> Self {
        let host = match uri.port_u16() {
            Some(_) => None,
            None => {
                let port = if uri.scheme_str() == Some("https") {
                    443
                } else {
                    80
                };
                Some(format!("{}:{port}", uri.host().unwrap_or_default()).into())
            }
        };
        Self {
            uri,
            host,
            auth: auth.map(Box::new),
        }
    }

    pub(super) fn https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// `host:port` in lower case; with [`Self::https`], the origin.
    pub(super) fn host(&self) -> &str {
        self.host.as_deref().unwrap_or_else(|| self.authority())
    }

    /// The host as the `Host` header has it: without a port that goes without saying.
    pub(super) fn authority(&self) -> &str {
        self.uri
            .authority()
            .map_or("", http::uri::Authority::as_str)
    }

    pub(super) fn same_origin(&self, other: &Self) -> bool {
        self.https() == other.https() && self.host() == other.host()
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// What stands in the request line.
    pub(super) fn path(&self) -> PathAndQuery {
        self.uri
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/"))
    }

    /// The URL as it may be shown: its user name and password are no part of it.
    pub(super) fn shown(&self) -> String {
        match &self.auth {
            None => self.uri.to_string(),
            Some(_) => self.uri.to_string().replacen("://", "://***@", 1),
        }
    }

    /// Where an answer of this target redirects to. A user name and password in it are not taken over.
    pub(super) fn redirect(&self, headers: &HeaderMap) -> Result<Self, Failure> {
        let refused = |why: String| Failure::permanent(ErrorKind::Redirect, why);
        let Some(location) = headers.get(http::header::LOCATION) else {
            return Err(refused("a redirect without a Location".into()));
        };
        let text = String::from_utf8_lossy(location.as_bytes());
        let here = parse(&self.uri.to_string(), None)?;
        let mut to = parse(&text, Some(&here))
            .and_then(Self::from_url)
            .map_err(|error| refused(format!("a redirect to nowhere: {}", error.message)))?;
        to.auth = self.auth.clone().filter(|_| to.same_origin(self));
        if self.https() && !to.https() {
            return Err(refused(format!(
                "redirect from https to {} refused",
                to.shown()
            )));
        }
        Ok(to)
    }
}

/// Reads a URL the way browsers do; the message says what is wrong, and has nothing of the URL in it that could be a secret.
pub(super) fn parse(text: &str, base: Option<&Url>) -> Result<Url, Failure> {
    match Url::options().base_url(base).parse(text) {
        Ok(url) => Ok(url),
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            Err(invalid("a relative URL, and no base URL to go with it"))
        }
        Err(error) => Err(invalid(error.to_string())),
    }
}

/// A plain line as an outcome may show it: where it is a URL with a user name or a password, these are starred out.
pub(super) fn redacted(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if !scheme
        .trim_start()
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic())
    {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rfind('@')? + 1;
    Some(format!("{scheme}://***@{}", &rest[host..]))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::permanent(ErrorKind::Url, message)
}

fn basic(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(url.password().unwrap_or_default()));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

const HOST: u8 = 1;
const PATH: u8 = 2;
static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let c = i as u8;
        let host = c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
        let path = c.is_ascii_alphanumeric()
            || matches!(
                c,
                b'-' | b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b'+'
            );
        let more = matches!(
            c,
            b',' | b';' | b'=' | b':' | b'@' | b'%' | b'/' | b'?' | b'.'
        );
        table[i] = if host { HOST } else { 0 } | if path || more { PATH } else { 0 };
        i += 1;
    }
    table
}

/// A URL that reading and normalising would leave as it is: lower-case scheme and host, a path, nothing to escape, no dots that
/// may be path steps (`/.`, `%2e`), and a host that can't be an odd way to write an IPv4 address.
fn is_plain(url: &[u8]) -> bool {
    let Some(rest) = url
        .strip_prefix(b"http://")
        .or_else(|| url.strip_prefix(b"https://"))
    else {
        return false;
    };
    let host = rest
        .iter()
        .take_while(|byte| CLASS[usize::from(**byte)] & HOST != 0)
        .count();
    let (name, rest) = rest.split_at(host);
    let rest = match rest.strip_prefix(b":") {
        None => rest,
        Some(port) => {
            let digits = port.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !is_plain_port(&port[..digits]) {
                return false;
            }
            &port[digits..]
        }
    };
    rest.first() == Some(&b'/') && is_plain_host(name) && is_plain_path(rest)
}

/// A number that a port can be, and no scheme's own port: that one would be left out.
fn is_plain_port(digits: &[u8]) -> bool {
    let number = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse::<u16>().ok());
    number.is_some_and(|port| port != 80 && port != 443) && digits[0] != b'0'
}

fn is_plain_host(name: &[u8]) -> bool {
    let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let wide = name.windows(4).any(|four| four == b"xn--");
    match last.first() {
        Some(first) if first.is_ascii_digit() => {
            std::str::from_utf8(name).is_ok_and(|name| name.parse::<std::net::Ipv4Addr>().is_ok())
        }
        first => {
            first.is_some() && !wide && name[0] != b'.' && !name.windows(2).any(|two| two == b"..")
        }
    }
}

fn is_plain_path(path: &[u8]) -> bool {
    let mut before = 0;
    path.iter().all(|byte| {
        let dotted = before == b'/' && *byte == b'.' || before == b'%' && *byte == b'2';
        before = *byte;
        !dotted && CLASS[usize::from(*byte)] & PATH != 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_urls_are_those_that_the_url_standard_leaves_alone() {
        let plain = [
            "http://a.example/",
            "http://127.0.0.1:8089/i/17",
            "https://x-y.example:8443/p?q=1&r=a%41#",
        ];
        for url in &plain[..2] {
            assert!(is_plain(url.as_bytes()), "{url}");
        }
        assert!(!is_plain(plain[2].as_bytes()), "a fragment has to go");
        for url in [
            "HTTP://a/",
            "http://A/",
            "http://0x7f.1/",
            "http://127.1/",
            "http://a",
            "http://a/./b",
            "http://u@a/",
            "http://a:0/",
            "http://a/%2e",
        ] {
            assert!(!is_plain(url.as_bytes()), "{url}");
        }
    }

    #[test]
    fn both_ways_agree_on_plain_urls() {
        let mut random = fastrand::Rng::with_seed(7);
        let parts = [
            "a",
            "b.c",
            "/",
            "//",
            "?",
            "x=1",
            "&",
            "%41",
            "127.0.0.1",
            ":81",
            ":443",
            ".",
            "..",
            "-",
            "@",
            "é",
            "'",
            "1",
        ];
        let mut plain = 0;
        for _ in 0..60_000 {
            let url: String = std::iter::once("http://")
                .chain((0..random.usize(1..7)).map(|_| *random.choice(&parts).expect("some")))
                .collect();
            if is_plain(url.as_bytes()) {
                plain += 1;
                let slow = Url::parse(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
                assert_eq!(slow.as_str(), url);
            }
        }
        assert!(plain > 500, "only {plain} plain URLs were tried");
    }

    #[test]
    fn user_names_and_passwords_are_starred_out() {
        assert_eq!(
            redacted("http://u:p@h/x@y").as_deref(),
            Some("http://***@h/x@y")
        );
        assert_eq!(redacted("http://u:p@q@h").as_deref(), Some("http://***@h"));
        assert_eq!(redacted("http://h/x@y"), None);
        assert_eq!(redacted("//u:p@h/?to=http://a@b"), None);
    }
}
