//! Flipped bits in a ledger: found, named by their line, and set aside when that is asked for.

use std::fs;

use fastrand::Rng;

use crate::ledger::{all_fulfilled, settles};
use crate::rig::{Cases, Dir, Ran, random, run, settled};

const JOBS: usize = 9;

struct Finished {
    dir: Dir,
    bytes: Vec<u8>,
}

/// `,"crc":"01234567"}` and the line end.
const TAIL: usize = 20;

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
        finished.run(&[]).exits(0);
        let bytes = finished.ledger();
        Self { bytes, ..finished }
    }

    fn ledger(&self) -> Vec<u8> {
        fs::read(self.dir.path("ledger")).expect("a ledger")
    }

    fn run(&self, more: &[&str]) -> Ran {
        let (list, ledger) = (self.dir.arg("list"), self.dir.arg("ledger"));
        let mut args = vec!["run", "-j2", "-i", &list, "-o", &ledger];
        args.extend(more);
        args.extend(["--", "echo"]);
        run(&mut settled(&args))
    }

    /// Numbers, starts and ends of the lines, line ends included.
    fn lines(&self) -> Vec<(usize, usize, usize)> {
        let mut start = 0;
        let lines = self.bytes.split_inclusive(|&b| b == b'\n').enumerate();
        lines
            .map(|(at, line)| {
                start += line.len();
                (at + 1, start - line.len(), start)
            })
            .collect()
    }

    /// The ledger is refused: the line is named, and nothing is touched.
    #[track_caller]
    fn refused(&self, bytes: &[u8], line: usize) {
        let _ = fs::remove_file(self.dir.path("ledger.damaged"));
        fs::write(self.dir.path("ledger"), bytes).expect("a ledger");
        self.run(&[])
            .exits(4)
            .says(&format!("line {line} is damaged"));
        assert_eq!(self.ledger(), bytes, "a refused ledger was touched");
        assert!(!self.dir.path("ledger.damaged").exists());
    }

    /// Repaired as asked: exactly `aside` is in FILE.damaged, everything else is still there, and the list is complete.
    #[track_caller]
    fn repaired(&self, bytes: &[u8], aside: &[&[u8]]) {
        self.run(&["--repair"]).exits(0);
        let damaged = fs::read(self.dir.path("ledger.damaged")).expect("lines set aside");
        assert_eq!(damaged, aside.concat(), "other lines were set aside");
        settles(&self.dir.path("ledger"), all_fulfilled(JOBS));
        let after = self.ledger();
        let mut after = after.split_inclusive(|&b| b == b'\n');
        let kept = bytes
            .split_inclusive(|&b| b == b'\n')
            .filter(|line| !aside.contains(line));
        for line in kept.filter(|line| line.ends_with(b"\n")) {
            assert!(
                after.any(|found| found == line),
                "a good line is gone, or has moved"
            );
        }
        assert!(!self.dir.path("ledger.repaired").exists());
    }
}

fn flip(bytes: &[u8], at: usize, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1 << rng.u8(..8);
    bytes
}

/// The lines of `now` that are no lines of `before`: number and bytes.
fn changed<'a>(before: &[u8], now: &'a [u8]) -> Vec<(usize, &'a [u8])> {
    let good: Vec<_> = before.split_inclusive(|&b| b == b'\n').collect();
    let lines = now.split_inclusive(|&b| b == b'\n').enumerate();
    lines
        .filter(|(_, line)| !good.contains(line))
        .map(|(at, line)| (at + 1, line))
        .collect()
}

#[test]
fn a_flipped_bit_is_named_by_its_line_and_set_aside_on_demand() {
    let finished = Finished::new();
    let mut rng = random("flipped bits");
    let mut cases = Cases::of("flipped bits");
    let (mut in_checksum, mut at_the_end) = (0, 0);
    for _ in 0..120 {
        let lines = finished.lines();
        let (_, start, end) = lines[rng.usize(1..lines.len())];
        let at = rng.usize(start..end);
        let bytes = flip(&finished.bytes, at, &mut rng);
        let changed = changed(&finished.bytes, &bytes);
        let (line, _) = changed[0];
        cases.one_more();
        if at + 1 == bytes.len() {
            // The very last line end: that line is torn, not damaged.
            fs::write(finished.dir.path("ledger"), &bytes).expect("a ledger");
            finished.run(&[]).exits(0).says("was torn");
            settles(&finished.dir.path("ledger"), all_fulfilled(JOBS));
            at_the_end += 1;
            continue;
        }
        if at + TAIL >= end && at + 1 < end {
            // In the checksum itself, or in its name: then the content is whole, and may be taken as such.
            fs::write(finished.dir.path("ledger"), &bytes).expect("a ledger");
            let ran = finished.run(&[]);
            if ran.status.code() == Some(0) {
                assert_eq!(
                    finished.ledger(),
                    bytes,
                    "a line of a settled job was written"
                );
                in_checksum += 1;
                continue;
            }
        }
        finished.refused(&bytes, line);
        let aside: Vec<_> = changed.iter().map(|(_, line)| *line).collect();
        finished.repaired(&bytes, &aside);
    }
    println!(
        "flipped bits: {in_checksum} in the checksum's own bytes, {at_the_end} in the last line end"
    );
    cases.end();
}

