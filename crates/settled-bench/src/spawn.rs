//! `bench spawn`: running many short commands.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::{Doing, Error, Result};
use crate::figures::{Metric, Sample};
use crate::interrupt::Interrupt;
use crate::options::Spawn;
use crate::peer::{CC, PARALLEL, Peer, RUST_PARALLEL, SETTLED, Toolbox, XARGS, reference};
use crate::rounds::{self, Ratio};
use crate::tool::{Ready, Tool, Values, ready};
use crate::{machine, measure};

/// The "1" that everybody has; it captures nothing.
const ONE: &str = "xargs";
/// The floor with captured output.
const FLOOR: &str = "spawn_vfork pipe";

const RATIOS: &[Ratio] = &[
    Ratio {
        metric: Metric::Rate,
        to: ONE,
    },
    Ratio {
        metric: Metric::Rate,
        to: FLOOR,
    },
];

/// Jobs of the unmeasured run that counts whether each one is really run.
const CHECKED: u64 = 200;

#[rustfmt::skip] // A table: one line a tool.
const TOOLS: &[Tool] = &[
    tool("spawn_vfork pipe",  reference("spawn_vfork"), 1,   "{N} {J} pipe {CMD}"),
    tool("spawn_posix",       reference("spawn_posix"), 1,   "{N} {J} null {CMD}"),
    tool("spawn_posix pipe",  reference("spawn_posix"), 1,   "{N} {J} pipe {CMD}"),
    tool("spawn_tokio",       reference("spawn_tokio"), 1,   "{N} {J} null {CMD}"),
    tool("spawn_tokio pipe",  reference("spawn_tokio"), 1,   "{N} {J} pipe {CMD}"),
    tool("settled",           SETTLED,                  1,   "run -i {LIST} -o {OUT} -j {J} -q --overwrite -- {CMD}"),
    tool("xargs",             XARGS,                    1,   "-P{J} -n1 {CMD}"),
    tool("xargs sh -c",       XARGS,                    1,   "-P{J} -I{} sh -c {CMD}{SPACE}{}"),
    tool("rust-parallel",     RUST_PARALLEL,            1,   "-j{J} {CMD}"),
    tool("parallel",          PARALLEL,                 5,   "-j{J} {CMD}"),
    tool("parallel --joblog", PARALLEL,                 5,   "-j{J} --joblog {OUT} {CMD}"),
];

const fn tool(name: &'static str, peer: Peer, share: u64, args: &'static str) -> Tool {
    Tool {
        name,
        peer,
        args,
        share,
    }
}

/// One tool's run: which list, which command.
struct Run<'a> {
    n: u64,
    in_flight: u64,
    command: &'a str,
    limit: Duration,
    dir: &'a Path,
}

/// Prints one table for each command and number at a time.
///
/// # Errors
/// If a tool can't be started, the static child can't be built, or a signal arrived.
pub fn run(options: &Spawn, toolbox: &Toolbox, dir: &Path, interrupt: &Interrupt) -> Result<()> {
    let ready = ready(TOOLS, &[ONE, FLOOR], &options.common, toolbox)?;
    quiet_parallel(toolbox)?;
    println!("{}", machine::line(&ready, &[], dir, toolbox));
    for name in &options.command {
        let command = if name == "static" {
            static_child(toolbox, dir)?
        } else {
            name.clone()
        };
        for &in_flight in &options.in_flight {
            let jobs = |ready: &Ready<'_>| (options.n / ready.tool.share).max(1);
            let with = |n, command| Run {
                n,
                in_flight,
                command,
                limit: options.limit(),
                dir,
            };
            let faults = check(&ready, &with(CHECKED, ""), toolbox, interrupt)?;
            let rows = rounds::run(
                &ready,
                options.rounds,
                |ready| Some(jobs(ready)),
                |ready| one(ready, &with(jobs(ready), &command), toolbox, interrupt),
            )?;
            println!(
                "\n{} commands ({name}), {in_flight} at a time, {} rounds\n",
                options.n, options.rounds
            );
            print!(
                "{}",
                rounds::table(&rows, RATIOS, "jobs", options.common.style())
            );
            faults.iter().for_each(|fault| println!("{fault}"));
        }
    }
    Ok(())
}

