//! A power cut keeps what was forced onto the disk, and of the rest whatever it likes.
//!
//! What the program does to its ledger is taken down by strace: which bytes were written, and how many of them were there when
//! a sync began that came to its end. A cut after any of these calls leaves the synced bytes, and behind them a part of the
//! others, zeros in the place of some of them, or nothing.

use std::collections::HashSet;
use std::fs;
use std::process::Command;

use fastrand::Rng;

use crate::ledger::{all_fulfilled, committed, settles, whole_lines};
use crate::rig::{Cases, Dir, Ran, random, run, settled, skipped, within};

const JOBS: usize = 24;

/// What the ledger's file went through, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    /// So many bytes more are written.
    Wrote(usize),
    SyncBegins,
    SyncEnded,
    /// A command was started.
    Started,
}

fn strace_works() -> bool {
    let probe = Command::new("strace")
        .args(["-f", "-e", "trace=none", "true"])
        .output();
    probe.is_ok_and(|probe| probe.status.success())
}

struct Recorded {
    dir: Dir,
    ledger: Vec<u8>,
    calls: Vec<Call>,
}

impl Recorded {
    fn new(fsync: &str, jobs: usize) -> Self {
        let dir = Dir::new();
        let list = dir.file(
            "list",
            (1..=JOBS).map(|n| format!("{n}\n")).collect::<String>(),
        );
        let (ledger, trace, jobs) = (dir.arg("ledger"), dir.arg("strace"), format!("-j{jobs}"));
        let outer = [
            "strace",
            "-f",
            "-y",
            "-s",
            "0",
            "-o",
            &trace,
            "-e",
            "trace=write,fsync,fdatasync,execve",
        ];
        let args = [
            "run",
            "-q",
            "--no-append",
            &jobs,
            fsync,
            "-i",
            &list,
            "-o",
            &ledger,
            "--",
            "/bin/sleep",
            "0.01",
        ];
        run(&mut within(&outer, &args)).exits(0);
        let text = fs::read_to_string(&trace).expect("strace's file");
        let calls = calls(&text, &ledger);
        let ledger = fs::read(dir.path("ledger")).expect("a ledger");
        Self { dir, ledger, calls }
    }

    fn resume(&self, more: &[&str]) -> Ran {
        let (list, ledger) = (self.dir.arg("list"), self.dir.arg("ledger"));
        let mut args = vec![
            "run",
            "-q",
            "--no-append",
            "-j4",
            "-i",
            &list,
            "-o",
            &ledger,
        ];
        args.extend(more);
        args.extend(["--", "/bin/sleep", "0.01"]);
        run(&mut settled(&args))
    }

    /// The power is cut after so many calls.
    #[track_caller]
    fn cut(&self, after: usize, rng: &mut Rng) {
        let (synced, written) = durable(&self.calls[..after]);
        let mut left = self.ledger[..rng.usize(synced..=written)].to_vec();
        match rng.u8(..3) {
            0 => left.resize(written, 0),
            1 if left.len() > synced => {
                let hole = rng.usize(synced..left.len());
                let end = rng.usize(hole..left.len());
                left[hole..=end].fill(0);
            }
            _ => {}
        }
        fs::write(self.dir.path("ledger"), &left).expect("a ledger");
        let first = self.resume(&[]);
        if first.stderr.contains("no ledger of settled") {
            // Not even the first line was on the disk: nothing was promised, and the file could be anybody's.
            assert_eq!(synced, 0, "{}", first.stderr);
            fs::remove_file(self.dir.path("ledger")).expect("a file");
            self.resume(&[]).exits(0);
        } else if first.status.code() == Some(4) {
            // A hole with whole lines behind it: that is never repaired without being asked for.
            assert!(whole_lines(&left).contains(&0), "{}", first.stderr);
            self.resume(&["--repair"]).exits(0);
        } else {
            first.exits(0);
        }
        let after = fs::read(self.dir.path("ledger")).expect("a ledger");
        assert!(
            after.starts_with(whole_lines(&self.ledger[..synced])) || synced == 0,
            "synced lines are gone"
        );
        settles(&self.dir.path("ledger"), all_fulfilled(JOBS));
    }
}