#[test]
fn two_damaged_lines_the_first_is_named_and_both_are_set_aside() {
    let finished = Finished::new();
    let mut rng = random("two damaged lines");
    let mut cases = Cases::of("two damaged lines");
    for _ in 0..20 {
        let lines = finished.lines();
        let first = rng.usize(1..lines.len() - 1);
        // The last line too: it has its line end, so it is damaged and not torn.
        let second = rng.usize(first + 1..lines.len());
        let mut bytes = finished.bytes.clone();
        for at in [first, second] {
            let (_, start, end) = lines[at];
            let at = rng.usize(start + 8..end - TAIL);
            bytes[at] ^= 1;
            if bytes[at] == b'\n' {
                bytes[at] = b'!';
            }
        }
        let changed = changed(&finished.bytes, &bytes);
        finished.refused(&bytes, changed[0].0);
        let aside: Vec<_> = changed.iter().map(|(_, line)| *line).collect();
        finished.repaired(&bytes, &aside);
        cases.one_more();
    }
    cases.end();
}

#[test]
fn a_damaged_line_and_a_torn_one() {
    let finished = Finished::new();
    let mut rng = random("damaged and torn");
    let mut cases = Cases::of("damaged and torn");
    for _ in 0..15 {
        let lines = finished.lines();
        let (_, start, end) = lines[rng.usize(1..lines.len() - 1)];
        let mut bytes = finished.bytes.clone();
        bytes[rng.usize(start + 8..end - TAIL)] = b'~';
        bytes.truncate(rng.usize(lines[lines.len() - 1].1 + 1..bytes.len()));
        let changed = changed(&finished.bytes, &bytes);
        finished.refused(&bytes, changed[0].0);
        finished.repaired(&bytes, &[changed[0].1]);
        cases.one_more();
    }
    cases.end();
}

#[test]
fn a_damaged_plan_is_refused_and_replaced_on_demand() {
    let finished = Finished::new();
    let mut rng = random("damaged plan");
    let mut cases = Cases::of("damaged plan");
    for round in 0..40 {
        let (_, start, end) = finished.lines()[0];
        // Its very first bytes as well: it must not then be taken for some other file.
        let at = if round < 12 {
            start + round
        } else {
            rng.usize(start..end - TAIL)
        };
        let bytes = flip(&finished.bytes, at, &mut rng);
        let changed = changed(&finished.bytes, &bytes);
        finished.refused(&bytes, 1);
        let aside: Vec<_> = changed.iter().map(|(_, line)| *line).collect();
        finished.repaired(&bytes, &aside);
        // It is a ledger as before.
        finished.run(&[]).exits(0);
        cases.one_more();
    }
    cases.end();
}

#[test]
fn a_repair_of_what_is_whole_changes_nothing() {
    let finished = Finished::new();
    finished.run(&["--repair"]).exits(0);
    assert_eq!(finished.ledger(), finished.bytes);
    assert!(!finished.dir.path("ledger.damaged").exists());
}

#[test]
fn a_file_that_is_no_ledger_is_never_touched() {
    let mut cases = Cases::of("no ledger");
    for content in [
        &b"{\"name\":\"settled\",\"version\":1}\n"[..],
        b"a text\n",
        b"a text without an end",
        b"\n",
        b"\0\0\0\0",
        b"{\"settled\":2}\n",
        b"{\"v\":1,\"id\":\"1\"}\n",
        b"[1,2,3]",
    ] {
        let dir = Dir::new();
        let (list, ledger) = (dir.file("list", "1\n"), dir.file("ledger", content));
        for more in ["", "--repair", "--overwrite", "--adopt-plan"] {
            let more = Some(more).filter(|more| !more.is_empty());
            let args = ["run", "-i", &list, "-o", &ledger].into_iter().chain(more);
            let args: Vec<_> = args.chain(["--", "true"]).collect();
            run(&mut settled(&args)).exits(4);
            assert_eq!(
                fs::read(dir.path("ledger")).expect("a file"),
                content,
                "{more:?}"
            );
            cases.one_more();
        }
    }
    cases.end();
}
