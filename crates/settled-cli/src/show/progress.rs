//! Progress: a live line on a terminal, a plain line every ten seconds elsewhere, or JSON for a machine.
//!
//! It reads counters by a timer, so that a hundred thousand lines a second cost as little as one. The live line is written with
//! a carriage return and cleared again: there is no state of the terminal to restore, however the program ends.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use settled_jobs::{ErrorKind, Progress, Total};

use super::number::{eta, grouped, rate};
use super::say;
use super::style;
use crate::flags::{ProgressWhen, ShowArgs};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Live,
    Plain,
    Json,
    None,
}

/// Shows where a run stands.
#[derive(Debug)]
pub(crate) struct Display {
    form: Form,
    begun: Instant,
    /// When it was looked at lately, and how many had settled.
    seen: VecDeque<(Instant, u64)>,
    shown: Option<Instant>,
    live: bool,
}

/// The rate is that of the last seconds.
const RATE_OVER: Duration = Duration::from_secs(8);

impl Display {
    /// `lines_share_terminal`: outcome lines go to the same terminal, so that a live line would stand in their way.
    pub(crate) fn new(args: &ShowArgs, lines_share_terminal: bool) -> Self {
        let form = match args.progress {
            _ if args.quiet => Form::None,
            ProgressWhen::Never => Form::None,
            ProgressWhen::Json => Form::Json,
            ProgressWhen::Always => Form::Live,
            ProgressWhen::Auto if lines_share_terminal => Form::None,
            ProgressWhen::Auto if style::is_live_terminal() => Form::Live,
            ProgressWhen::Auto => Form::Plain,
        };
        Self {
            form,
            begun: Instant::now(),
            seen: VecDeque::from([(Instant::now(), 0)]),
            shown: None,
            live: false,
        }
    }

    /// How often to call [`Self::show`].
    pub(crate) fn every(&self) -> Duration {
        Duration::from_millis(if self.form == Form::Live { 100 } else { 500 })
    }

    /// Shows where the run stands; `note` says that it is ending.
    pub(crate) fn show(&mut self, progress: &Progress, note: Option<&str>) {
        self.show_as(
            progress.settled(),
            |per_second| line(progress, per_second, note),
            |per_second| json_line(progress, per_second),
        );
    }

    /// Shows where something stands that is no run: how much is `done`, and how that is said, given how much of it comes a second.
    pub(crate) fn show_as(
        &mut self,
        done: u64,
        line: impl FnOnce(f64) -> String,
        json: impl FnOnce(f64) -> Value,
    ) {
        let now = Instant::now();
        let per_second = self.rate(now, done);
        let since_shown = now - self.shown.unwrap_or(self.begun);
        match self.form {
            Form::Live => self.write_live(&line(per_second)),
            Form::Plain if since_shown >= Duration::from_secs(10) => {
                self.shown = Some(now);
                say!("settled: {}", line(per_second));
            }
            Form::Json if self.shown.is_none() || since_shown >= Duration::from_secs(1) => {
                self.shown = Some(now);
                say!("{}", json(per_second));
            }
            _ => {}
        }
    }

    /// Says something between two looks, without tearing the live line.
    pub(crate) fn say(&mut self, text: &str) {
        self.clear();
        if self.form != Form::Json {
            say!("settled: {text}");
        }
    }

    /// The run is over: the last state for machines, and no live line is left behind.
    pub(crate) fn end(&mut self, progress: &Progress) {
        self.end_as(progress.settled(), |per_second| {
            json_line(progress, per_second)
        });
    }

    /// As [`end`](Self::end), for what is no run.
    pub(crate) fn end_as(&mut self, done: u64, json: impl FnOnce(f64) -> Value) {
        self.clear();
        if self.form == Form::Json {
            let seconds = self.begun.elapsed().as_secs_f64().max(1e-9);
            say!("{}", json(done as f64 / seconds));
        }
    }

    fn rate(&mut self, now: Instant, settled: u64) -> f64 {
        self.seen.push_back((now, settled));
        while self.seen.len() > 2 && now - self.seen[1].0 > RATE_OVER {
            self.seen.pop_front();
        }
        let (then, before) = self.seen[0];
        let seconds = (now - then).as_secs_f64();
        if seconds > 0.0 {
            (settled - before) as f64 / seconds
        } else {
            0.0
        }
    }

