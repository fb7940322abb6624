//! Commands that behave badly: each is recorded as what it did, the others run, and nothing of them is left.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use rustix::process::Signal;

use crate::ledger::{all_fulfilled, committed, newest, settles, whole};
use crate::memory::finish_measured;
use crate::rig::{Cases, Dir, finish, run, settled, signal, start, until};

const MARK: &str = "SETTLED_FAULT_MARK";

/// A command that is told apart from all others by a variable in its environment, which its children inherit.
fn marked(dir: &Dir, args: &[&str]) -> Command {
    let mut command = settled(args);
    command.env(MARK, dir.path("")).env("DIR", dir.path(""));
    // What goes to a whole process group must not find the tests.
    command.process_group(0);
    command
}

/// Processes (zombies aside) whose environment has the mark.
fn left(dir: &Dir) -> Vec<String> {
    let mark = format!("{MARK}={}", dir.arg(""));
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    processes
        .filter(|process| {
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            environment
                .split(|&b| b == 0)
                .any(|variable| variable == mark.as_bytes())
        })
        .map(|process| fs::read_to_string(process.path().join("cmdline")).unwrap_or_default())
        .collect()
}

#[test]
fn bad_commands_among_good_ones() {
    let mut cases = Cases::of("bad commands");
    for (bad, outcome, kind) in [
        ("kill -9 $$", "rejected", "signal"),
        ("kill -9 0", "rejected", "signal"),
        ("kill -SEGV $$", "rejected", "signal"),
        ("kill -STOP $$", "timed_out", "timeout"),
        (
            "exec >&- 2>&-; while :; do sleep 0.05; done",
            "timed_out",
            "timeout",
        ),
        (
            "trap '' TERM INT HUP; while :; do sleep 0.05; done",
            "timed_out",
            "timeout",
        ),
        ("yes", "timed_out", "timeout"),
        ("cat", "fulfilled", ""),
        ("exec >&- 2>&-", "fulfilled", ""),
        ("yes | head -c 30000000", "fulfilled", ""),
        (
            "yes 1>&2 | head -c 1; head -c 9000000 /dev/zero >&2",
            "timed_out",
            "timeout",
        ),
        ("sleep 1000 & exit 0", "fulfilled", ""),
        ("sleep 1000 >/dev/null 2>&1 & exit 0", "fulfilled", ""),
        ("(trap '' TERM; sleep 1000) & exit 3", "rejected", "exit"),
    ] {
        let dir = Dir::new();
        let list = dir.file("list", "1\nbad\n3\n4\n");
        let ledger = dir.arg("ledger");
        let shell = format!("[ \"$1\" != bad ] && exit 0; {bad}");
        let args = [
            "run",
            "-q",
            "-j2",
            "--timeout=1s",
            "-i",
            &list,
            "-o",
            &ledger,
            "--shell",
            &shell,
        ];
        let (ran, peak) = finish_measured(start(&mut marked(&dir, &args)));
        let good = outcome == "fulfilled";
        ran.exits(i32::from(!good));
        let lines = whole(&dir.path("ledger"));
        let found = &newest(&lines)["2"];
        assert_eq!(
            (lines.len(), found.outcome.as_str()),
            (4, outcome),
            "{bad}: {}",
            found.value
        );
        assert_eq!(
            found.value["error"]["kind"].as_str().unwrap_or_default(),
            kind,
            "{bad}"
        );
        settles(
            &dir.path("ledger"),
            all_fulfilled(4).map(|(id, was)| {
                if id == "2" {
                    (id, outcome.to_owned())
                } else {
                    (id, was)
                }
            }),
        );
        assert!(left(&dir).is_empty(), "{bad}: left is {:?}", left(&dir));
        assert!(peak < 40 << 20, "{bad}: {peak} bytes");
        cases.one_more();
    }
    cases.end();
}

