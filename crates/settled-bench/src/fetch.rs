//! `bench fetch`: bulk GET of distinct URLs over loopback.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;

use crate::error::{Doing, Result};
use crate::figures::{Metric, Sample};
use crate::interrupt::Interrupt;
use crate::options::{Fetch, ServerKind};
use crate::peer::{
    AIOHTTP, ARIA2, CURL, HTTPX, NGINX, NODE, OHA, SETTLED, Toolbox, UNDICI, UVLOOP, WGET2, WRK,
    XARGS, reference,
};
use crate::reference::cores;
use crate::rounds::{self, Ratio};
use crate::server::Server;
use crate::tool::{Ready, Tool, Values, ready};
use crate::{machine, measure};

/// The "1" of the rates: what every bulk client that records its outcomes has to do.
const ONE: &str = "http_hyper";
/// The "1" of the CPU time: the floor.
const FLOOR: &str = "http_epoll";

const RATIOS: &[Ratio] = &[
    Ratio {
        metric: Metric::Rate,
        to: ONE,
    },
    Ratio {
        metric: Metric::Cpu,
        to: FLOOR,
    },
];

#[rustfmt::skip] // A table: one line a tool.
const TOOLS: &[Tool] = &[
    tool("wrk",            WRK,                       1,   "-t{THREADS} -c{C} -d{SECONDS}s -s {SCRIPTS}/wrk.lua {BASE}/"),
    tool("oha",            OHA,                       1,   "-n {N} -c {C} --no-tui --output-format quiet --urls-from-file {URLS}"),
    tool("http_epoll",     reference("http_epoll"),   1,   "{URLS} {C} {OUT}"),
    tool("http_uring",     reference("http_uring"),   1,   "{URLS} {C} {OUT}"),
    tool("http_hyper",     reference("http_hyper"),   1,   "{URLS} {C} {OUT}"),
    tool("http_reqwest",   reference("http_reqwest"), 1,   "{URLS} {C} {OUT}"),
    tool("settled",        SETTLED,                   1,   "fetch -i {URLS} -o {OUT} -j {C} -q --overwrite"),
    tool("curl -Z",        CURL,                      1,   "-sZ --parallel-max {C} -K {CURL}"),
    tool("curl -Z -w",     CURL,                      5,   "-sZ --parallel-max {C} -K {CURLW}"),
    tool("node undici",    UNDICI,                    5,   "{SCRIPTS}/get_node.mjs {URLS} {C} {OUT} undici"),
    tool("node fetch",     NODE,                      5,   "{SCRIPTS}/get_node.mjs {URLS} {C} {OUT} fetch"),
    tool("aiohttp",        AIOHTTP,                   5,   "{SCRIPTS}/get_aiohttp.py {URLS} {C} {OUT}"),
    tool("aiohttp uvloop", UVLOOP,                    5,   "{SCRIPTS}/get_aiohttp.py {URLS} {C} {OUT} uvloop"),
    tool("wget2",          WGET2,                     1,   "-q --max-threads={C} -O /dev/null -i {URLS}"),
    tool("aria2c",         ARIA2,                     5,   "-q -j{C} --dir={DIR} --file-allocation=none -i {URLS}"),
    tool("httpx",          HTTPX,                     25,  "{SCRIPTS}/get_httpx.py {URLS} {C} {OUT}"),
    tool("xargs curl",     XARGS,                     100, "-P{C} -n1 -a {URLS} curl -s -o /dev/null"),
];

const fn tool(name: &'static str, peer: crate::peer::Peer, share: u64, args: &'static str) -> Tool {
    Tool {
        name,
        peer,
        args,
        share,
    }
}

/// Prints one table for each number in flight.
///
/// # Errors
/// If the server or a tool can't be started, or a signal arrived.
pub fn run(options: &Fetch, toolbox: &Toolbox, dir: &Path, interrupt: &Interrupt) -> Result<()> {
    let ready = ready(TOOLS, &[ONE, FLOOR], &options.common, toolbox)?;
    let mut server = Server::start(options.server, toolbox, dir, interrupt)?;
    write_scripts(dir)?;
    for ready in &ready {
        write_lists(dir, &server.base(), jobs(options.n, ready.tool.share))?;
    }
    let others: &[_] = if server.kind() == ServerKind::Nginx {
        &[&NGINX]
    } else {
        &[]
    };
    println!("{}", machine::line(&ready, others, dir, toolbox));
    for &in_flight in &options.in_flight {
        let rows = rounds::run(
            &ready,
            options.rounds,
            |ready| (ready.tool.name != "wrk").then(|| jobs(options.n, ready.tool.share)),
            |ready| {
                one(
                    ready,
                    options,
                    in_flight,
                    toolbox,
                    dir,
                    &mut server,
                    interrupt,
                )
            },
        )?;
        println!(
            "\nbulk GET, {} distinct URLs, {in_flight} in flight, 200-byte bodies, {} rounds\n",
            options.n, options.rounds
        );
        print!(
            "{}",
            rounds::table(&rows, RATIOS, "served", options.common.style())
        );
    }
    server.stop(interrupt)
}

