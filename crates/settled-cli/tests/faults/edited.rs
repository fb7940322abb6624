//! The list is another one when the run goes on: what was settled is not done again, what is new is, and it is said.

use std::collections::HashMap;
use std::fs;

use fastrand::Rng;

use crate::ledger::whole;
use crate::rig::{Cases, Dir, Ran, random, run, settled};

const SAID: &str = "the list is not the one of the earlier run";

struct Edited(Dir);

impl Edited {
    fn new() -> Self {
        Self(Dir::new())
    }

    /// Runs the list; which of its words ran is in the trace.
    fn run(&self, list: &[String], more: &[&str]) -> (Ran, Vec<String>) {
        let list: String = list.iter().map(|line| format!("{line}\n")).collect();
        let (list, ledger) = (self.0.file("list", list), self.0.arg("ledger"));
        self.0.file("trace", "");
        let mut args = vec!["run", "-j3", "-i", &list, "-o", &ledger];
        args.extend(more);
        // A word with a `?` in it is halted before it settles, as long as there is no `go`.
        args.extend(["--shell", "case $1 in *\\?) [ -e \"$GO\" ] || { kill -9 $PPID; exit 1; };; esac; echo \"$1\" >>\"$TRACE\""]);
        let mut command = settled(&args);
        command
            .env("TRACE", self.0.path("trace"))
            .env("GO", self.0.path("go"));
        let ran = run(&mut command);
        let trace = fs::read_to_string(self.0.path("trace")).expect("a trace");
        (ran, trace.lines().map(str::to_owned).collect())
    }
}

/// How often each word is in the list.
fn count(list: &[String]) -> HashMap<&str, i64> {
    let mut count = HashMap::new();
    list.iter()
        .for_each(|word| *count.entry(word.as_str()).or_default() += 1);
    count
}

/// What is in `now` more often than in `before`.
fn difference(now: &[String], before: &[String]) -> Vec<String> {
    let mut left = count(before);
    let new = now.iter().filter(|word| {
        let left = left.entry(word).or_default();
        *left -= 1;
        *left < 0
    });
    sorted(new.cloned().collect())
}

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words
}

/// A list of words; `twice`: some are in it more than once.
fn words(rng: &mut Rng, count: usize, twice: bool) -> Vec<String> {
    (0..count)
        .map(|n| {
            if twice {
                format!("w{}", rng.u8(..12))
            } else {
                format!("w{n}")
            }
        })
        .collect()
}

fn edit(rng: &mut Rng, list: &[String], twice: bool) -> Vec<String> {
    let mut list = list.to_vec();
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=list.len());
        match rng.u8(..7) {
            0 => list.insert(at, format!("new{}", rng.u32(..))),
            1 if twice => list.insert(at, format!("w{}", rng.u8(..12))),
            2 if at < list.len() => drop(list.remove(at)),
            3 if at < list.len() => list[at] = format!("changed{}", rng.u32(..)),
            4 => rng.shuffle(&mut list),
            5 => list.truncate(at),
            _ => list.extend((0..3).map(|_| format!("appended{}", rng.u32(..)))),
        }
    }
    list
}

#[test]
fn what_runs_again_is_the_difference_whatever_was_edited() {
    let mut rng = random("edited lists");
    let mut cases = Cases::of("edited lists");
    for _ in 0..40 {
        let edited = Edited::new();
        let length = rng.usize(1..25);
        let first = words(&mut rng, length, false);
        edited.run(&first, &[]).0.exits(0);
        let mut before = first.clone();
        let mut list = first;
        for round in 0..2 {
            let now = edit(&mut rng, &list, false);
            let (ran, trace) = edited.run(&now, &[]);
            let ran = ran.exits(0);
            let new = difference(&now, &before);
            assert_eq!(sorted(trace), new, "{before:?} became {now:?}");
            let moved = now.iter().zip(&list).any(|(now, before)| now != before);
            // The ledger does not know where a line stood that an edited list had moved.
            assert!(
                round > 0 || !moved || ran.stderr.contains(SAID),
                "{list:?} became {now:?}, said was {}",
                ran.stderr
            );
            before.extend(new);
            list = now;
            let (ran, trace) = edited.run(&list, &[]);
            ran.exits(0);
            assert!(trace.is_empty(), "the same list again ran {trace:?}");
            cases.one_more();
        }
    }
    cases.end();
}

