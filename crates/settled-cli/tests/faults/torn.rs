//! A ledger whose end is not what was written: cut off, filled with zeros, followed by garbage.

use std::fs;

use crate::ledger::{all_fulfilled, committed, settles, whole_lines};
use crate::rig::{Cases, Dir, random, run, settled};

const JOBS: usize = 4;

/// By this, the beginning of a plan is known.
const PLAN_HEAD: &[u8] = br#"{"settled":1,"plan":{"command":"#;

/// A finished ledger, and the command that made it. Each job leaves its line in the trace.
struct Finished {
    dir: Dir,
    bytes: Vec<u8>,
}

impl Finished {
    fn new() -> Self {
        let dir = Dir::new();
        dir.file(
            "list",
            (1..=JOBS).map(|n| format!("{n}\n")).collect::<String>(),
        );
        let finished = Self {
            dir,
            bytes: Vec::new(),
        };
        finished.run().exits(0);
        let bytes = fs::read(finished.dir.path("ledger")).expect("a ledger");
        Self { bytes, ..finished }
    }

    fn run(&self) -> crate::rig::Ran {
        let (list, ledger) = (self.dir.arg("list"), self.dir.arg("ledger"));
        self.dir.file("trace", "");
        let script = "echo \"$1\" >>\"$TRACE\"";
        let args = [
            "run",
            "-j1",
            "--threads=1",
            "--keep=none",
            "-i",
            &list,
            "-o",
            &ledger,
            "--shell",
            script,
        ];
        run(settled(&args).env("TRACE", self.dir.path("trace")))
    }

    /// Resumes with these bytes as the ledger: what is whole in them stays, the other jobs run, and no others do.
    #[track_caller]
    fn resumes(&self, bytes: &[u8]) {
        fs::write(self.dir.path("ledger"), bytes).expect("a ledger");
        let kept = whole_lines(bytes);
        let ran = self.run();
        let said = ran.stderr.contains("last line was torn");
        assert_eq!(
            said,
            kept.len() < bytes.len() && !kept.is_empty(),
            "{}",
            ran.stderr
        );
        ran.exits(0);
        settles(&self.dir.path("ledger"), all_fulfilled(JOBS));
        let after = fs::read(self.dir.path("ledger")).expect("a ledger");
        assert!(after.starts_with(kept), "a whole line was changed");
        let trace = fs::read_to_string(self.dir.path("trace")).expect("a trace");
        let done = committed(kept).len();
        let rest: String = (done + 1..=JOBS).map(|n| format!("{n}\n")).collect();
        assert_eq!(trace, rest, "other jobs ran than those without a line");
    }

    /// So few bytes could be anybody's file: it is refused and not touched.
    #[track_caller]
    fn leaves_alone(&self, bytes: &[u8]) {
        fs::write(self.dir.path("ledger"), bytes).expect("a file");
        self.run().exits(4).says("no ledger of settled");
        assert_eq!(
            fs::read(self.dir.path("ledger")).expect("a file"),
            bytes,
            "it was touched"
        );
    }

    /// Where the last `count` lines start.
    fn start_of_last(&self, count: usize) -> usize {
        let ends = self.bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
        let ends: Vec<_> = ends.map(|(at, _)| at + 1).collect();
        ends[ends.len() - 1 - count]
    }
}

#[test]
fn cut_at_every_byte_of_its_last_two_lines() {
    let finished = Finished::new();
    let mut cases = Cases::of("torn last line");
    for cut in finished.start_of_last(2)..=finished.bytes.len() {
        finished.resumes(&finished.bytes[..cut]);
        cases.one_more();
    }
    cases.end();
}

#[test]
fn cut_at_every_byte_of_the_plan() {
    let finished = Finished::new();
    let mut cases = Cases::of("torn plan line");
    for cut in 0..=finished.start_of_last(JOBS) {
        if (1..PLAN_HEAD.len()).contains(&cut) {
            finished.leaves_alone(&finished.bytes[..cut]);
        } else {
            finished.resumes(&finished.bytes[..cut]);
        }
        cases.one_more();
    }
    cases.end();
}

#[test]
fn a_tail_of_zeros_or_garbage_is_cut_off() {
    let finished = Finished::new();
    let mut rng = random("garbage tail");
    let mut cases = Cases::of("garbage tail");
    let second_last = finished.start_of_last(1);
    for round in 0..40 {
        // After a whole line, or in the middle of the last one.
        let keep = if rng.bool() {
            second_last
        } else {
            rng.usize(second_last..finished.bytes.len())
        };
        let mut bytes = finished.bytes[..keep].to_vec();
        let length = [1, 2, 511, 512, 4_096, 70_000, 300_000][rng.usize(..7)];
        if round % 2 == 0 {
            bytes.resize(keep + length, 0);
        } else {
            bytes.extend((0..length).map(|_| match rng.u8(..) {
                b'\n' => 0xff,
                byte => byte,
            }));
        }
        finished.resumes(&bytes);
        cases.one_more();
    }
    cases.end();
}
