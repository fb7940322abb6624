//! The report: what a person wants to know of a run when it is over, and what a machine may read of it.

use serde::ser::Serializer;
use settled::OutcomeKind;

use crate::record::ErrorKind;
use crate::remarks::{Remark, remarks};
use crate::replay::Skipped;
use crate::tally::Tally;

/// The summary of a run, or of a ledger.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    /// Jobs with a final outcome.
    pub settled: u64,
    /// How many have which outcome; outcomes that do not occur are left out.
    #[serde(serialize_with = "as_object")]
    pub outcomes: Vec<(&'static str, u64)>,
    /// Jobs that were interrupted; they run again when the list is resumed.
    pub interrupted: u64,
    /// Jobs that an earlier run had settled and this one skipped.
    pub skipped: u64,
    /// Tries, first ones and repetitions.
    pub attempts: u64,
    /// From the first start to the last end.
    pub seconds: f64,
    /// Settled jobs a second.
    pub per_second: f64,
    /// How long jobs took from start to outcome, in milliseconds. `None`: no job had a try.
    pub latency_ms: Option<Latency>,
    /// Where the jobs' time went, added up over all of them.
    pub time: TimeSpent,
    /// Failed jobs, grouped; the largest group first.
    pub failures: Vec<FailureGroup>,
    /// What tries met that did not succeed, repeated ones included; the most frequent first.
    pub met: Vec<Met>,
    /// Results of which bytes were dropped.
    pub truncated: u64,
    /// What to change, each with its evidence.
    pub remarks: Vec<Remark>,
}

fn as_object<S: Serializer>(
    outcomes: &[(&'static str, u64)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(outcomes.iter().copied())
}

/// Percentiles, in milliseconds.
#[derive(Clone, Copy, Debug, serde::Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
    pub mean: f64,
}

/// Seconds, added up over all jobs.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct TimeSpent {
    /// In tries that settled their job or were repeated.
    pub trying_s: f64,
    /// Between two tries.
    pub waiting_s: f64,
}

/// Failed jobs that have outcome, kind, status (HTTP or exit) and host in common.
#[derive(Debug, serde::Serialize)]
pub struct FailureGroup {
    /// Their outcome.
    pub outcome: &'static str,
    /// The kind of their error.
    pub kind: ErrorKind,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The exit status of a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// The host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How many.
    pub count: u64,
    /// One of them: its id, its input, and what happened.
    pub example: Example,
}

/// One failed job.
#[derive(Debug, serde::Serialize)]
#[expect(missing_docs, reason = "the names are those of the outcome line")]
pub struct Example {
    pub id: String,
    pub input: String,
    pub message: String,
}

/// What tries met.
#[derive(Debug, serde::Serialize)]
#[expect(missing_docs, reason = "the names are those of the outcome line")]
pub struct Met {
    pub kind: ErrorKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub count: u64,
}

impl Report {
    /// The report of a tally. `skipped`: what an earlier run had settled.
    #[must_use]
    pub fn new(tally: &Tally, skipped: Skipped) -> Self {
        let seconds = tally.timeline.span().as_secs_f64();
        let settled = tally.settled();
        let mut failures: Vec<FailureGroup> = tally
            .failures
            .iter()
            .map(|(group, failures)| FailureGroup {
                outcome: group.outcome.name(),
                kind: group.kind,
                status: group.status,
                exit: group.exit,
                host: group.host.as_deref().map(Into::into),
                count: failures.count,
                example: Example {
                    id: failures.id.clone(),
                    input: failures.input.clone(),
                    message: failures.message.clone(),
                },
            })
            .collect();
        failures.sort_by(|a, b| {
            b.count
                .cmp(&a.count)
                .then_with(|| a.example.id.cmp(&b.example.id))
        });
        let mut met: Vec<Met> = tally
            .met
            .iter()
            .map(|(&(kind, status), &count)| Met {
                kind,
                status,
                count,
            })
            .collect();
        met.sort_by_key(|met| (std::cmp::Reverse(met.count), met.kind, met.status));
        Self {
            settled,
            outcomes: names_and_counts(&tally.outcomes),
            interrupted: tally.interrupted,
            skipped: skipped.total(),
            attempts: tally.attempts,
            seconds,
            per_second: if seconds > 0.0 {
                settled as f64 / seconds
            } else {
                0.0
            },
            latency_ms: latency(tally),
            time: TimeSpent {
                trying_s: tally.trying.as_secs_f64(),
                waiting_s: tally.waiting.as_secs_f64(),
            },
            failures,
            met,
            truncated: tally.truncated,
            remarks: remarks(tally),
        }
    }
}

fn names_and_counts(outcomes: &[u64; OutcomeKind::ALL.len()]) -> Vec<(&'static str, u64)> {
    OutcomeKind::ALL
        .into_iter()
        .map(OutcomeKind::name)
        .zip(*outcomes)
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn latency(tally: &Tally) -> Option<Latency> {
    let times = &tally.latency;
    let ms = |us: u64| us as f64 / 1000.0;
    (!times.is_empty()).then(|| Latency {
        p50: ms(times.value_at_quantile(0.5)),
        p90: ms(times.value_at_quantile(0.9)),
        p99: ms(times.value_at_quantile(0.99)),
        p999: ms(times.value_at_quantile(0.999)),
        max: ms(times.max()),
        mean: times.mean() / 1000.0,
    })
}
