//! `bench list`: does a tool stream its list? Each gets ten million jobs; what counts is when it
//! starts the first one and how much memory it took by then and three seconds later, and the same
//! again after a crash.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::child::{Child, Start};
use crate::error::{Doing, Result};
use crate::fetch::write_scripts;
use crate::interrupt::Interrupt;
use crate::options::{List, ServerKind};
use crate::peer::{
    AIOHTTP, ARIA2, CURL, OHA, PARALLEL, Peer, RUST_PARALLEL, SETTLED, Source, Toolbox, UNDICI,
    WGET2, XARGS, reference,
};
use crate::reference::cores;
use crate::server::Server;
use crate::spawn::{quiet_parallel, write_script};
use crate::table::Table;
use crate::tool::{Ready, Tool, Values, fill, ready};
use crate::{machine, measure};

/// How long a tool goes on after its first job.
const AFTER: Duration = Duration::from_secs(3);

#[rustfmt::skip] // A table: one line a tool.
const TOOLS: &[Tool] = &[
    tool("settled fetch",            SETTLED,                   "fetch -i {URLS} -o {OUT} -j {C} -q"),
    tool("settled fetch --progress", SETTLED,                   "fetch -i {URLS} -o {OUT} -j {C} --progress always"),
    tool("settled run",              SETTLED,                   "run -i {LINES} -o {OUT} -j {J} -q -- {JOB}"),
    tool("settled run --progress",   SETTLED,                   "run -i {LINES} -o {OUT} -j {J} --progress always -- {JOB}"),
    tool("xargs -P",                 XARGS,                     "-a {LINES} -P{J} -n1 {JOB}"),
    tool("parallel",                 PARALLEL,                  "-j{J} -a {LINES} {JOB}"),
    tool("parallel --joblog",        PARALLEL,                  "-j{J} --joblog {OUT} -a {LINES} {JOB}"),
    tool("parallel --bar",           PARALLEL,                  "-j{J} --bar -a {LINES} {JOB}"),
    tool("rust-parallel",            RUST_PARALLEL,             "-j{J} -i {LINES} {JOB}"),
    tool("rust-parallel -p",         RUST_PARALLEL,             "-p -j{J} -i {LINES} {JOB}"),
    tool("curl -Z -K",               CURL,                      "-sZ --parallel-max {C} -K {CURL}"),
    tool("oha",                      OHA,                       "-n {N} -c {C} --no-tui --urls-from-file {URLS}"),
    tool("wget2 -i",                 WGET2,                     "-q --max-threads={C} -O /dev/null -i {URLS}"),
    tool("aria2c -i",                ARIA2,                     "-q -j{C} --dir={DIR} -i {URLS}"),
    tool("aria2c deferred",          ARIA2,                     "-q -j{C} --deferred-input=true --dir={DIR} -i {URLS}"),
    tool("node p-limit",             UNDICI,                    "{SCRIPTS}/get_node.mjs {URLS} {C} {OUT} undici"),
    tool("aiohttp workers",          AIOHTTP,                   "{SCRIPTS}/get_aiohttp.py {URLS} {C} {OUT}"),
    tool("http_reqwest",             reference("http_reqwest"), "{URLS} {C} {OUT}"),
    tool("http_hyper",               reference("http_hyper"),   "{URLS} {C} {OUT}"),
];

const fn tool(name: &'static str, peer: Peer, args: &'static str) -> Tool {
    Tool {
        name,
        peer,
        args,
        share: 1,
    }
}

/// How a tool goes on where it was killed; `None` if it can only start anew.
fn resume(tool: &Tool) -> Option<&'static str> {
    match tool.name {
        "parallel --joblog" => Some("-j{J} --resume --joblog {OUT} -a {LINES} {JOB}"),
        _ if tool.peer.source == Source::Settled => Some(tool.args),
        _ => None,
    }
}

/// What all tools' runs have in common.
struct Bench<'a> {
    options: &'a List,
    toolbox: &'a Toolbox,
    server: Server,
    /// Exists once a command was run.
    mark: PathBuf,
    dir: &'a Path,
    values: Values,
    interrupt: &'a Interrupt,
}

/// What was seen of one start of a tool.
struct Seen {
    /// When its first job was there, and its peak memory in MiB by then.
    first: Option<(Duration, f64)>,
    /// Its peak memory in MiB at the end.
    peak: f64,
    /// Why it ended of itself, and when.
    note: String,
}

/// Prints the table.
///
/// # Errors
/// If the lists can't be written, the server or a tool can't be started, or a signal arrived.
pub fn run(options: &List, toolbox: &Toolbox, dir: &Path, interrupt: &Interrupt) -> Result<()> {
    let ready = ready(TOOLS, &[], &options.common, toolbox)?;
    let server = Server::start(ServerKind::Hyper, toolbox, dir, interrupt)?;
    let values = values(options, dir);
    write_scripts(dir)?;
    quiet_parallel(toolbox)?;
    write_lists(&ready, options.n, &server.base(), &values, interrupt)?;
    let mark = dir.join("mark");
    write_script(
        Path::new(&values["JOB"]),
        &format!(": > '{}'", mark.display()),
    )?;
    println!("{}", machine::line(&ready, &[], dir, toolbox));
    let mut bench = Bench {
        options,
        toolbox,
        server,
        mark,
        dir,
        values,
        interrupt,
    };
    let mut table = Table::new([
        "tool",
        "first job, s",
        "MiB then",
        "MiB +3 s",
        "resumed: first job, s",
        "MiB then",
        "MiB +3 s",
        "note",
    ]);
    for ready in &ready {
        table.push(bench.row(ready)?);
    }
    println!("\na list of {} jobs\n", options.n);
    print!("{}", table.render(options.common.style()));
    bench.server.stop(interrupt)
}

