//! Somebody else is slow: whoever reads the outcomes, whoever writes the list.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use crate::ledger::{committed, newest};
use crate::memory::finish_measured;
use crate::rig::{Cases, Dir, finish, run, settled, signal, start, until, within};

/// Nobody reads standard output for longer than a job may take: that is nobody's time-out, and every line arrives.
#[test]
fn a_reader_that_takes_its_time() {
    let dir = Dir::new();
    let list = dir.file(
        "list",
        (1..=300).map(|n| format!("{n}\n")).collect::<String>(),
    );
    let shell = "echo >>\"$TRACE\"; head -c 10000 /dev/zero";
    let args = [
        "run",
        "-q",
        "-j4",
        "--timeout=1s",
        "--total-timeout=20s",
        "-i",
        &list,
        "--shell",
        shell,
    ];
    let mut child = start(settled(&args).env("TRACE", dir.path("trace")));
    let mut stdout = child.stdout.take().expect("a pipe");
    until("the pipe is full", || {
        rustix::io::ioctl_fionread(&stdout).expect("a pipe") > 40_000
    });
    // Not to order anything: this is the fault itself.
    std::thread::sleep(Duration::from_millis(2_500));
    let ran_meanwhile = fs::read_to_string(dir.path("trace"))
        .expect("a trace")
        .len();
    assert!(
        ran_meanwhile < 100,
        "{ran_meanwhile} jobs ran although nobody took their outcomes"
    );
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut stdout, &mut bytes).expect("a pipe");
        bytes
    });
    let (ran, peak) = finish_measured(child);
    ran.exits(0);
    let lines = committed(&reader.join().expect("a reader"));
    assert_eq!((lines.len(), newest(&lines).len()), (300, 300));
    assert!(lines.iter().all(|line| line.outcome == "fulfilled"));
    assert!(peak < 32 << 20, "{peak} bytes");
    println!("slow reader: 1 cases, {peak} bytes at the most");
}

/// Each line is written only when the outcome of the one before has been seen.
#[test]
fn a_list_that_comes_line_by_line_is_done_line_by_line() {
    let mut cases = Cases::of("slow list");
    for jobs in ["-j1", "-j8"] {
        let mut command = settled(&["run", "-q", jobs, "--", "echo"]);
        let mut child = start(command.stdin(Stdio::piped()));
        let mut list = child.stdin.take().expect("a pipe");
        let mut outcomes = BufReader::new(child.stdout.take().expect("a pipe"));
        for n in 1..=60 {
            // Blank lines in the same write are no reason to wait.
            let blank = ["", "\n", " \n\t\n"][n % 3];
            list.write_all(format!("item {n}\n{blank}").as_bytes())
                .expect("a pipe");
            let mut line = String::new();
            outcomes.read_line(&mut line).expect("an outcome");
            let lines = committed(line.as_bytes());
            assert_eq!(lines[0].value["input"], format!("item {n}"));
            cases.one_more();
        }
        list.write_all(b"the last, without an end").expect("a pipe");
        drop(list);
        let mut line = String::new();
        outcomes.read_line(&mut line).expect("an outcome");
        assert!(line.contains("the last, without an end"));
        finish(child).exits(0);
    }
    cases.end();
}

#[test]
fn a_list_that_stays_silent_does_not_hold_up_the_end() {
    let mut cases = Cases::of("silent list");
    for (number, ends_by) in [(Signal::INT, 2), (Signal::TERM, 15), (Signal::HUP, 1)] {
        for half in ["", "half a line"] {
            let dir = Dir::new();
            let ledger = dir.arg("ledger");
            // Whoever runs the tests may ignore some of them, as `nohup` does.
            let heard = ["env", "--default-signal=INT,TERM,HUP"];
            let mut command = within(&heard, &["run", "-o", &ledger, "--", "echo"]);
            let mut child = start(command.stdin(Stdio::piped()));
            let mut list = child.stdin.take().expect("a pipe");
            write!(list, "one\n{half}").expect("a pipe");
            until("the first job has settled", || {
                committed(&fs::read(&ledger).unwrap_or_default()).len() == 1
            });
            signal(&child, number);
            let ran = finish(child);
            assert_eq!(ran.status.signal(), Some(ends_by), "{}", ran.stderr);
            drop(list);
            let bytes = fs::read(&ledger).expect("a ledger");
            assert_eq!(
                committed(&bytes).len(),
                1,
                "half a line was taken for a job"
            );
            // The whole list, then.
            let list = dir.file("list", "one\ntwo\n");
            run(&mut settled(&[
                "run", "-i", &list, "-o", &ledger, "--", "echo",
            ]))
            .exits(0);
            crate::ledger::settles(&dir.path("ledger"), crate::ledger::all_fulfilled(2));
            cases.one_more();
        }
    }
    cases.end();
}
