//! The tally: a fold over outcome lines, as they are written or as a ledger gives them back. What a person reads is made of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::value::RawValue;
use settled::OutcomeKind;

use crate::job::Input;
use crate::keep::Kept;
use crate::line::OutcomeLine;
use crate::record::{Ended, ErrorKind, JobResult};
use crate::timeline::Timeline;

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
fn met(kind: ErrorKind, status: Option<u16>) -> (ErrorKind, Option<u16>) {
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

/// What went wrong, and where: failures that have these in common are one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) outcome: OutcomeKind,
    pub(crate) kind: ErrorKind,
    pub(crate) status: Option<u16>,
    pub(crate) exit: Option<i32>,
    pub(crate) host: Option<Box<str>>,
}

/// A group of failures: how many, and one of them.
#[derive(Clone, Debug)]
pub(crate) struct Failures {
    pub(crate) count: u64,
    pub(crate) id: String,
    pub(crate) input: String,
    pub(crate) message: String,
}

/// A fold over outcome lines.
#[derive(Debug)]
pub struct Tally {
    /// Final lines, in the order of [`OutcomeKind::ALL`].
    pub(crate) outcomes: [u64; OutcomeKind::ALL.len()],
    /// Jobs that were interrupted and will run again.
    pub(crate) interrupted: u64,
    pub(crate) attempts: u64,
    /// Whole time of each job that had a try, waiting included, in microseconds.
    pub(crate) latency: Histogram<u64>,
    pub(crate) trying: Duration,
    pub(crate) waiting: Duration,
    /// What tries met, the last ones included.
    pub(crate) met: HashMap<(ErrorKind, Option<u16>), u64>,
    pub(crate) failures: HashMap<Group, Failures>,
    /// Failures of groups that there was no more room for.
    pub(crate) other_failures: u64,
    pub(crate) truncated: u64,
    pub(crate) timeline: Timeline,
}

/// More groups of failures than anybody reads are not kept apart.
const MAX_GROUPS: usize = 1_000;
/// How much of an example is kept.
const EXCERPT: usize = 300;

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Tally {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            outcomes: [0; OutcomeKind::ALL.len()],
            interrupted: 0,
            attempts: 0,
            latency: empty_histogram(),
            trying: Duration::ZERO,
            waiting: Duration::ZERO,
            met: HashMap::new(),
            failures: HashMap::new(),
            other_failures: 0,
            truncated: 0,
            timeline: Timeline::default(),
        }
    }

    /// Jobs with a final line.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Jobs with a final line that says `fulfilled`.
    #[must_use]
    pub fn fulfilled(&self) -> u64 {
        self.outcomes[0]
    }

    /// Takes in one line.
    pub(crate) fn add(&mut self, seen: &Seen<'_>) {
        self.attempts += u64::from(seen.attempts);
        self.truncated += u64::from(seen.truncated);
        self.add_times(seen);
        if !seen.is_final {
            self.interrupted += 1;
            return;
        }
        let at = OutcomeKind::ALL
            .iter()
            .position(|&kind| kind == seen.outcome)
            .unwrap_or_default();
        self.outcomes[at] += 1;
        let Some(error) = &seen.error else { return };
        if seen.attempts > 0 {
            *self.met.entry(met(error.kind, error.status)).or_default() += 1;
        }
        let group = Group {
            outcome: seen.outcome,
            kind: error.kind,
            status: error.status,
            exit: error.exit,
            host: host_of(&seen.input).map(Into::into),
        };
        let example = || Failures {
            count: 1,
            id: excerpt(&seen.id),
            input: excerpt(&seen.input),
            message: excerpt(&error.message),
        };
        self.add_failures(group, 1, example);
    }

    fn add_times(&mut self, seen: &Seen<'_>) {
        let mut at = seen.started_us;
        let mut before = Duration::ZERO;
        for a_try in &seen.tries {
            *self.met.entry(a_try.met).or_default() += 1;
            self.timeline.add(at, a_try.took, a_try.met.1 == Some(429));
            let whole = a_try.took + a_try.waited;
            self.trying += a_try.took;
            self.waiting += a_try.waited;
            before += whole;
            at += whole.as_micros() as u64;
        }
        if seen.attempts == 0 {
            return;
        }
        self.latency.saturating_record(seen.took.as_micros() as u64);
        if seen.attempts as usize > seen.tries.len() {
            let last = seen.took.saturating_sub(before);
            self.trying += last;
            let limited = seen
                .error
                .as_ref()
                .is_some_and(|error| error.status == Some(429));
            self.timeline.add(at, last, limited);
        }
    }

    fn add_failures(&mut self, group: Group, count: u64, example: impl FnOnce() -> Failures) {
        if let Some(known) = self.failures.get_mut(&group) {
            known.count += count;
        } else if self.failures.len() < MAX_GROUPS {
            self.failures.insert(group, example());
        } else {
            self.other_failures += count;
        }
    }

    /// Takes in what another core has seen.
    pub(crate) fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *mine += theirs;
        }
        self.interrupted += other.interrupted;
        self.attempts += other.attempts;
        self.truncated += other.truncated;
        self.other_failures += other.other_failures;
        self.trying += other.trying;
        self.waiting += other.waiting;
        // Both have the same limits, so that every value of the one fits the other.
        let _ = self.latency.add(&other.latency);
        for (met, count) in other.met {
            *self.met.entry(met).or_default() += count;
        }
        for (group, failures) in other.failures {
            self.add_failures(group, failures.count, || failures);
        }
        self.timeline.merge(&other.timeline);
    }
}

/// One microsecond to a day, two significant figures: 60 KiB.
fn empty_histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, 86_400_000_000, 2) {
        Ok(histogram) => histogram,
        // These bounds are valid.
        Err(_) => unreachable!("valid bounds"),
    }
}

fn excerpt(text: &str) -> String {
    let end = (0..=EXCERPT.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    let mut short = text[..end].to_owned();
    if end < text.len() {
        short.push('…');
    }
    short
}

/// `host` or `host:port` of an HTTP URL.
pub(crate) fn host_of(input: &str) -> Option<&str> {
    let rest = input
        .strip_prefix("http://")
        .or_else(|| input.strip_prefix("https://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then_some(host)
}
