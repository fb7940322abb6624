//! Long lists: memory stays what it is for short ones.

use std::fs;
use std::io::{BufWriter, Write};
use std::ops::RangeInclusive;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;

use rustix::process::Signal;

use crate::ledger::{committed, seal};
use crate::rig::{Dir, Ran, eventually, finish, run, settled, signal, start, text};

/// How many lines the lists have; `SETTLED_FAULT_LINES` says another number. Without optimisation fewer have to do.
fn lines() -> u64 {
    let given = std::env::var("SETTLED_FAULT_LINES").ok();
    let default = if cfg!(debug_assertions) {
        150_000
    } else {
        1_000_000
    };
    given.map_or(default, |lines| lines.parse().expect("a number"))
}

/// What a run may take, whatever its length.
const FLAT: u64 = 32 << 20;
/// What an explicit id may cost at the most, just after the tables of ids have grown, on top of what every run takes.
const AN_ID: u64 = 50;
const BASE: u64 = 20 << 20;

/// The first line of the ledger that these arguments make.
pub(crate) fn plan_line(args: &[&str], dir: &Dir) -> String {
    let (empty, made) = (dir.file("empty", ""), dir.arg("only the plan"));
    let mut args = args.to_vec();
    for (flag, value) in [("-i", &empty), ("-o", &made)] {
        let at = args.iter().position(|arg| *arg == flag).expect("the flag");
        args[at + 1] = value;
    }
    run(&mut settled(&args)).exits(0);
    fs::read_to_string(made).expect("a plan line")
}

/// A ledger as the program would have written it, of fulfilled commands; `ids`: with ids of their own.
pub(crate) fn generate(path: &Path, plan: &str, seqs: RangeInclusive<u64>, ids: bool) {
    let mut file = BufWriter::new(fs::File::create(path).expect("a file"));
    file.write_all(plan.as_bytes()).expect("room");
    for seq in seqs {
        let input = seq.to_string();
        let id = if ids {
            format!("job {seq}")
        } else {
            input.clone()
        };
        let key = key(input.as_bytes());
        let line = format!(
            "{{\"v\":1,\"id\":\"{id}\",\"seq\":{seq},\"key\":\"{key}\",\"outcome\":\"fulfilled\",\"attempts\":1,\"ms\":0.7,\
             \"started\":\"2026-11-22T18:22:01.123Z\",\"input\":\"{input}\",\"result\":{{\"exit\":0,\"stdout\":\"\",\"stderr\":\"\"}}}}"
        );
        file.write_all(seal(&line).as_bytes()).expect("room");
    }
    file.flush().expect("room");
}

/// The key of a plain line.
fn key(line: &[u8]) -> String {
    blake3::hash(line).to_hex()[..32].to_owned()
}

/// The most memory that a process has had so far, in bytes; `None` if it has ended.
pub(crate) fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Lets a process come to its end; gives its peak of memory too.
#[track_caller]
pub(crate) fn finish_measured(mut child: Child) -> (Ran, u64) {
    let mut most = 0;
    eventually(|| {
        most = most.max(peak(&child).unwrap_or(0));
        child.try_wait().expect("a child")
    });
    (finish(child), most)
}

fn shown(what: &str, peak: u64, lines: u64) {
    println!(
        "{what}: {:.1} MiB at the most, {lines} lines",
        peak as f64 / f64::from(1 << 20)
    );
}

/// A plain list, from which the first lines are done.
fn list(dir: &Dir, lines: u64) -> String {
    let mut file = BufWriter::new(fs::File::create(dir.path("list")).expect("a file"));
    (1..=lines).for_each(|n| writeln!(file, "{n}").expect("room"));
    file.flush().expect("room");
    dir.arg("list")
}

#[test]
fn a_long_fresh_list() {
    let (dir, lines) = (Dir::new(), lines());
    let (list, ledger) = (list(&dir, lines), dir.arg("ledger"));
    let child = start(&mut settled(&[
        "run", "-q", "-i", &list, "-o", &ledger, "--", "true",
    ]));
    let mut most = 0;
    eventually(|| {
        most = most.max(peak(&child).unwrap_or(0));
        (committed(&fs::read(&ledger).unwrap_or_default()).len() > 1_000).then_some(())
    });
    signal(&child, Signal::INT);
    let (ran, peak) = finish_measured(child);
    shown("fresh", most.max(peak), lines);
    assert_eq!(ran.status.signal(), Some(2), "{}", ran.stderr);
    assert!(most.max(peak) < FLAT);
}

#[test]
fn a_long_list_that_is_nearly_done() {
    let (dir, lines) = (Dir::new(), lines());
    let (list, ledger) = (list(&dir, lines), dir.arg("ledger"));
    let args = ["run", "-q", "-i", &list, "-o", &ledger, "--", "true"];
    generate(
        &dir.path("ledger"),
        &plan_line(&args, &dir),
        1..=lines - 20,
        false,
    );
    let before = fs::metadata(&ledger).expect("a ledger").len();
    let (ran, peak) = finish_measured(start(&mut settled(&args)));
    ran.exits(0);
    shown("resumed", peak, lines);
    assert_eq!(new_lines(&ledger, before), 20);
    assert!(peak < FLAT);
}

#[test]
fn a_long_list_with_ids_of_its_own() {
    let (dir, lines) = (Dir::new(), lines());
    let mut file = BufWriter::new(fs::File::create(dir.path("list")).expect("a file"));
    (1..=lines)
        .for_each(|n| writeln!(file, "{{\"id\":\"job {n}\",\"input\":\"{n}\"}}").expect("room"));
    file.flush().expect("room");
    let (list, ledger) = (text(&dir.path("list")).to_owned(), dir.arg("ledger"));
    let args = ["run", "-q", "-i", &list, "-o", &ledger, "--", "true"];
    generate(
        &dir.path("ledger"),
        &plan_line(&args, &dir),
        1..=lines - 20,
        true,
    );
    let before = fs::metadata(&ledger).expect("a ledger").len();
    let (ran, peak) = finish_measured(start(&mut settled(&args)));
    ran.exits(0);
    shown("resumed with ids", peak, lines);
    assert_eq!(new_lines(&ledger, before), 20);
    assert!(peak < BASE + AN_ID * lines);
}

fn new_lines(ledger: &str, before: u64) -> usize {
    let bytes = fs::read(ledger).expect("a ledger");
    committed(&bytes[before as usize..]).len()
}
