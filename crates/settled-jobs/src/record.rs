//! The vocabulary of an outcome line: what went wrong, what came back.

use std::borrow::Cow;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::keep::Kept;

/// Why a try, or a job, did not succeed. The list is closed: scripts may match on it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The line could not be read as a job.
    Input,
    /// An id that an earlier line of the list has already.
    DuplicateId,
    /// The URL can't be used.
    Url,
    /// The host name did not resolve.
    Dns,
    /// No connection.
    Connect,
    /// No secure connection: certificate or handshake.
    Tls,
    /// The time for the try, or for the whole job, was up.
    Timeout,
    /// An answer whose status is not among the accepted ones.
    Http,
    /// Too many redirects, a redirect without a target, or one that is refused.
    Redirect,
    /// The connection was cut.
    Reset,
    /// The peer broke the protocol.
    Protocol,
    /// The body ended early, or could not be sent.
    Body,
    /// The body is larger than allowed.
    TooLarge,
    /// The body's content encoding is broken or unknown.
    Decode,
    /// The command could not be started.
    Spawn,
    /// The command ended with a status that is not among the accepted ones.
    Exit,
    /// The command was ended by a signal.
    Signal,
    /// The job was told to stop.
    Cancelled,
    /// The job's own code panicked: a defect of settled.
    Panic,
    /// A file or pipe of ours could not be read or written.
    Io,
}

impl ErrorKind {
    /// Every kind, in the order in which they are documented.
    pub const ALL: [Self; 20] = [
        Self::Input,
        Self::DuplicateId,
        Self::Url,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Http,
        Self::Redirect,
        Self::Reset,
        Self::Protocol,
        Self::Body,
        Self::TooLarge,
        Self::Decode,
        Self::Spawn,
        Self::Exit,
        Self::Signal,
        Self::Cancelled,
        Self::Panic,
        Self::Io,
    ];

    /// The name as it stands in an outcome line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::DuplicateId => "duplicate_id",
            Self::Url => "url",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Http => "http",
            Self::Redirect => "redirect",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Body => "body",
            Self::TooLarge => "too_large",
            Self::Decode => "decode",
            Self::Spawn => "spawn",
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Cancelled => "cancelled",
            Self::Panic => "panic",
            Self::Io => "io",
        }
    }
}

/// Why a try failed, and what may be done about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The class of the error.
    pub kind: ErrorKind,
    /// What happened, for a person; text from outside is in it as it came, secrets are not.
    pub message: Cow<'static, str>,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// How long the server asked to wait before the next try (`Retry-After`), as it said it: not yet capped.
    pub retry_after: Option<Duration>,
    /// Another try may succeed, and may be made.
    pub retry: bool,
}

impl Failure {
    /// A failure that another try would not mend.
    pub fn permanent(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            retry_after: None,
            retry: false,
        }
    }

    /// A failure that another try may mend.
    pub fn transient(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            retry: true,
            ..Self::permanent(kind, message)
        }
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", self.kind.name())?;
        if let Some(status) = self.status {
            map.serialize_entry("status", &status)?;
        }
        map.serialize_entry("message", &self.message)?;
        if let Some(wait) = self.retry_after {
            map.serialize_entry(
                "retry_after_ms",
                &u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            )?;
        }
        map.end()
    }
}

/// One try that did not settle its job.
#[derive(Clone, Debug, PartialEq)]
pub struct Try {
    /// How long it took.
    pub took: Duration,
    /// How long the job was then to wait for its next try; `None` for a try that had no next one.
    pub waited: Option<Duration>,
    /// Why it failed.
    pub error: Failure,
}

/// What came back, whether that was a success or not.
#[derive(Clone, Debug, PartialEq)]
pub enum JobResult {
    /// An HTTP answer.
    Fetch(Box<FetchResult>),
    /// A command that ran.
    Run(Box<RunResult>),
}

/// An HTTP answer, as it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchResult {
    /// The status of the last answer.
    pub status: u16,
    /// Its headers, if they are kept.
    pub headers: Option<http::HeaderMap>,
    /// Its body (decoded), if it is kept.
    pub body: Option<Kept>,
    /// How many bytes of (decoded) body there were.
    pub bytes: u64,
    /// The final URL where it is another than the job's: after redirects.
    pub url: Option<String>,
}

/// A command that ran, as it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResult {
    /// How it ended.
    pub ended: Ended,
    /// What it wrote to its standard output, if that is kept.
    pub stdout: Option<Kept>,
    /// What it wrote to its standard error, if that is kept.
    pub stderr: Option<Kept>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this status.
    Exit(i32),
    /// This signal ended it.
    Signal(i32),
}
