//! The table of signals, with real processes.

use std::fs;
use std::io::Write;
use std::process::Command;

use rustix::process::Signal;
use settled_testserver::{Answer, At, Gate, Server};

use crate::tool::{Folder, Running, is_alive, settled_as, wait_gone, wait_until};

/// Says its process id, and waits for a line in the pipe `go`.
const WAIT: &str = "echo $$ > $1.started; read line < go; echo $line";

/// Never ends by itself, and takes no notice of TERM.
const STUBBORN: &str =
    "trap 'echo term >> $1.terms' TERM; echo $$ > $1.started; while :; do read line < never; done";

fn start(folder: &Folder, flags: &[&str], script: &str) -> Running {
    for name in ["go", "never"] {
        if !folder.join(name).exists() {
            folder.fifo(name);
        }
    }
    folder.file("list", "a\nb\nc\n");
    let mut args = vec!["run", "-i", "list", "-o", "out", "-j", "1"];
    args.extend(flags);
    args.extend(["--shell", script]);
    folder.settled(args).start()
}

fn pid(folder: &Folder, name: &str) -> i32 {
    folder
        .wait_for(&format!("{name}.started"))
        .trim()
        .parse()
        .expect("a pid")
}

/// Lets one waiting command go on.
fn go(folder: &Folder) {
    let mut pipe = fs::OpenOptions::new()
        .write(true)
        .open(folder.join("go"))
        .expect("the pipe");
    pipe.write_all(b"done\n").expect("a line");
}

#[test]
fn first_int_nothing_new_starts_and_running_attempts_finish() {
    let folder = Folder::new();
    let running = start(&folder, &["--grace", "60s"], WAIT);
    pid(&folder, "a");
    running.signal(Signal::INT);
    let said = running.hears("INT");
    assert!(
        said.contains("1 running jobs have 60.0 s to finish"),
        "{said}"
    );
    go(&folder);
    let ran = running.end().ends_by(Signal::INT).says("1 fulfilled");
    let ran = ran
        .says("the same command goes on with out")
        .says("2 jobs are left");
    drop(ran);
    // What could finish is final; of the rest there is no line.
    let lines = folder.ledger("out");
    assert_eq!(
        settled_as(&lines),
        [("1".to_owned(), "fulfilled".to_owned())]
    );
    assert_eq!(lines[0].get("final"), None);
    assert!(!folder.join("b.started").exists());
}

#[test]
fn first_int_and_the_grace_is_over_then_as_the_second() {
    let folder = Folder::new();
    let running = start(&folder, &["--grace", "200ms"], WAIT);
    let child = pid(&folder, "a");
    running.signal(Signal::INT);
    running.end().ends_by(Signal::INT).says("1 interrupted");
    assert!(!is_alive(child));
    let lines = folder.ledger("out");
    assert_eq!(
        (lines.len(), &lines[0]["outcome"], &lines[0]["final"]),
        (1, &"cancelled".into(), &false.into())
    );
}

#[test]
fn second_int_ends_what_runs_and_it_is_written_as_cancelled_and_not_final() {
    let folder = Folder::new();
    let running = start(&folder, &["--grace", "60s"], WAIT);
    let child = pid(&folder, "a");
    running.signal(Signal::INT);
    running.hears("INT: nothing new starts");
    running.signal(Signal::INT);
    running.end().ends_by(Signal::INT).says("1 interrupted");
    assert!(!is_alive(child));
    let lines = folder.ledger("out");
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["outcome"], &lines[0]["final"]),
        (&"cancelled".into(), &false.into())
    );
    assert_eq!(lines[0]["error"]["kind"], "cancelled");

    // The run resumes: the interrupted job runs again, and so do those that never started.
    let again = start(&folder, &["--adopt-plan"], "echo $1");
    again.end().exits(0);
    let lines = folder.ledger("out");
    assert_eq!(lines.len(), 4);
    assert!(lines[1..].iter().all(|line| line["outcome"] == "fulfilled"));
}