/// How many bytes are synced, and how many written, after these calls.
fn durable(calls: &[Call]) -> (usize, usize) {
    let (mut synced, mut syncing, mut written) = (0, 0, 0);
    for call in calls {
        match call {
            Call::Wrote(bytes) => written += bytes,
            Call::SyncBegins => syncing = written,
            Call::SyncEnded => synced = syncing,
            Call::Started => {}
        }
    }
    (synced, written)
}

/// Reads strace's lines: `PID call(fd<path>, …) = result`, perhaps in two halves.
fn calls(text: &str, ledger: &str) -> Vec<Call> {
    let of_ledger = format!("<{ledger}>");
    let mut unfinished = HashSet::new();
    let mut calls = Vec::new();
    let mut program_runs = false;
    for line in text.lines() {
        let (pid, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        let result = call
            .rsplit_once("= ")
            .and_then(|(_, n)| n.parse::<usize>().ok());
        let resumed = call.starts_with("<...")
            && unfinished.remove(&(pid, call.split(' ').nth(1).unwrap_or_default()));
        let name = call.split('(').next().unwrap_or_default();
        if call.starts_with("execve(") {
            // The first one is the program itself.
            if program_runs && !call.contains("= -1") {
                calls.push(Call::Started);
            }
            program_runs = true;
        } else if call.contains(&of_ledger) {
            if name.contains("sync") {
                calls.push(Call::SyncBegins);
            }
            if call.ends_with("<unfinished ...>") {
                unfinished.insert((pid, name));
                continue;
            }
            calls.extend(ended(name, result));
        } else if resumed {
            calls.extend(ended(call.split(' ').nth(1).unwrap_or_default(), result));
        }
    }
    calls
}

fn ended(name: &str, result: Option<usize>) -> Option<Call> {
    match (name, result) {
        ("write", Some(bytes)) => Some(Call::Wrote(bytes)),
        ("fsync" | "fdatasync", Some(0)) => Some(Call::SyncEnded),
        _ => None,
    }
}

#[test]
fn after_a_power_cut_everything_synced_is_there_and_the_list_is_completed() {
    let test = "power cut";
    if !strace_works() {
        return skipped(test, "strace can't be used here");
    }
    let mut rng = random(test);
    let mut cases = Cases::of(test);
    for fsync in ["--fsync=always", "--fsync=interval", "--fsync=never"] {
        let recorded = Recorded::new(fsync, 3);
        let written = durable(&recorded.calls);
        assert_eq!(
            written.1,
            recorded.ledger.len(),
            "not every write was seen: {:?}",
            recorded.calls
        );
        if fsync != "--fsync=never" {
            assert_eq!(
                written.0, written.1,
                "{fsync}: the end of the run was not synced"
            );
        }
        for _ in 0..30 {
            recorded.cut(rng.usize(..=recorded.calls.len()), &mut rng);
            cases.one_more();
        }
    }
    cases.end();
}

/// With `--fsync always` a slot goes on only when its line is on the disk: never more jobs begun than lines synced, and slots.
#[test]
fn with_fsync_always_no_slot_goes_on_before_its_line_is_on_the_disk() {
    let test = "fsync always";
    if !strace_works() {
        return skipped(test, "strace can't be used here");
    }
    let mut cases = Cases::of(test);
    for jobs in [1, 3] {
        let recorded = Recorded::new("--fsync=always", jobs);
        let mut started = 0;
        for at in 0..recorded.calls.len() {
            if recorded.calls[at] != Call::Started {
                continue;
            }
            started += 1;
            let (synced, _) = durable(&recorded.calls[..at]);
            let lines = committed(&recorded.ledger[..synced]).len();
            assert!(
                started <= lines + jobs,
                "{started} begun, {lines} lines on the disk, -j{jobs}"
            );
            cases.one_more();
        }
        assert!(started >= JOBS, "{started} of {JOBS} starts were seen");
    }
    cases.end();
}