fn jobs(n: u64, share: u64) -> u64 {
    (n / share).max(1)
}

fn one(
    ready: &Ready<'_>,
    options: &Fetch,
    in_flight: u64,
    toolbox: &Toolbox,
    dir: &Path,
    server: &mut Server,
    interrupt: &Interrupt,
) -> Result<Sample> {
    let (out, downloads) = (dir.join("out"), dir.join("downloads"));
    remove(&out);
    let _ = fs::remove_dir_all(&downloads);
    fs::create_dir(&downloads).doing("making a folder for downloads")?;
    let n = jobs(options.n, ready.tool.share);
    let path = |name: String| dir.join(name).to_string_lossy().into_owned();
    let values = Values::from([
        ("N", n.to_string()),
        ("C", in_flight.to_string()),
        ("THREADS", (cores() as u64).min(in_flight).to_string()),
        // wrk has no list and runs for a time: about as long as the others.
        ("SECONDS", (n / 25_000).clamp(1, 4).to_string()),
        ("BASE", server.base()),
        ("SCRIPTS", path("scripts".into())),
        ("URLS", path(format!("urls{n}"))),
        ("CURL", path(format!("curl{n}"))),
        ("CURLW", path(format!("curlw{n}"))),
        ("OUT", path("out".into())),
        ("DIR", path("downloads".into())),
    ]);
    let before = server.served()?;
    let mut command = ready.command(toolbox, &values);
    command.stdin(Stdio::null());
    let measured = measure::run(&mut command, options.limit(), dir, interrupt)?;
    let served = server.served()? - before;
    let recorded = measure::lines(&out).doing("counting lines")?;
    Ok(Sample {
        jobs: served,
        elapsed: measured.ended.elapsed,
        cpu: measured.ended.cpu,
        peak_kib: measured.ended.peak_kib,
        lines: recorded + measured.stdout_lines,
        fault: measured.fault,
    })
}

/// A result of the run before, if there is one.
fn remove(path: &Path) {
    // No such file is just what is wanted; whatever else keeps it there shows in the tool's own
    // failure.
    let _ = fs::remove_file(path);
}

/// The peers that are scripts.
///
/// # Errors
/// If they can't be written.
pub fn write_scripts(dir: &Path) -> Result<()> {
    let scripts = dir.join("scripts");
    fs::create_dir_all(&scripts).doing("making a folder for scripts")?;
    for (name, text) in [
        ("wrk.lua", include_str!("../peers/wrk.lua")),
        ("get_node.mjs", include_str!("../peers/get_node.mjs")),
        ("get_aiohttp.py", include_str!("../peers/get_aiohttp.py")),
        ("get_httpx.py", include_str!("../peers/get_httpx.py")),
    ] {
        fs::write(scripts.join(name), text).doing(format!("writing {name}"))?;
    }
    Ok(())
}

/// The list of `n` URLs in the three forms that tools read, unless it is there.
fn write_lists(dir: &Path, base: &str, n: u64) -> Result<()> {
    let urls = dir.join(format!("urls{n}"));
    if urls.exists() {
        return Ok(());
    }
    let create = |name: String| File::create(dir.join(name)).map(BufWriter::new);
    let write = || {
        let (mut urls, mut curl, mut curlw) = (
            create(format!("urls{n}"))?,
            create(format!("curl{n}"))?,
            create(format!("curlw{n}"))?,
        );
        writeln!(
            curlw,
            r#"write-out = "%{{url}} %{{http_code}} %{{time_total}}\n""#
        )?;
        for i in 1..=n {
            writeln!(urls, "{base}/i/{i}")?;
            for config in [&mut curl, &mut curlw] {
                writeln!(config, "url = \"{base}/i/{i}\"\noutput = \"/dev/null\"")?;
            }
        }
        urls.flush()?;
        curl.flush()?;
        curlw.flush()
    };
    write().doing("writing the list of URLs")
}