/// The same line more than once: an edited list is matched by content and count.
#[test]
fn lines_that_are_there_twice_run_as_often_as_they_are_new() {
    let mut rng = random("edited lists with repetitions");
    let mut cases = Cases::of("edited lists with repetitions");
    for _ in 0..40 {
        let edited = Edited::new();
        let length = rng.usize(1..25);
        let first = words(&mut rng, length, true);
        edited.run(&first, &[]).0.exits(0);
        let now = edit(&mut rng, &first, true);
        let (ran, trace) = edited.run(&now, &[]);
        ran.exits(0);
        assert_eq!(
            sorted(trace),
            difference(&now, &first),
            "{first:?} became {now:?}"
        );
        cases.one_more();
    }
    cases.end();
}

/// Lines that never settled make it harder to tell which line is which: a job may run again then, but none is left out.
#[test]
fn nothing_is_left_out_of_an_edited_list_that_was_not_finished() {
    let mut rng = random("edited unfinished lists");
    let mut cases = Cases::of("edited unfinished lists");
    for _ in 0..25 {
        let edited = Edited::new();
        let length = rng.usize(4..25);
        let mut first = words(&mut rng, length, false);
        let at = rng.usize(..first.len());
        first[at].push('?');
        let (ran, trace) = edited.run(&first, &[]);
        assert_eq!(ran.status.code(), None, "it was not killed: {}", ran.stderr);
        let ledger = fs::read(edited.0.path("ledger")).expect("a ledger");
        let settled: Vec<_> = crate::ledger::committed(&ledger)
            .iter()
            .filter_map(|line| line.value["input"].as_str().map(str::to_owned))
            .collect();
        assert!(
            difference(&settled, &trace).is_empty(),
            "settled, and never ran"
        );
        edited.0.file("go", "");
        let now = edit(&mut rng, &first, false);
        let (ran, trace) = edited.run(&now, &[]);
        ran.exits(0);
        let missing = difference(&difference(&now, &settled), &trace);
        assert!(
            missing.is_empty(),
            "{missing:?} were left out: {settled:?} settled, {now:?}"
        );
        let (ran, trace) = edited.run(&now, &[]);
        ran.exits(0);
        assert!(trace.is_empty(), "the same list again ran {trace:?}");
        cases.one_more();
    }
    cases.end();
}

#[test]
fn explicit_ids_decide_whatever_the_order() {
    let mut rng = random("edited ids");
    let mut cases = Cases::of("edited ids");
    for _ in 0..15 {
        let edited = Edited::new();
        let job = |id: usize, word: &str| format!("{{\"id\":\"{id}\",\"input\":\"{word}\"}}");
        let length = rng.usize(3..20);
        let first: Vec<_> = (0..length).map(|id| job(id, &format!("w{id}"))).collect();
        edited.run(&first, &[]).0.exits(0);
        let mut now = first.clone();
        let changed = rng.usize(..length);
        now[changed] = job(changed, "changed");
        now.push(job(1_000, "new"));
        rng.shuffle(&mut now);
        let (ran, trace) = edited.run(&now, &[]);
        ran.exits(0).says("1 jobs ask for something else");
        assert_eq!(trace, ["new"]);
        let (ran, trace) = edited.run(&now, &["--redo", "changed"]);
        ran.exits(0);
        assert_eq!(trace, ["changed"]);
        let (ran, trace) = edited.run(&now, &["--redo", "changed"]);
        assert!(!ran.exits(0).stderr.contains("ask for something else"));
        assert!(trace.is_empty(), "the newest line did not count: {trace:?}");
        let ids = crate::ledger::newest(&whole(&edited.0.path("ledger")));
        assert_eq!(ids.len(), length + 1);
        cases.one_more();
    }
    cases.end();
}
