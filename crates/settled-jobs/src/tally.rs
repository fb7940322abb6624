//! The tally: a fold over outcome lines, as they are written or as a ledger gives them back. What a person reads is made of it.

use std::collections::HashMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use settled::OutcomeKind;

use crate::record::ErrorKind;
use crate::seen::{Seen, met};
use crate::timeline::Timeline;

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
