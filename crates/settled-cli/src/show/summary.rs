//! The summary: a report as a person wants to read it.

use std::fmt::Write;

use settled_jobs::{FailureGroup, Report};

use super::escape::escape;
use super::number::{grouped, millis, rate, span};
use super::style::{bad, faint, good, heading};

/// The report as text, ending with a line end.
pub(crate) fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing into a string can't fail.
    let _ = write_all(&mut out, report);
    out
}

fn write_all(out: &mut String, report: &Report) -> std::fmt::Result {
    head(out, report)?;
    row(out, "attempts", &attempts(report))?;
    if let Some(l) = &report.latency_ms {
        let times = format!(
            "p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
            millis(l.p50),
            millis(l.p90),
            millis(l.p99),
            millis(l.p999),
            millis(l.max)
        );
        row(out, "a job took", &times)?;
    }
    let spent = report.time.trying_s + report.time.waiting_s;
    if report.time.waiting_s > 0.0 && spent > 0.0 {
        let trying = report.time.trying_s * 100.0 / spent;
        row(
            out,
            "time went",
            &format!(
                "{trying:.0} % into tries, {:.0} % into waiting to retry",
                100.0 - trying
            ),
        )?;
    }
    failures(out, &report.failures)?;
    if !report.remarks.is_empty() {
        writeln!(out, "  {}", heading("what to change"))?;
    }
    for remark in &report.remarks {
        writeln!(
            out,
            "    {}; {}",
            escape(&remark.evidence),
            heading(&escape(&remark.advice))
        )?;
    }
    Ok(())
}

/// How many tries there were; where some were repeated, what they met.
fn attempts(report: &Report) -> String {
    let count = grouped(report.attempts);
    if report.attempts <= report.settled || report.met.is_empty() {
        return count;
    }
    let met = report.met.iter().take(6).map(|met| match met.status {
        Some(status) => format!("{} × {status}", grouped(met.count)),
        None => format!("{} × {}", grouped(met.count), met.kind.name()),
    });
    format!("{count}; tries met {}", met.collect::<Vec<_>>().join(", "))
}

fn head(out: &mut String, report: &Report) -> std::fmt::Result {
    let outcomes: Vec<String> = report
        .outcomes
        .iter()
        .map(|(name, count)| {
            let text = format!("{} {}", grouped(*count), name.replace('_', " "));
            if *name == "fulfilled" {
                good(&text)
            } else {
                bad(&text)
            }
        })
        .collect();
    match (outcomes.is_empty(), report.skipped) {
        (true, 0) => write!(out, "nothing settled")?,
        (true, skipped) => {
            return writeln!(
                out,
                "nothing to do: {} jobs were settled before",
                grouped(skipped)
            );
        }
        (false, _) => write!(out, "{}", outcomes.join(", "))?,
    }
    if report.settled > 0 && report.seconds > 0.0 {
        let time = span(std::time::Duration::from_secs_f64(report.seconds));
        write!(out, " in {time} ({}/s)", rate(report.per_second))?;
    }
    if report.skipped > 0 {
        write!(out, "; {} were settled before", grouped(report.skipped))?;
    }
    if report.interrupted > 0 {
        write!(
            out,
            "; {} interrupted, to run again",
            grouped(report.interrupted)
        )?;
    }
    writeln!(out)
}

fn row(out: &mut String, name: &str, text: &str) -> std::fmt::Result {
    writeln!(out, "  {} {text}", faint(&format!("{name:<10}")))
}

/// How many groups of failures are shown.
const GROUPS: usize = 8;

fn failures(out: &mut String, groups: &[FailureGroup]) -> std::fmt::Result {
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {}", heading("failures"))?;
    for group in groups.iter().take(GROUPS) {
        let status = group
            .status
            .map(i32::from)
            .or(group.exit)
            .map(|status| format!(" {status}"))
            .unwrap_or_default();
        let host = group
            .host
            .as_deref()
            .map(|host| format!(" at {}", escape(host)))
            .unwrap_or_default();
        writeln!(
            out,
            "    {:>7}  {}{status}{host}",
            grouped(group.count),
            group.kind.name()
        )?;
        let example = &group.example;
        let line = format!(
            "job {}: {} — {}",
            example.id, example.input, example.message
        );
        writeln!(out, "             {}", faint(&escape(&shortened(&line))))?;
    }
    if groups.len() > GROUPS {
        let rest: u64 = groups[GROUPS..].iter().map(|group| group.count).sum();
        writeln!(
            out,
            "    {:>7}  in {} further groups",
            grouped(rest),
            groups.len() - GROUPS
        )?;
    }
    Ok(())
}

fn shortened(line: &str) -> String {
    const WIDTH: usize = 160;
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    line.chars().take(WIDTH - 1).chain(['…']).collect()
}