#[test]
fn groups_get_term_and_then_kill() {
    let folder = Folder::new();
    let running = start(&folder, &["--grace", "60s"], STUBBORN);
    let child = pid(&folder, "a");
    running.signal(Signal::TERM);
    running.end().ends_by(Signal::TERM);
    assert!(!is_alive(child));
    assert_eq!(
        folder.read("a.terms"),
        "term\n",
        "it got no TERM before KILL"
    );
    let lines = folder.ledger("out");
    assert_eq!(
        (&lines[0]["outcome"], &lines[0]["final"]),
        (&"cancelled".into(), &false.into())
    );
    assert_eq!(lines[0]["result"]["signal"], 9);
}

#[test]
fn the_whole_group_ends() {
    let folder = Folder::new();
    let script =
        "sh -c 'echo $$ > grandchild.started; read line < never' & echo $$ > $1.started; wait";
    let running = start(&folder, &[], script);
    let (child, grandchild) = (pid(&folder, "a"), pid(&folder, "grandchild"));
    running.signal(Signal::TERM);
    running.end().ends_by(Signal::TERM);
    assert!(!is_alive(child));
    wait_gone(grandchild);
}

#[test]
fn a_command_leads_a_group_of_its_own() {
    let folder = Folder::new();
    let running = start(&folder, &["--grace", "60s"], WAIT);
    let child = pid(&folder, "a");
    let stat = fs::read_to_string(format!("/proc/{child}/stat")).expect("its state");
    let group: i32 = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().nth(2)?.parse().ok())
        .expect("a group");
    assert_eq!(group, child);
    running.signal(Signal::TERM);
    running.end().ends_by(Signal::TERM);
}

#[test]
fn third_int_leaves_at_once() {
    let folder = Folder::new();
    let running = start(&folder, &["--grace", "60s"], STUBBORN);
    let child = pid(&folder, "a");
    running.signal(Signal::INT);
    running.hears("INT: nothing new starts");
    running.signal(Signal::INT);
    running.hears("INT: ending");
    // It waits for the stubborn command; the third one does not.
    running.signal(Signal::INT);
    running
        .end()
        .ends_by(Signal::INT)
        .says("leaving at once")
        .keeps_silent_about("interrupted, to run again");
    wait_gone(child);
    // What was running has no line, and runs again.
    assert!(folder.ledger("out").is_empty());
    start(&folder, &["--adopt-plan"], "echo $1").end().exits(0);
    assert_eq!(folder.ledger("out").len(), 3);
}

#[test]
fn int_after_term_leaves_at_once() {
    let folder = Folder::new();
    let running = start(&folder, &["--grace", "60s"], STUBBORN);
    let child = pid(&folder, "a");
    running.signal(Signal::TERM);
    running.hears("TERM: ending");
    running.signal(Signal::INT);
    running.end().says("leaving at once");
    wait_gone(child);
}

#[test]
fn hup_is_as_the_first_int() {
    let folder = Folder::new();
    let running = start(&folder, &["--grace", "60s"], WAIT);
    pid(&folder, "a");
    running.signal(Signal::HUP);
    running.hears("HUP: nothing new starts");
    go(&folder);
    running.end().ends_by(Signal::HUP).says("1 fulfilled");
}

#[test]
fn hup_that_was_ignored_at_the_start_stays_so() {
    let folder = Folder::new();
    folder.fifo("go");
    folder.file("list", "a\n");
    let mut nohup = folder.settled([""; 0]);
    nohup.command = Command::new("nohup");
    nohup
        .command
        .arg(env!("CARGO_BIN_EXE_settled"))
        .current_dir(folder.path());
    nohup
        .command
        .args(["run", "-i", "list", "-o", "out", "--shell", WAIT]);
    let running = nohup.start();
    pid(&folder, "a");
    running.signal(Signal::HUP);
    go(&folder);
    running.end().exits(0).keeps_silent_about("HUP");
}

#[test]
fn a_signal_while_it_waits_for_its_list_ends_it() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = Folder::new();
        let tool = folder.settled(["run", "-o", "out", "--shell", "echo $$ > $1.started"]);
        let (running, mut list) = tool.start_with_stdin();
        list.write_all(b"a\n").expect("a line");
        pid(&folder, "a");
        wait_until("the first outcome", || {
            (folder.ledger("out").len() == 1).then_some(())
        });
        running.signal(signal);
        running.end().ends_by(signal);
        drop(list);
    }
}