impl Bench<'_> {
    /// One tool: started, killed three seconds after its first job, and started again if it can
    /// resume.
    fn row(&mut self, ready: &Ready<'_>) -> Result<Vec<String>> {
        // What the tool before has left; if there is nothing, all the better.
        let _ = fs::remove_file(&self.values["OUT"]);
        let fresh = self.watch(ready, ready.tool.args)?;
        let mut row = vec![ready.tool.name.to_owned()];
        row.extend(fresh.cells());
        let mut note = fresh.note;
        match resume(ready.tool) {
            Some(args) if fresh.first.is_some() => {
                let resumed = self.watch(ready, args)?;
                row.extend(resumed.cells());
                if !resumed.note.is_empty() {
                    note += &format!(" resumed: {}", resumed.note);
                }
            }
            _ => row.extend(["-", "-", "-"].map(str::to_owned)),
        }
        row.push(note);
        eprintln!("{}", row.join("  "));
        Ok(row)
    }

    fn watch(&mut self, ready: &Ready<'_>, args: &str) -> Result<Seen> {
        let before = self.idle_count()?;
        // The folder of downloads and the mark belong to one start only.
        let _ = fs::remove_file(&self.mark);
        let _ = fs::remove_dir_all(&self.values["DIR"]);
        let mut command = self.command(ready, args)?;
        let limited = !matches!(ready.tool.peer.source, Source::Node(_));
        let address_space = limited.then_some(self.options.limit_gib << 30);
        let how = Start {
            address_space,
            ..Start::default()
        };
        let mut child =
            Child::start(&mut command, how).doing(format!("starting {}", ready.tool.name))?;
        let mut seen = Seen {
            first: None,
            peak: 0.0,
            note: String::new(),
        };
        loop {
            // Finely at first, then so that watching costs nothing.
            let step = if child.age() < Duration::from_millis(300) {
                1
            } else {
                10
            };
            let ended = child.wait(Duration::from_millis(step), self.interrupt)?;
            let age = child.age();
            seen.peak = peak_mib(child.pid()).unwrap_or(seen.peak);
            if seen.first.is_none() && (self.mark.exists() || self.server.served()? > before) {
                seen.first = Some((age, seen.peak));
            }
            if let Some(ended) = ended {
                let how = measure::describe(ended.status).unwrap_or_else(|| "exit 0".into());
                let said = measure::tail(&self.dir.join("stderr"));
                seen.note = format!("{how} after {:.1} s {said}", age.as_secs_f64())
                    .trim_end()
                    .into();
                return Ok(seen);
            }
            let enough = match seen.first {
                Some((first, _)) => first + AFTER,
                None => Duration::from_secs(self.options.limit_seconds),
            };
            if age > enough {
                child.kill()?;
                if seen.first.is_none() {
                    seen.note = format!("none in {} s", self.options.limit_seconds);
                }
                return Ok(seen);
            }
        }
    }

    fn command(&self, ready: &Ready<'_>, args: &str) -> Result<Command> {
        let stderr = File::create(self.dir.join("stderr")).doing("creating a file")?;
        let mut command = self.toolbox.command(&ready.program);
        command.args(fill(args, &self.values));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        Ok(command)
    }

    /// The server's count once the last requests of a killed tool have been counted.
    fn idle_count(&mut self) -> Result<u64> {
        let mut count = self.server.served()?;
        loop {
            self.interrupt.wait(None, Some(Duration::from_millis(50)))?;
            let now = self.server.served()?;
            if now == count {
                return Ok(count);
            }
            count = now;
        }
    }
}

impl Seen {
    fn cells(&self) -> [String; 3] {
        let (first, then) = match self.first {
            Some((first, then)) => (format!("{:.3}", first.as_secs_f64()), format!("{then:.0}")),
            None => ("none".into(), "-".into()),
        };
        [first, then, format!("{:.0}", self.peak)]
    }
}

/// The largest that a process' own resident memory has been, in MiB.
fn peak_mib(pid: u32) -> Option<f64> {
    let text = machine::field(&format!("/proc/{pid}/status"), "VmHWM")?;
    let kib: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

fn values(options: &List, dir: &Path) -> Values {
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    Values::from([
        ("N", options.n.to_string()),
        ("C", options.in_flight.to_string()),
        ("J", cores().to_string()),
        ("URLS", path("urls")),
        ("LINES", path("lines")),
        ("CURL", path("curl")),
        ("OUT", path("out")),
        ("DIR", path("downloads")),
        ("JOB", path("job")),
        ("SCRIPTS", path("scripts")),
    ])
}

/// Writes those of the lists that a tool reads.
fn write_lists(
    ready: &[Ready<'_>],
    n: u64,
    base: &str,
    values: &Values,
    interrupt: &Interrupt,
) -> Result<()> {
    for name in ["LINES", "URLS", "CURL"] {
        if !ready
            .iter()
            .any(|ready| ready.tool.args.contains(&format!("{{{name}}}")))
        {
            continue;
        }
        eprintln!("writing {n} lines to {}", values[name]);
        let file = File::create(&values[name]).doing("writing a list")?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        for i in 1..=n {
            match name {
                "LINES" => writeln!(file, "{i}"),
                "URLS" => writeln!(file, "{base}/i/{i}"),
                _ => writeln!(file, "url = \"{base}/i/{i}\"\noutput = \"/dev/null\""),
            }
            .doing("writing a list")?;
            if i % 1_000_000 == 0 {
                interrupt.wait(None, Some(Duration::ZERO))?;
            }
        }
        file.flush().doing("writing a list")?;
    }
    Ok(())
}
