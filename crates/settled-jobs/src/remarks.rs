//! Remarks: what to change, each with its evidence. Where the evidence is thin there is no remark.

use std::collections::HashMap;

use serde::Serialize;
use settled::OutcomeKind;

use crate::record::ErrorKind;
use crate::tally::Tally;
use crate::timeline::Level;

/// A piece of advice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Remark {
    /// What was seen, in figures.
    pub evidence: String,
    /// What to do about it.
    pub advice: String,
}

impl Remark {
    fn new(evidence: String, advice: String) -> Self {
        Self { evidence, advice }
    }
}

/// Everything there is to say about a run, the most important first.
pub(crate) fn remarks(tally: &Tally) -> Vec<Remark> {
    [
        limited(tally),
        concurrency(&tally.timeline.levels()),
        one_host(tally),
        slow(tally),
        unretried(tally),
        truncated(tally),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The service refused some because they came too fast.
fn limited(tally: &Tally) -> Option<Remark> {
    let refused: u64 = tally
        .met
        .iter()
        .filter(|((_, status), _)| *status == Some(429))
        .map(|(_, n)| n)
        .sum();
    if refused < 10 || refused * 20 < tally.attempts {
        return None;
    }
    let share = refused as f64 * 100.0 / tally.attempts as f64;
    let met = format!("{share:.0} % of attempts met 429 (too many requests)");
    let allowed = tally.timeline.allowed_while_limited()?;
    let rate = two_figures(allowed);
    Some(Remark::new(
        format!("{met}: meanwhile this service answered about {rate}/s"),
        format!("try --rate {rate}/s"),
    ))
}

/// More in flight made nothing faster.
fn concurrency(levels: &[Level]) -> Option<Remark> {
    for (at, few) in levels.iter().enumerate() {
        // It has to have grown before: throughput that is the same at every level has another limit (a rate, a slow list).
        let grew = levels[..at]
            .iter()
            .any(|fewer| fewer.per_second <= few.per_second * 0.75);
        if !grew {
            continue;
        }
        let gained_nothing = |many: &&Level| {
            many.in_flight >= few.in_flight * 1.8
                && many.per_second <= few.per_second * 1.05
                && many.p99 >= few.p99.mul_f64(1.9)
        };
        if let Some(many) = levels[at + 1..].iter().find(gained_nothing) {
            let times = many.p99.as_secs_f64() / few.p99.as_secs_f64();
            return Some(Remark::new(
                format!(
                    "beyond about {:.0} in flight, throughput stopped growing ({:.0}/s there, {:.0}/s with {:.0}) while p99 grew {times:.1}-fold",
                    few.in_flight, few.per_second, many.per_second, many.in_flight
                ),
                format!("try -j {:.0}", few.in_flight.ceil()),
            ));
        }
    }
    None
}

/// Most failures are one host's.
fn one_host(tally: &Tally) -> Option<Remark> {
    let mut hosts: HashMap<&str, u64> = HashMap::new();
    let mut failed = tally.other_failures;
    for (group, failures) in &tally.failures {
        failed += failures.count;
        *hosts
            .entry(group.host.as_deref().unwrap_or_default())
            .or_default() += failures.count;
    }
    let (host, count) = hosts.iter().max_by_key(|(host, count)| (**count, **host))?;
    let is_telling = hosts.len() > 1 && *count >= 5 && count * 4 >= failed && !host.is_empty();
    is_telling.then(|| {
        Remark::new(
            format!("{count} of {failed} failures are one host: {host}"),
            "look at that host first; --redo rejected,timed_out repeats the failed jobs".into(),
        )
    })
}

/// The timeout is near what good answers need.
fn slow(tally: &Tally) -> Option<Remark> {
    let timed_out = tally.outcomes[OutcomeKind::ALL
        .iter()
        .position(|kind| *kind == OutcomeKind::TimedOut)?];
    let timeouts: u64 = tally
        .met
        .iter()
        .filter(|((kind, _), _)| *kind == ErrorKind::Timeout)
        .map(|(_, n)| n)
        .sum();
    if timeouts < 5 || timeouts * 100 < tally.attempts {
        return None;
    }
    Some(Remark::new(
        format!(
            "{timeouts} of {} attempts ran into a timeout ({timed_out} jobs ended so), while half of all jobs took less than {:.0} ms",
            tally.attempts,
            tally.latency.value_at_quantile(0.5) as f64 / 1000.0
        ),
        "a longer --timeout waits for them, a smaller -j may keep the service from getting slow"
            .into(),
    ))
}

/// Failures that another try often mends had none.
fn unretried(tally: &Tally) -> Option<Remark> {
    let temporary = |kind: ErrorKind, status: Option<u16>| match kind {
        ErrorKind::Http => matches!(status, Some(408 | 425 | 429 | 500 | 502 | 503 | 504)),
        kind => matches!(
            kind,
            ErrorKind::Connect | ErrorKind::Reset | ErrorKind::Body
        ),
    };
    let failures = tally
        .failures
        .iter()
        .filter(|(group, _)| temporary(group.kind, group.status));
    let count: u64 = failures.map(|(_, failures)| failures.count).sum();
    let tries = tally.met.values().sum::<u64>();
    let failed: u64 = tally.failures.values().map(|failures| failures.count).sum();
    // As many failed tries as failed jobs: nothing was tried twice.
    (count >= 5 && tries <= failed).then(|| {
        Remark::new(
            format!("{count} failures are of a kind that often goes away, and none of them was tried again"),
            "--retries 3 tries again; for POST and PATCH also --idempotency-key or --retry-unsafe".into(),
        )
    })
}

/// Results were cut.
fn truncated(tally: &Tally) -> Option<Remark> {
    (tally.truncated > 0).then(|| {
        Remark::new(
            format!(
                "{} results were longer than --inline allows and were cut",
                tally.truncated
            ),
            "--save-dir DIR keeps them whole, in files".into(),
        )
    })
}

/// A rate to type in: two significant figures, rounded down.
fn two_figures(rate: f64) -> f64 {
    if rate < 1.0 {
        return (rate * 100.0).floor() / 100.0;
    }
    let unit = 10f64.powf(rate.log10().floor() - 1.0);
    ((rate / unit).floor() * unit * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rates_have_two_figures_and_are_never_rounded_up() {
        for (rate, shown) in [
            (18.96, 18.0),
            (1234.0, 1200.0),
            (2.57, 2.5),
            (0.256, 0.25),
            (99.9, 99.0),
        ] {
            assert!(
                (two_figures(rate) - shown).abs() < 1e-9,
                "{rate}: {}",
                two_figures(rate)
            );
        }
    }

    #[test]
    fn concurrency_is_remarked_on_only_where_more_gained_nothing_and_cost_time() {
        let level = |in_flight, per_second, p99| Level {
            in_flight,
            per_second,
            p99: Duration::from_millis(p99),
        };
        let flat = [
            level(12.0, 600.0, 20),
            level(24.0, 1000.0, 25),
            level(48.0, 1010.0, 60),
        ];
        assert_eq!(
            concurrency(&flat).map(|remark| remark.advice),
            Some("try -j 24".into())
        );
        let growing = [
            level(12.0, 600.0, 20),
            level(24.0, 1000.0, 25),
            level(48.0, 1900.0, 60),
        ];
        assert_eq!(concurrency(&growing), None);
        // A rate limit, and a service that got slower by itself.
        let limited = [
            level(6.0, 120.0, 50),
            level(14.0, 118.0, 110),
            level(30.0, 119.0, 250),
        ];
        assert_eq!(concurrency(&limited), None);
        let quick = [
            level(12.0, 600.0, 20),
            level(24.0, 1000.0, 25),
            level(48.0, 1010.0, 30),
        ];
        assert_eq!(concurrency(&quick), None);
    }
}
