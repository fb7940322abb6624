//! What an outcome line says, as far as a tally wants to know it: of one that is being written, or of one in a ledger.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::value::RawValue;
use settled::OutcomeKind;

use crate::job::Input;
use crate::keep::Kept;
use crate::line::OutcomeLine;
use crate::record::{Ended, ErrorKind, JobResult};

/// What an outcome line says, as far as a tally wants to know it.
#[derive(Debug)]
pub struct Seen<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) outcome: OutcomeKind,
    pub(crate) is_final: bool,
    pub(crate) attempts: u32,
    pub(crate) took: Duration,
    /// Since 1970, in microseconds.
    pub(crate) started_us: u64,
    pub(crate) input: Cow<'a, str>,
    pub(crate) error: Option<SeenError<'a>>,
    pub(crate) tries: Vec<SeenTry>,
    pub(crate) truncated: bool,
}

#[derive(Debug)]
pub(crate) struct SeenError<'a> {
    pub(crate) kind: ErrorKind,
    pub(crate) status: Option<u16>,
    /// The exit status of a command, where that is the error.
    pub(crate) exit: Option<i32>,
    pub(crate) message: Cow<'a, str>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct SeenTry {
    pub(crate) took: Duration,
    pub(crate) waited: Duration,
    pub(crate) met: (ErrorKind, Option<u16>),
}

impl<'a> Seen<'a> {
    pub(crate) fn of(line: &OutcomeLine<'a>) -> Self {
        let tries = line.tries.iter().map(|a_try| SeenTry {
            took: a_try.took,
            waited: a_try.waited.unwrap_or_default(),
            met: met(a_try.error.kind, a_try.error.status),
        });
        let kept = |kept: &Option<Kept>| kept.as_ref().is_some_and(Kept::truncated);
        Self {
            id: Cow::Borrowed(line.id),
            outcome: line.outcome,
            is_final: line.is_final,
            attempts: line.attempts,
            took: line.took,
            started_us: micros_since_1970(line.started),
            input: match line.input {
                Input::Text(text) => Cow::Borrowed(text),
                Input::Bytes(bytes) => String::from_utf8_lossy(bytes),
                Input::Json(json) => Cow::Borrowed(json.get()),
            },
            error: line.error.map(|error| SeenError {
                kind: error.kind,
                status: error.status,
                exit: line.result.and_then(exit).filter(|_| is_exit(error.kind)),
                message: Cow::Borrowed(&error.message),
            }),
            tries: tries.collect(),
            truncated: match line.result {
                Some(JobResult::Fetch(result)) => kept(&result.body),
                Some(JobResult::Run(result)) => kept(&result.stdout) || kept(&result.stderr),
                None => false,
            },
        }
    }

    /// Reads a line of a ledger. `None`: it is no outcome line.
    pub(crate) fn read(line: &'a [u8]) -> Option<Self> {
        let line: Written<'a> = serde_json::from_slice(line).ok()?;
        let outcome = line.outcome.parse().ok()?;
        let result = line.result.unwrap_or_default();
        let error = match line.error {
            Some(error) => {
                let kind = kind_named(&error.kind)?;
                Some(SeenError {
                    kind,
                    status: error.status,
                    exit: result.exit.filter(|_| is_exit(kind)),
                    message: error.message,
                })
            }
            None => None,
        };
        let tries = line.tries.into_iter().map(|a_try| {
            let met = met(kind_named(&a_try.error.kind)?, a_try.error.status);
            Some(SeenTry {
                took: from_millis(a_try.ms),
                waited: from_millis(a_try.wait_ms),
                met,
            })
        });
        let started = humantime::parse_rfc3339(&line.started).ok()?;
        Some(Self {
            id: line.id,
            outcome,
            is_final: line.is_final,
            attempts: line.attempts,
            took: from_millis(line.ms),
            started_us: micros_since_1970(started),
            input: match (&line.input, line.input_base64) {
                (Some(raw), _) => {
                    serde_json::from_str(raw.get()).map_or(Cow::Borrowed(raw.get()), Cow::Owned)
                }
                (None, base64) => base64.unwrap_or_default(),
            },
            error,
            tries: tries.collect::<Option<_>>()?,
            truncated: result.truncated,
        })
    }
}

/// An outcome line as it stands in a ledger.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(rename = "final", default = "yes")]
    is_final: bool,
    attempts: u32,
    ms: f64,
    #[serde(borrow)]
    started: Cow<'a, str>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    input_base64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<WrittenError<'a>>,
    #[serde(borrow, default)]
    tries: Vec<WrittenTry<'a>>,
    result: Option<WrittenResult>,
}

#[derive(Deserialize)]
struct WrittenError<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    status: Option<u16>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Deserialize)]
struct WrittenTry<'a> {
    ms: f64,
    #[serde(default)]
    wait_ms: f64,
    #[serde(borrow)]
    error: WrittenError<'a>,
}

#[derive(Default, Deserialize)]
struct WrittenResult {
    exit: Option<i32>,
    #[serde(default)]
    truncated: bool,
}

/// What a try met: the status says what only where the answer itself was the error.
pub(crate) fn met(kind: ErrorKind, status: Option<u16>) -> (ErrorKind, Option<u16>) {
    (kind, status.filter(|_| kind == ErrorKind::Http))
}

fn is_exit(kind: ErrorKind) -> bool {
    kind == ErrorKind::Exit
}

fn exit(result: &JobResult) -> Option<i32> {
    match result {
        JobResult::Run(result) => match result.ended {
            Ended::Exit(status) => Some(status),
            Ended::Signal(_) => None,
        },
        JobResult::Fetch(_) => None,
    }
}

fn yes() -> bool {
    true
}

fn kind_named(name: &str) -> Option<ErrorKind> {
    ErrorKind::ALL.into_iter().find(|kind| kind.name() == name)
}

fn from_millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}

fn micros_since_1970(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as u64)
}