/// Each time it runs, it takes the whole program with it: but the rest of the list is done all the same, a few jobs a run.
#[test]
fn a_command_that_kills_us_is_survived_by_resuming() {
    let dir = Dir::new();
    let list = dir.file(
        "list",
        (1..=20).map(|n| format!("{n}\n")).collect::<String>(),
    );
    let ledger = dir.arg("ledger");
    // Twice; the third time it is good.
    let shell = "[ $1 = 7 ] && { [ -e \"$DIR/once\" ] && [ -e \"$DIR/twice\" ] || \
                 { [ -e \"$DIR/once\" ] && touch \"$DIR/twice\"; touch \"$DIR/once\"; kill -9 $PPID; sleep 1000; }; }; true";
    let args = [
        "run", "-q", "-j3", "-i", &list, "-o", &ledger, "--shell", shell,
    ];
    let mut kept = Vec::new();
    for _ in 0..2 {
        let ran = run(&mut marked(&dir, &args));
        assert_eq!(ran.status.signal(), Some(9), "{}", ran.stderr);
        let now = fs::read(&ledger).expect("a ledger");
        assert!(now.starts_with(crate::ledger::whole_lines(&kept)));
        kept = now;
        until("the kernel has killed what we left", || {
            left(&dir).iter().all(|left| left.starts_with("sleep"))
        });
    }
    run(&mut marked(&dir, &args)).exits(0);
    settles(&dir.path("ledger"), all_fulfilled(20));
    for process in left_ids(&dir) {
        let _ = rustix::process::kill_process(process, Signal::KILL);
    }
    println!("a command that kills us: 2 cases");
}

/// Grandchildren of a program that was killed are nobody's: the test itself ends them.
fn left_ids(dir: &Dir) -> Vec<rustix::process::Pid> {
    let mark = format!("{MARK}={}", dir.arg(""));
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let ours = processes.filter(|process| {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        environment
            .split(|&b| b == 0)
            .any(|variable| variable == mark.as_bytes())
    });
    let ids = ours.filter_map(|process| process.file_name().to_str()?.parse().ok());
    ids.filter_map(rustix::process::Pid::from_raw).collect()
}

/// Whatever signal ends us, in whatever state the commands are: nothing of them is left, and a resume completes the list.
#[test]
fn nothing_is_left_when_a_signal_ends_the_run() {
    let mut cases = Cases::of("ended by signals");
    let stubborn = "trap '' TERM INT HUP; (trap '' TERM INT HUP; while :; do sleep 0.05; done) & while :; do sleep 0.05; done";
    for signals in [
        &[Signal::TERM][..],
        &[Signal::INT, Signal::INT],
        &[Signal::HUP, Signal::TERM],
        &[Signal::INT],
    ] {
        let dir = Dir::new();
        let list = dir.file("list", "1\n2\n3\n4\n");
        let ledger = dir.arg("ledger");
        let shell = format!(
            "[ $1 = 1 ] || [ -e \"$DIR/go\" ] && exit 0; touch \"$DIR/began$1\"; {stubborn}"
        );
        let args = [
            "run",
            "-q",
            "--grace=1s",
            "-j2",
            "-i",
            &list,
            "-o",
            &ledger,
            "--shell",
            &shell,
        ];
        let child = start(&mut marked(&dir, &args));
        until("two commands run", || {
            dir.path("began2").exists() && dir.path("began3").exists()
        });
        until("the first job has settled", || {
            committed(&fs::read(&ledger).unwrap_or_default()).len() == 1
        });
        for &number in signals {
            signal(&child, number);
            // Two of the same that come together are one.
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let ran = finish(child);
        assert!(
            ran.status.signal().is_some(),
            "{:?} {}",
            ran.status,
            ran.stderr
        );
        assert!(
            left(&dir).is_empty(),
            "{signals:?}: left is {:?}",
            left(&dir)
        );
        let lines = newest(&whole(&dir.path("ledger")));
        assert_eq!(lines.len(), 3);
        assert!(
            ["2", "3"]
                .iter()
                .all(|id| lines[*id].outcome == "cancelled" && !lines[*id].is_final)
        );
        dir.file("go", "");
        run(&mut marked(&dir, &args)).exits(0);
        settles(&dir.path("ledger"), all_fulfilled(4));
        cases.one_more();
    }
    cases.end();
}
