//! How requests are made: everything that a run sets once, for all of its jobs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, PROXY_AUTHORIZATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// How requests are made. A job's own members go before these.
#[derive(Clone, Debug)]
pub struct FetchConfig {
    /// The method. `None`: `POST` for a request that has a body, else `GET`.
    pub method: Option<Method>,
    /// Sent with every request. A value that is marked sensitive (see [`Self::header`]) is never shown, and is not sent on to
    /// another origin by a redirect.
    pub headers: HeaderMap,
    /// What relative URLs are relative to.
    pub base_url: Option<String>,
    /// Sent with every request that has no body of its own.
    pub body: Option<Bytes>,
    /// Which statuses are a success.
    pub ok_status: StatusSet,
    /// After which statuses another try is made.
    pub retry_status: StatusSet,
    /// Retry also those requests that may have been processed and are not idempotent.
    pub retry_unsafe: bool,
    /// Send an `Idempotency-Key`: a hash of this seed, the job's id and its key, so that it is the same for every try of the job.
    pub idempotency_key: Option<String>,
    /// The `User-Agent`.
    pub user_agent: String,
    /// Ask for compressed answers and decode them. A job or run that sets `Accept-Encoding` itself gets the body as it came.
    pub compression: bool,
    /// How many redirects are followed. `None`: none is, and a 3xx is an answer like any other.
    pub max_redirects: Option<u32>,
    /// The largest body in bytes, on the wire and decoded; a larger one is `too_large`.
    pub max_body: u64,
    /// What is kept of an answer.
    pub keep: KeepConfig,
    /// Where and how to connect.
    pub connect: ConnectConfig,
}

/// What is kept of an answer.
#[derive(Clone, Debug)]
pub struct KeepConfig {
    /// The headers.
    pub headers: bool,
    /// The body. Where it is not kept it is still read to its end and counted: a body that is cut short is no success.
    pub body: bool,
    /// How many bytes of the body are kept in the record.
    pub inline: usize,
    /// Where larger bodies go, as `<seq>.body`. `None`: they are truncated.
    pub save_dir: Option<Arc<Path>>,
}

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct ConnectConfig {
    /// How long name lookup, TCP and TLS may take together.
    pub timeout: Duration,
    /// Accept any certificate.
    pub insecure: bool,
    /// A PEM file with certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Refuse every address that is not public, and read no file for a job (`body_file`): for lists that are not trusted.
    pub deny_private: bool,
    /// Use the proxies that the environment names. Never done together with `deny_private`.
    pub proxies: bool,
    /// How many connections a core keeps open, those in use included: its slots. For one that is in use an idle one is closed.
    pub idle: usize,
    /// How long a connection may lie idle.
    pub idle_for: Duration,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            method: None,
            headers: HeaderMap::new(),
            base_url: None,
            body: None,
            ok_status: StatusSet::range(200, 299),
            retry_status: [408, 425, 429, 500, 502, 503, 504].into_iter().collect(),
            retry_unsafe: false,
            idempotency_key: None,
            user_agent: concat!("settled/", env!("CARGO_PKG_VERSION")).to_owned(),
            compression: true,
            max_redirects: Some(10),
            max_body: 64 << 20,
            keep: KeepConfig {
                headers: false,
                body: true,
                inline: 1 << 20,
                save_dir: None,
            },
            connect: ConnectConfig::default(),
        }
    }
}

impl Default for ConnectConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            insecure: false,
            ca_file: None,
            deny_private: false,
            proxies: true,
            idle: 32,
            idle_for: Duration::from_secs(90),
        }
    }
}

impl FetchConfig {
    /// Adds a default header from `Name: value`. A `secret` one, and those whose name says so (`Authorization`, `Cookie`), are
    /// never shown and never sent on to another origin.
    ///
    /// # Errors
    /// If the text is no header; the message never has the value in it.
    pub fn header(&mut self, line: &str, secret: bool) -> Result<(), ConfigError> {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| ConfigError::new("a header is written `Name: value`"))?;
        let (name, value) = header(name, value, secret).map_err(ConfigError)?;
        self.headers.append(name, value);
        Ok(())
    }
}

/// One header from its texts, marked sensitive where it is a secret.
pub(super) fn header(
    name: &str,
    value: &str,
    secret: bool,
) -> Result<(HeaderName, HeaderValue), String> {
    let name = name.trim();
    let named = HeaderName::try_from(name).map_err(|_| format!("{name:?} is no header name"))?;
    if named == CONTENT_LENGTH || named == TRANSFER_ENCODING {
        return Err(format!(
            "header {name} can't be set: it follows from the body"
        ));
    }
    let mut value = HeaderValue::try_from(value.trim())
        .map_err(|_| format!("the value of header {name} has characters that it can't have"))?;
    value.set_sensitive(
        secret || named == AUTHORIZATION || named == COOKIE || named == PROXY_AUTHORIZATION,
    );
    Ok((named, value))
}

/// A setting that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub(super) String);

impl ConfigError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// A set of HTTP statuses, written as a list of statuses and ranges: `200-299,404`.
///
/// ```
/// use settled_jobs::fetch::StatusSet;
///
/// let accepted: StatusSet = "200-299,404".parse()?;
/// assert!(accepted.contains(204) && accepted.contains(404) && !accepted.contains(500));
/// assert_eq!(accepted.to_string(), "200-299,404");
/// assert_eq!("200-abc".parse::<StatusSet>().unwrap_err().to_string(), "\"200-abc\" is no status (100 to 999) or range of them");
/// # Ok::<(), settled_jobs::fetch::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet([u64; 16]);

impl StatusSet {
    /// No status at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self([0; 16])
    }

    /// All statuses from `first` to `last`, both included; what lies outside of 100 to 999 is left out.
    #[must_use]
    pub fn range(first: u16, last: u16) -> Self {
        (first.max(100)..=last.min(999)).collect()
    }

    /// Whether `status` is one of them.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0
            .get(usize::from(status / 64))
            .is_some_and(|word| word >> (status % 64) & 1 == 1)
    }
}

impl FromIterator<u16> for StatusSet {
    fn from_iter<I: IntoIterator<Item = u16>>(statuses: I) -> Self {
        let mut set = Self::empty();
        for status in statuses.into_iter().filter(|status| *status < 1000) {
            set.0[usize::from(status / 64)] |= 1 << (status % 64);
        }
        set
    }
}

impl FromStr for StatusSet {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut set = Self::empty();
        for part in text.split(',').map(str::trim) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Some(first), Some(last)) = (status(first), status(last)) else {
                return Err(ConfigError(format!(
                    "{part:?} is no status (100 to 999) or range of them"
                )));
            };
            if first > last {
                return Err(ConfigError(format!(
                    "the range {part:?} ends before it starts"
                )));
            }
            for (word, more) in set.0.iter_mut().zip(Self::range(first, last).0) {
                *word |= more;
            }
        }
        Ok(set)
    }
}

fn status(text: &str) -> Option<u16> {
    text.trim()
        .parse()
        .ok()
        .filter(|status| (100..=999).contains(status))
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut comma, mut status) = ("", 100);
        while status < 1000 {
            let first = status;
            while self.contains(status) {
                status += 1;
            }
            match status - first {
                0 => {}
                1 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{}", status - 1)?,
            }
            comma = if status > first { "," } else { comma };
            status += 1;
        }
        Ok(())
    }
}
