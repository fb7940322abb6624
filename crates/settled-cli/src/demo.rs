//! `settled demo`: a rehearsal on a loopback API that misbehaves on purpose, and a check of every promise against its log.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use serde::Deserialize;
use settled_testserver::misbehaving::{Asked, Misbehaving, Tally};

use crate::exit::{Ended, Stop};
use crate::fetch;
use crate::flags::{Cli, Command, DemoArgs};
use crate::show::number::grouped;
use crate::show::say;
use crate::show::style;

pub(crate) fn main(args: &DemoArgs) -> Result<Ended, Stop> {
    let broken = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| Stop::ledger(format!("{what}: {error}"))
    };
    let seed = args
        .seed
        .unwrap_or_else(|| u64::from(std::process::id()) << 16 | 0x5e77);
    let server = Misbehaving::builder(seed)
        .items(args.requests)
        .start_blocking()
        .map_err(broken("the demo's server"))?;
    let dir = tempfile::tempdir().map_err(broken("the demo's folder"))?;
    let list = dir.path().join("urls.txt");
    write_list(&list, &server).map_err(broken("the demo's list"))?;
    let ledger = args
        .output
        .clone()
        .unwrap_or_else(|| dir.path().join("demo.jsonl"));

    let jobs = args.jobs.to_string();
    let mut command = vec![
        "settled",
        "fetch",
        "-i",
        path(&list)?,
        "-o",
        path(&ledger)?,
        "-j",
        &jobs,
        "--no-proxy",
    ];
    command.extend(["--retries", "3", "--timeout", "10s"]);
    say!(
        "{} {} requests to an API on http://{} that misbehaves on purpose (seed {seed}):\n  429 with Retry-After, 500, 503, slow answers, resets, bodies cut short, connections closed, a few items that are gone.\n  It is what you get with\n    {}\n",
        style::heading("settled demo:"),
        grouped(args.requests),
        server.addr(),
        command.join(" "),
    );
    if args.quiet {
        command.push("-q");
    }
    let Command::Fetch(fetch) = Cli::parse_from(command).command else {
        return Err(Stop::usage("the demo's command is no fetch"));
    };
    let clock = Clock::new();
    let ended = fetch::main(*fetch)?;
    let tally = server.shutdown_blocking();
    if !matches!(ended, Ended::Fulfilled | Ended::Unfulfilled) {
        return Ok(ended);
    }
    let lines = read_ledger(&ledger).map_err(broken("the demo's ledger"))?;
    verify(&lines, &tally, args.requests, &clock)
}

fn path(path: &Path) -> Result<&str, Stop> {
    path.to_str().ok_or_else(|| {
        Stop::usage(format!(
            "{}: the demo wants a path of UTF-8",
            path.display()
        ))
    })
}

fn write_list(path: &Path, server: &Misbehaving) -> io::Result<()> {
    let mut list = BufWriter::new(File::create(path)?);
    for n in 1..=server.items() {
        writeln!(list, "{}", server.item_url(n))?;
    }
    list.flush()
}

/// What the check wants of an outcome line.
#[derive(Debug, Deserialize)]
struct Line {
    id: String,
    outcome: String,
    #[serde(rename = "final", default = "yes")]
    is_final: bool,
    started: String,
    ms: f64,
}

fn yes() -> bool {
    true
}

fn read_ledger(path: &Path) -> io::Result<Vec<Line>> {
    let text = BufReader::new(File::open(path)?);
    // The first line is the plan.
    text.lines()
        .skip(1)
        .map(|line| serde_json::from_str(&line?).map_err(io::Error::other))
        .collect()
}

/// Brings the server's clock and the ledger's together.
struct Clock {
    instant: Instant,
    system: SystemTime,
}

impl Clock {
    fn new() -> Self {
        Self {
            instant: Instant::now(),
            system: SystemTime::now(),
        }
    }

    /// When a line's job had settled. The start of a job is written to the millisecond, so this may be that much too early.
    fn settled(&self, line: &Line) -> Option<Instant> {
        let started = humantime::parse_rfc3339(&line.started).ok()?;
        let started = match started.duration_since(self.system) {
            Ok(after) => self.instant + after,
            Err(before) => self.instant.checked_sub(before.duration())?,
        };
        Some(started + Duration::from_secs_f64(line.ms / 1000.0))
    }
}

/// The resolution of `started` and `ms` together.
const RESOLUTION: Duration = Duration::from_micros(1_100);

fn verify(lines: &[Line], tally: &Tally, requests: u64, clock: &Clock) -> Result<Ended, Stop> {
    let mut finals: HashMap<&str, Vec<&Line>> = HashMap::new();
    for line in lines.iter().filter(|line| line.is_final) {
        finals.entry(&line.id).or_default().push(line);
    }
    let mut checks = [
        Check::new("every id has exactly one final line"),
        Check::new("every fulfilled id was answered in full by the server"),
        Check::new("no request came after its job's outcome"),
    ];
    for n in 1..=requests {
        let id = n.to_string();
        let found = finals.remove(id.as_str()).unwrap_or_default();
        checks[0].expect(found.len() == 1, || {
            format!("id {id} has {} final lines", found.len())
        });
        let Some(line) = found.first() else { continue };
        let asked = tally.item(n);
        if line.outcome == "fulfilled" {
            let answered = asked.is_some_and(|asked| answered(&asked));
            checks[1].expect(answered, || {
                format!("id {id} is fulfilled, the server did not answer it in full")
            });
        }
        let Some(asked) = asked else { continue };
        let on_time = clock
            .settled(line)
            .is_some_and(|settled| asked.last <= settled + RESOLUTION);
        checks[2].expect(on_time, || {
            format!("id {id} was asked for once more after its outcome")
        });
    }
    checks[0].expect(finals.is_empty(), || {
        format!("{} ids that are not on the list", finals.len())
    });

    let totals = tally.totals();
    let faults: Vec<String> = totals
        .fates()
        .filter(|(_, n)| *n > 0)
        .map(|(fate, n)| format!("{fate} {}", grouped(n)))
        .collect();
    say!(
        "\n{} {} requests came; {}",
        style::heading("the server's log:"),
        grouped(totals.requests),
        faults.join(", ")
    );
    let mut good = true;
    for check in &checks {
        good &= check.show();
    }
    if good {
        return Ok(Ended::Fulfilled);
    }
    Err(Stop::ledger(
        "the demo found a broken promise: please report it, with the seed",
    ))
}

fn answered(asked: &Asked) -> bool {
    asked.settled > 0 && asked.status == Some(200)
}

/// One promise, and what speaks against it.
struct Check {
    promise: &'static str,
    looked_at: u64,
    broken: Vec<String>,
}

impl Check {
    fn new(promise: &'static str) -> Self {
        Self {
            promise,
            looked_at: 0,
            broken: Vec::new(),
        }
    }

    fn expect(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.looked_at += 1;
        if !holds {
            self.broken.push(otherwise());
        }
    }

    /// A promise that nothing was held against is not kept, it is untested.
    fn show(&self) -> bool {
        let good = self.broken.is_empty() && self.looked_at > 0;
        let mark = if good {
            style::good("kept  ")
        } else {
            style::bad("BROKEN")
        };
        say!(
            "  {mark} {} ({} looked at)",
            self.promise,
            grouped(self.looked_at)
        );
        for example in self.broken.iter().take(5) {
            say!("         {example}");
        }
        good
    }
}
