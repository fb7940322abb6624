//! Limits of the system: few descriptors, few processes. Jobs wait then; they do not fail.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use settled_testserver::{Answer, At, Server};

use crate::ledger::{all_fulfilled, settles};
use crate::rig::{Cases, Dir, run, skipped, within};

#[test]
fn more_requests_at_once_than_there_are_descriptors() {
    let server =
        Server::start_blocking(|_| Answer::ok("done").pause(At::Start, Duration::from_millis(20)));
    let server = server.expect("a server");
    let mut cases = Cases::of("few descriptors, fetch");
    for limit in ["--nofile=64", "--nofile=32"] {
        let dir = Dir::new();
        let list: String = (1..=600)
            .map(|n| format!("{}\n", server.url(&format!("/{n}"))))
            .collect();
        let (list, ledger) = (dir.file("list", list), dir.arg("ledger"));
        let args = ["fetch", "-q", "-j200", "-i", &list, "-o", &ledger];
        run(&mut within(&["prlimit", limit], &args)).exits(0);
        settles(&dir.path("ledger"), all_fulfilled(600));
        cases.one_more();
    }
    cases.end();
}

#[test]
fn more_commands_at_once_than_there_are_descriptors() {
    let mut cases = Cases::of("few descriptors, run");
    for limit in ["--nofile=64", "--nofile=32"] {
        let dir = Dir::new();
        let list = dir.file(
            "list",
            (1..=200).map(|n| format!("{n}\n")).collect::<String>(),
        );
        let ledger = dir.arg("ledger");
        let args = [
            "run",
            "-q",
            "-j50",
            "-i",
            &list,
            "-o",
            &ledger,
            "--shell",
            "sleep 0.02; echo done",
        ];
        run(&mut within(&["prlimit", limit], &args)).exits(0);
        settles(&dir.path("ledger"), all_fulfilled(200));
        cases.one_more();
    }
    cases.end();
}

/// A user of our own, of whom the kernel counts the processes: root has no limit.
const OUTER: [&str; 5] = [
    "setpriv",
    "--reuid=64321",
    "--regid=64321",
    "--clear-groups",
    "prlimit",
];

fn can_limit_processes(dir: &Dir) -> bool {
    let open = std::fs::set_permissions(dir.path(""), Permissions::from_mode(0o777));
    let binary = env!("CARGO_BIN_EXE_settled");
    let probe = Command::new(OUTER[0])
        .args(&OUTER[1..4])
        .args([binary, "--version"])
        .output();
    open.is_ok() && probe.is_ok_and(|probe| probe.status.success())
}

#[test]
fn more_commands_at_once_than_processes_are_allowed() {
    let test = "few processes";
    let dir = Dir::new();
    if !can_limit_processes(&dir) {
        return skipped(test, "no other user can be had to run the program as");
    }
    let mut cases = Cases::of(test);
    let list = dir.file(
        "list",
        (1..=100).map(|n| format!("{n}\n")).collect::<String>(),
    );
    for limit in [14, 40] {
        let name = format!("ledger {limit}");
        let (ledger, limit) = (dir.arg(&name), format!("--nproc={limit}"));
        let outer: Vec<_> = OUTER.into_iter().chain([limit.as_str()]).collect();
        let args = [
            "run",
            "-q",
            "-j50",
            "--no-append",
            "-i",
            &list,
            "-o",
            &ledger,
            "--",
            "sleep",
            "0.02",
        ];
        run(&mut within(&outer, &args)).exits(0);
        settles(&dir.path(&name), all_fulfilled(100));
        cases.one_more();
    }
    cases.end();
}

/// So few that not even our own threads can be started: that is said, nothing hangs, and the ledger can be used afterwards.
#[test]
fn fewer_processes_than_threads_of_our_own() {
    let test = "few threads";
    let dir = Dir::new();
    if !can_limit_processes(&dir) {
        return skipped(test, "no other user can be had to run the program as");
    }
    let mut cases = Cases::of(test);
    let list = dir.file("list", "1\n2\n3\n");
    for limit in 1..10 {
        let ledger = dir.arg(&format!("ledger {limit}"));
        let limit_flag = format!("--nproc={limit}");
        let outer: Vec<_> = OUTER.into_iter().chain([limit_flag.as_str()]).collect();
        for output in [ledger.as_str(), "-"] {
            let args = [
                "run",
                "-j3",
                "--retries=0",
                "--total-timeout=2s",
                "-i",
                &list,
                "-o",
                output,
                "--",
                "true",
            ];
            run(&mut within(&outer, &args)).did_not_crash();
            cases.one_more();
        }
        let args = [
            "run",
            "-q",
            "-j3",
            "--total-timeout=2s",
            "--redo=rejected,timed_out",
            "-i",
            &list,
            "-o",
            &ledger,
            "--",
            "true",
        ];
        run(&mut within(&[], &args)).exits(0);
        let lines =
            crate::ledger::newest(&crate::ledger::whole(&dir.path(&format!("ledger {limit}"))));
        assert!(lines.len() == 3 && lines.values().all(|line| line.outcome == "fulfilled"));
    }
    cases.end();
}
