//! Files that can't be written: a full disk, a closed pipe, a read-only place, a planted link, another process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::ledger::{all_fulfilled, committed, settles, whole_lines};
use crate::rig::{Cases, Dir, finish, random, run, settled, skipped, start, until, within};

/// Whether a small file system of our own can be had.
fn can_mount() -> bool {
    let mut probe = Command::new("unshare");
    let probe = probe.args(["-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]);
    probe
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn a_full_disk_ends_the_run_and_with_more_room_it_goes_on() {
    let test = "full disk";
    if !can_mount() {
        return skipped(test, "no file system can be mounted here");
    }
    let mut rng = random(test);
    let mut cases = Cases::of(test);
    for fsync in ["interval", "always", "never"] {
        let dir = Dir::new();
        let count = 400;
        let list = dir.file(
            "list",
            (1..=count).map(|n| format!("{n}\n")).collect::<String>(),
        );
        fs::create_dir(dir.path("small")).expect("a directory");
        // Everything in one mount namespace: the file system is gone when the last process in it has ended.
        let script = r#"
            cd "$1" && mount -t tmpfs -o size="$2" tmpfs small || exit 99
            "$3" run -q -j4 --fsync="$4" -i "$5" -o small/ledger --shell 'echo "$1" >>"$TRACE"' 2>first.err; echo $? >first
            cp small/ledger full; mount -o remount,size=4m small
            "$3" run -q -j4 --fsync="$4" -i "$5" -o small/ledger --shell 'echo "$1" >>"$TRACE"'; echo $? >second
            cp small/ledger ledger"#;
        let size = format!("{}k", 4 * rng.u32(2..14));
        let mut command = Command::new("unshare");
        command.args([
            "-m",
            "sh",
            "-c",
            script,
            "sh",
            &dir.arg(""),
            &size,
            env!("CARGO_BIN_EXE_settled"),
            fsync,
            &list,
        ]);
        run(command.env("TRACE", dir.path("trace"))).exits(0);
        let said = |name: &str| fs::read_to_string(dir.path(name)).expect("what was written");
        assert_eq!(said("first").trim(), "4", "{}", said("first.err"));
        assert!(
            said("first.err").contains("outcomes can't be written"),
            "{}",
            said("first.err")
        );
        assert_eq!(said("second").trim(), "0");
        let full = fs::read(dir.path("full")).expect("a ledger");
        assert_eq!(whole_lines(&full), full, "half a line stayed");
        let ledger = fs::read(dir.path("ledger")).expect("a ledger");
        assert!(ledger.starts_with(&full), "a committed line was lost");
        settles(&dir.path("ledger"), all_fulfilled(count));
        let again = said("trace").lines().count() - count;
        assert!(again <= 4, "{again} jobs ran again, 4 at once");
        cases.one_more();
    }
    cases.end();
}

#[test]
fn a_limit_of_the_file_size_ends_the_run_and_without_it_it_goes_on() {
    let mut rng = random("file size limit");
    let mut cases = Cases::of("file size limit");
    for ignored in [true, false] {
        let dir = Dir::new();
        let list = dir.file(
            "list",
            (1..=200).map(|n| format!("{n}\n")).collect::<String>(),
        );
        let ledger = dir.arg("ledger");
        let args = ["run", "-q", "-j3", "-i", &list, "-o", &ledger, "--", "true"];
        let limit = format!("--fsize={}", rng.u32(1_000..20_000));
        let trap = if ignored {
            "trap '' XFSZ; exec \"$@\""
        } else {
            "exec \"$@\""
        };
        let outer = ["sh", "-c", trap, "sh", "prlimit", &limit];
        let ran = run(&mut within(&outer, &args));
        let full = fs::read(dir.path("ledger")).expect("a ledger");
        ran.exits(4).says("outcomes can't be written");
        assert_eq!(whole_lines(&full), full, "half a line stayed");
        let full = whole_lines(&full).to_vec();
        run(&mut settled(&args)).exits(0);
        assert!(
            fs::read(dir.path("ledger"))
                .expect("a ledger")
                .starts_with(&full)
        );
        settles(&dir.path("ledger"), all_fulfilled(200));
        cases.one_more();
    }
    cases.end();
}

/// There is no room for the very first line, or for a part of it only: then nothing of it stays.
#[test]
fn a_plan_that_can_not_be_written() {
    let mut cases = Cases::of("no room for the plan");
    for limit in [0, 1, 10, 31, 32, 100] {
        let dir = Dir::new();
        let (list, ledger) = (dir.file("list", "1\n2\n"), dir.arg("ledger"));
        let args = ["run", "-q", "-i", &list, "-o", &ledger, "--", "true"];
        let limit = format!("--fsize={limit}");
        let outer = [
            "sh",
            "-c",
            "trap '' XFSZ; exec \"$@\"",
            "sh",
            "prlimit",
            &limit,
        ];
        run(&mut within(&outer, &args)).exits(4).says("ledger");
        assert_eq!(fs::read(&ledger).expect("a file"), b"", "{limit}");
        run(&mut settled(&args)).exits(0);
        settles(&dir.path("ledger"), all_fulfilled(2));
        cases.one_more();
    }
    cases.end();
}

#[test]
fn a_device_that_is_full() {
    let dir = Dir::new();
    let list = dir.file("list", "1\n2\n3\n");
    run(&mut settled(&[
        "run",
        "-i",
        &list,
        "-o",
        "/dev/full",
        "--",
        "true",
    ]))
    .exits(4)
    .says("/dev/full");
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let mut command = settled(&["run", "-i", &list, "--", "true"]);
    let child = command.stdout(full).stderr(Stdio::piped()).spawn();
    finish(child.expect("a process"))
        .exits(4)
        .says("standard output");
}

#[test]
fn a_reader_that_leaves_ends_the_run_quietly() {
    let mut cases = Cases::of("closed output");
    for lines in [0, 1, 5] {
        let dir = Dir::new();
        let list = dir.file(
            "list",
            (1..=5_000).map(|n| format!("{n}\n")).collect::<String>(),
        );
        let mut child = start(&mut settled(&["run", "-q", "-i", &list, "--", "true"]));
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        for _ in 0..lines {
            stdout.read_line(&mut line).expect("a line");
        }
        drop(stdout);
        let ran = finish(child);
        assert_eq!(ran.status.signal(), Some(13), "{:?}", ran.status);
        assert_eq!(ran.stderr, "");
        assert_eq!(committed(line.as_bytes()).len(), lines, "{line}");
        cases.one_more();
    }
    cases.end();
}

#[test]
fn places_where_there_can_be_no_ledger() {
    let dir = Dir::new();
    let list = dir.file("list", "1\n");
    let run_to = |output: &str| {
        let shell = "touch \"$RAN\"";
        run(
            settled(&["run", "-i", &list, "-o", output, "--shell", shell])
                .env("RAN", dir.path("ran")),
        )
    };
    run_to(&dir.arg("missing/ledger"))
        .exits(4)
        .says("missing/ledger");
    let target = dir.file("target", "precious");
    symlink(&target, dir.path("link")).expect("a link");
    run_to(&dir.arg("link")).exits(4).says("link");
    symlink(dir.path("nowhere"), dir.path("dangling")).expect("a link");
    run_to(&dir.arg("dangling")).exits(4).says("dangling");
    assert!(
        !dir.path("nowhere").exists(),
        "a dangling link was followed"
    );
    assert_eq!(fs::read_to_string(&target).expect("a file"), "precious");
    run_to(&dir.arg("")).exits(2).says("directory");
    assert!(
        !dir.path("ran").exists(),
        "a job ran without a place for its outcome"
    );
}

#[test]
fn a_read_only_place() {
    let test = "read-only place";
    if !can_mount() {
        return skipped(test, "no file system can be mounted here");
    }
    let mut cases = Cases::of(test);
    for made_before in [false, true] {
        let dir = Dir::new();
        let list = dir.file("list", "1\n2\n");
        fs::create_dir(dir.path("place")).expect("a directory");
        let script = r#"
            cd "$1" && mount -t tmpfs tmpfs place || exit 99
            [ -z "$4" ] || "$2" run -q -i "$3" -o place/ledger -- true
            mount -o remount,ro place
            exec "$2" run -i "$3" -o place/ledger --shell 'touch ran'"#;
        let made = if made_before { "yes" } else { "" };
        let mut command = Command::new("unshare");
        command.args([
            "-m",
            "sh",
            "-c",
            script,
            "sh",
            &dir.arg(""),
            env!("CARGO_BIN_EXE_settled"),
            &list,
            made,
        ]);
        run(&mut command).exits(4).says("ledger").says("Read-only");
        assert!(!dir.path("ran").exists());
        cases.one_more();
    }
    cases.end();
}

#[test]
fn a_second_process_on_the_same_ledger_leaves_the_first_alone() {
    let mut cases = Cases::of("two processes");
    for more in ["", "--overwrite", "--repair", "--adopt-plan"] {
        let dir = Dir::new();
        let (list, ledger, gate) = (
            dir.file("list", "1\n2\n3\n"),
            dir.arg("ledger"),
            dir.arg("gate"),
        );
        let script =
            "touch \"$GATE.$1\"; [ $1 = 1 ] || until [ -e \"$GATE\" ]; do sleep 0.02; done";
        let args = [
            "run", "-q", "-j2", "-i", &list, "-o", &ledger, "--shell", script,
        ];
        let first = start(settled(&args).env("GATE", &gate));
        until("the second job has begun", || dir.path("gate.2").exists());
        until("the first line is written", || {
            committed(&fs::read(&ledger).unwrap_or_default()).len() == 1
        });
        let before = fs::read(&ledger).expect("a ledger");
        let second: Vec<_> = args
            .into_iter()
            .chain(Some(more).filter(|more| !more.is_empty()))
            .collect();
        run(settled(&second).env("GATE", &gate))
            .exits(4)
            .says("another settled");
        assert_eq!(
            fs::read(&ledger).expect("a ledger"),
            before,
            "{more}: the ledger was touched"
        );
        dir.file("gate", "");
        finish(first).exits(0);
        settles(&dir.path("ledger"), all_fulfilled(3));
        cases.one_more();
    }
    cases.end();
}