    fn write_live(&mut self, line: &str) {
        let width =
            rustix::termios::tcgetwinsize(io::stderr()).map_or(80, |size| usize::from(size.ws_col));
        let shown: String = line.chars().take(width.saturating_sub(1).max(20)).collect();
        // One write, so that nothing comes between clearing and drawing; a terminal that is gone is no reason to stop.
        let _ = io::stderr().write_all(format!("\r\x1b[2K{shown}").as_bytes());
        self.live = true;
    }

    /// Takes the live line away.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.live) {
            let _ = io::stderr().write_all(b"\r\x1b[2K");
        }
    }
}

fn line(progress: &Progress, per_second: f64, note: Option<&str>) -> String {
    let done = progress.settled() + progress.skipped;
    let mut parts = vec![match progress.total {
        Total::Unknown => format!("{} done", grouped(done)),
        Total::About(total) => format!(
            "{} of ~{} ({})",
            grouped(done),
            grouped(total),
            percent(done, total)
        ),
        Total::Exactly(total) => format!(
            "{} of {} ({})",
            grouped(done),
            grouped(total),
            percent(done, total)
        ),
    }];
    parts.push(format!("{}/s", rate(per_second)));
    if let Some(rest) =
        rest(progress, done).filter(|rest| *rest > 0 && per_second > 0.0 && note.is_none())
    {
        let seconds = rest as f64 / per_second;
        parts.push(format!(
            "{} to go",
            eta(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
        ));
    }
    parts.push(format!("{} running", grouped(progress.in_flight)));
    if progress.waiting > 0 {
        parts.push(format!("{} waiting to retry", grouped(progress.waiting)));
    }
    if progress.failed() > 0 {
        parts.push(format!(
            "{} failed ({})",
            grouped(progress.failed()),
            failures(progress)
        ));
    }
    if progress.skipped > 0 {
        parts.push(format!("{} settled before", grouped(progress.skipped)));
    }
    parts.extend(note.map(str::to_owned));
    parts.join(" · ")
}

fn percent(done: u64, total: u64) -> String {
    // Rounded down: 100 % is all of it.
    format!(
        "{} %",
        (done * 100).checked_div(total.max(done)).unwrap_or(0)
    )
}

fn rest(progress: &Progress, done: u64) -> Option<u64> {
    match progress.total {
        Total::Unknown => None,
        Total::About(total) | Total::Exactly(total) => Some(total.saturating_sub(done)),
    }
}

/// The three most frequent kinds.
fn failures(progress: &Progress) -> String {
    let mut kinds: Vec<(u64, ErrorKind)> =
        progress.errors.into_iter().zip(ErrorKind::ALL).collect();
    kinds.retain(|(count, _)| *count > 0);
    kinds.sort_by_key(|(count, kind)| (std::cmp::Reverse(*count), *kind));
    let shown: Vec<_> = kinds
        .iter()
        .take(3)
        .map(|(count, kind)| format!("{} {}", kind.name(), grouped(*count)))
        .collect();
    shown.join(", ") + if kinds.len() > 3 { ", …" } else { "" }
}

fn json_line(progress: &Progress, per_second: f64) -> Value {
    let (total, exact) = match progress.total {
        Total::Unknown => (None, false),
        Total::About(total) => (Some(total), false),
        Total::Exactly(total) => (Some(total), true),
    };
    let errors = progress
        .errors
        .into_iter()
        .zip(ErrorKind::ALL)
        .filter(|(count, _)| *count > 0);
    let errors: serde_json::Map<_, _> = errors
        .map(|(count, kind)| (kind.name().to_owned(), json!(count)))
        .collect();
    json!({
        "progress": {
            "settled": progress.settled(),
            "fulfilled": progress.outcomes[0],
            "failed": progress.failed(),
            "errors": errors,
            "skipped": progress.skipped,
            "attempts": progress.attempts,
            "retries": progress.retries,
            "in_flight": progress.in_flight,
            "waiting": progress.waiting,
            "total": total,
            "total_is_exact": exact,
            "per_second": (per_second * 100.0).round() / 100.0,
        }
    })
}