#[test]
fn requests_are_aborted() {
    let folder = Folder::new();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start_blocking(move |request| match request.attempt {
        1 => Answer::ok("late").hold(At::Start, &held),
        _ => Answer::ok("again"),
    });
    let server = server.expect("a server");
    folder.file("list", format!("{}\n", server.url("/a")));
    let running = folder.run_in_background("fetch -i list -o out --grace 60s");
    server.wait_until_blocking(|log| log.requests() == 1);
    running.signal(Signal::TERM);
    running.end().ends_by(Signal::TERM).says("1 interrupted");
    let lines = folder.ledger("out");
    assert_eq!(
        (&lines[0]["outcome"], &lines[0]["final"]),
        (&"cancelled".into(), &false.into())
    );
    assert_eq!(
        server
            .wait_until_blocking(|log| log.connections.open == 0)
            .complete(),
        0
    );
    folder.run("fetch -i list -o out").exits(0);
    let lines = folder.ledger("out");
    assert_eq!(
        (lines.len(), &lines[1]["result"]["body"]),
        (2, &"again".into())
    );
}

#[test]
fn a_request_in_flight_finishes_within_the_grace() {
    let folder = Folder::new();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start_blocking(move |_| Answer::ok("late").hold(At::Start, &held))
        .expect("a server");
    folder.file(
        "list",
        format!("{}\n{}\n", server.url("/a"), server.url("/b")),
    );
    let running = folder.run_in_background("fetch -i list -o out --grace 60s -j 1");
    server.wait_until_blocking(|log| log.requests() == 1);
    running.signal(Signal::INT);
    running.hears("INT: nothing new starts");
    gate.open();
    running.end().ends_by(Signal::INT).says("1 fulfilled");
    assert_eq!(folder.ledger("out").len(), 1);
    assert_eq!(server.log().requests(), 1);
}

#[test]
fn a_job_that_waits_for_its_retry_is_written_as_interrupted() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    let script = "echo x > tried; exit 1";
    let tool = folder.settled([
        "run",
        "-i",
        "list",
        "-o",
        "out",
        "--retries",
        "1",
        "--backoff",
        "1h..1h",
        "--progress",
        "json",
        "--shell",
        script,
    ]);
    let running = tool.start();
    running.hears("\"waiting\":1");
    running.signal(Signal::INT);
    running.end().ends_by(Signal::INT);
    let lines = folder.ledger("out");
    assert_eq!(
        (lines.len(), &lines[0]["outcome"], &lines[0]["final"]),
        (1, &"cancelled".into(), &false.into())
    );
    assert_eq!(
        (
            &lines[0]["attempts"],
            lines[0]["tries"].as_array().map(Vec::len)
        ),
        (&1.into(), Some(1))
    );
}

#[test]
fn children_die_with_a_settled_that_is_killed() {
    let folder = Folder::new();
    let running = start(&folder, &[], "echo $$ > $1.started; exec cat never");
    let child = pid(&folder, "a");
    running.kill();
    wait_gone(child);
    // What was in flight runs again.
    start(&folder, &[], "echo $1").end().exits(2).says("shell");
    start(&folder, &["--adopt-plan"], "echo $1").end().exits(0);
    assert_eq!(folder.ledger("out").len(), 3);
}

#[test]
fn killed_again_and_again_it_comes_to_its_end_with_one_final_line_for_each_job() {
    let folder = Folder::new();
    let count = 300;
    let list: String = (0..count).map(|n| format!("{n}\n")).collect();
    folder.file("list", list);
    let args = ["run", "-i", "list", "-o", "out", "-j", "4", "--", "echo"];
    for round in 1..=4 {
        let mut running = folder.settled(args).start();
        wait_until("some more lines", || {
            (folder.ledger("out").len() >= round * 50 || !running.is_running()).then_some(())
        });
        running.kill();
    }
    folder.settled(args).run().exits(0);
    let lines = folder.ledger("out");
    let mut ids: Vec<u64> = lines
        .iter()
        .filter(|line| line.get("final").is_none())
        .map(|line| line["seq"].as_u64().expect("a number"))
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=count).collect::<Vec<_>>());
}