fn one(
    ready: &Ready<'_>,
    run: &Run<'_>,
    toolbox: &Toolbox,
    interrupt: &Interrupt,
) -> Result<Sample> {
    let out = run.dir.join("out");
    // What the run before recorded; if there is nothing, all the better.
    let _ = fs::remove_file(&out);
    let list = list(run.dir, run.n)?;
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let values = Values::from([
        ("N", run.n.to_string()),
        ("J", run.in_flight.to_string()),
        ("CMD", run.command.to_owned()),
        ("LIST", path(&list)),
        ("OUT", path(&out)),
        ("SPACE", " ".into()),
    ]);
    let mut command = ready.command(toolbox, &values);
    command.stdin(File::open(&list).doing("opening the list")?);
    let measured = measure::run(&mut command, run.limit, run.dir, interrupt)?;
    let recorded = measure::lines(&out).doing("counting lines")?;
    Ok(Sample {
        jobs: run.n,
        elapsed: measured.ended.elapsed,
        cpu: measured.ended.cpu,
        peak_kib: measured.ended.peak_kib,
        lines: recorded + measured.stdout_lines,
        fault: measured.fault,
    })
}

/// Before anything is measured: does every tool really run every job once? Each job appends one
/// byte to a file.
fn check(
    ready: &[Ready<'_>],
    run: &Run<'_>,
    toolbox: &Toolbox,
    interrupt: &Interrupt,
) -> Result<Vec<String>> {
    let (script, ticks) = (run.dir.join("tick"), run.dir.join("ticks"));
    write_script(&script, &format!("printf x >> '{}'", ticks.display()))?;
    let command = script.to_string_lossy().into_owned();
    let mut faults = Vec::new();
    for ready in ready {
        File::create(&ticks).doing("creating a file")?;
        let sample = one(
            ready,
            &Run {
                command: &command,
                ..*run
            },
            toolbox,
            interrupt,
        )?;
        let ran = fs::metadata(&ticks).doing("counting what ran")?.len();
        if ran != run.n || sample.fault.is_some() {
            let fault = sample.fault.unwrap_or_default();
            faults.push(format!(
                "! {}: ran {ran} jobs of {} {fault}",
                ready.tool.name, run.n
            ));
        }
    }
    Ok(faults)
}

/// The lines 1 to `n`, unless they are there.
fn list(dir: &Path, n: u64) -> Result<PathBuf> {
    let path = dir.join(format!("list{n}"));
    if !path.exists() {
        let write = || {
            let mut file = BufWriter::new(File::create(&path)?);
            (1..=n).try_for_each(|i| writeln!(file, "{i}"))?;
            file.flush()
        };
        write().doing("writing the list")?;
    }
    Ok(path)
}

/// A shell script of one line.
///
/// # Errors
/// If it can't be written.
pub fn write_script(path: &Path, line: &str) -> Result<()> {
    let write = || {
        fs::write(path, format!("#!/bin/sh\n{line}\n"))?;
        fs::set_permissions(path, PermissionsExt::from_mode(0o755))
    };
    write().doing("writing a script")
}

/// Tells GNU parallel not to ask for a citation: it would be one more line to print.
///
/// # Errors
/// If that can't be written.
pub fn quiet_parallel(toolbox: &Toolbox) -> Result<()> {
    let home = toolbox.parallel_home();
    let write = || {
        fs::create_dir_all(&home)?;
        File::create(home.join("will-cite"))
    };
    write()
        .map(drop)
        .doing("telling parallel not to ask for a citation")
}

/// Builds a program that exits at once, in three instructions and with no library: what is left is
/// the cost of the spawner and the kernel.
fn static_child(toolbox: &Toolbox, dir: &Path) -> Result<String> {
    let exit = if cfg!(target_arch = "aarch64") {
        "mov x8, #93; mov x0, #0; svc #0"
    } else {
        "mov $60, %eax; xor %edi, %edi; syscall"
    };
    let (source, program) = (dir.join("exit.c"), dir.join("exit"));
    fs::write(
        &source,
        format!("void _start(void) {{ __asm__ volatile(\"{exit}\"); }}\n"),
    )
    .doing("writing the static child")?;
    let cc = toolbox
        .find(&CC)
        .map_err(|why| Error::Refused(format!("cc: {why}")))?;
    let mut build = Command::new(cc);
    build
        .args(["-O2", "-static", "-nostdlib", "-o"])
        .arg(&program)
        .arg(&source);
    let status = build.status().doing("building the static child")?;
    if !status.success() {
        return Err(Error::Refused(format!(
            "building the static child: {status}"
        )));
    }
    Ok(program.to_string_lossy().into_owned())
}
