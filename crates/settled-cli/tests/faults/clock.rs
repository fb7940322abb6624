//! The clock of the machine jumps: timers go by another one.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::ledger::{committed, newest, settles, whole};
use crate::rig::{Cases, Dir, finish, settled, skipped, start, until};

fn library() -> Option<&'static str> {
    [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib64/faketime/libfaketimeMT.so.1",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists())
}

#[test]
fn a_jump_of_the_clock_ends_no_timer_early_and_holds_none_up() {
    let test = "clock jump";
    let Some(library) = library() else {
        return skipped(test, "libfaketime is not installed");
    };
    let mut cases = Cases::of(test);
    for jump in ["+3650d", "-3650d"] {
        let dir = Dir::new();
        let (list, ledger) = (dir.file("list", "slow\nretried\nlong\n"), dir.arg("ledger"));
        let clock = dir.file("clock", "+0d");
        let shell = "case $1 in slow) touch \"$DIR/began\"; until [ -e \"$DIR/jumped\" ]; do sleep 0.02; done; sleep 0.3;; \
                     retried) [ -e \"$DIR/tried\" ] || { touch \"$DIR/tried\"; exit 1; };; \
                     long) until [ -e \"$DIR/jumped\" ]; do sleep 0.02; done; exec sleep 1000;; esac";
        let args = [
            "run",
            "-q",
            "-j3",
            "--timeout=6s",
            "--total-timeout=60s",
            "--retries=1",
            "--backoff=1s..1s",
            "-i",
            &list,
            "-o",
            &ledger,
            "--shell",
            shell,
        ];
        let mut command = settled(&args);
        command
            .env("DIR", dir.path(""))
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
        let child = start(&mut command);
        until("two commands run", || {
            dir.path("began").exists() && dir.path("tried").exists()
        });
        dir.file("clock", jump);
        dir.file("jumped", "");
        let jumped = Instant::now();
        until("the retried job has settled", || {
            committed(&fs::read(&ledger).unwrap_or_default())
                .iter()
                .any(|line| line.id == "2")
        });
        finish(child).exits(1);
        // `long` has two tries of six seconds each: it must be over, and not at once.
        assert!(
            jumped.elapsed() >= Duration::from_secs(5),
            "a timer went off early"
        );
        let outcomes = [("1", "fulfilled"), ("2", "fulfilled"), ("3", "timed_out")];
        settles(&dir.path("ledger"), outcomes);
        let started = newest(&whole(&dir.path("ledger")))["3"].value["ms"].as_f64();
        assert!(
            started.is_some_and(|ms| (5_000.0..110_000.0).contains(&ms)),
            "{started:?} ms"
        );
        cases.one_more();
    }
    cases.end();
}
