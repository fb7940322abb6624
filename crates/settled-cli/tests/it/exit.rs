//! The table of exit statuses, a test a row.

use std::fs;

use rustix::process::Signal;

use crate::tool::Folder;

#[test]
fn status_0_every_job_of_the_list_has_a_fulfilled_newest_line() {
    let folder = Folder::new();
    folder.file("list", "a\nb\n");
    folder.run("run -i list -o out -- true").exits(0);
    // Also when an earlier run has done it all.
    folder
        .run("run -i list -o out -- true")
        .exits(0)
        .says("nothing to do");
    // And when the newest line of a job that had failed is a good one.
    folder.file("script", "test -e good\n");
    folder.run("run -i list -o later -- sh script").exits(1);
    folder.file("good", "");
    folder
        .run("run -i list -o later --redo rejected -- sh script")
        .exits(0);
}

#[test]
fn status_0_for_an_empty_list() {
    let folder = Folder::new();
    folder.file("list", "");
    folder.run("run -i list -- true").exits(0);
    folder.run("fetch -i list -o out").exits(0);
}

#[test]
fn status_1_the_list_came_to_its_end_and_some_are_not_fulfilled() {
    let folder = Folder::new();
    folder.file("list", "0\n3\n");
    let ran = folder
        .settled(["run", "-i", "list", "-o", "out", "--shell", "exit $1"])
        .run();
    ran.exits(1)
        .says("1 jobs of the list are not fulfilled")
        .says("--redo");
    // With nothing left to do it is still no success.
    let again = folder
        .settled(["run", "-i", "list", "-o", "out", "--shell", "exit $1"])
        .run();
    again.exits(1).says("nothing to do").says("--redo");
}

#[test]
fn status_1_without_a_ledger_too() {
    let folder = Folder::new();
    folder
        .settled(["run", "--", "false"])
        .stdin("a\n")
        .run()
        .exits(1);
}

#[test]
fn status_2_wrong_usage() {
    let folder = Folder::new();
    for args in [
        "",
        "run",
        "fetch --nonsense",
        "nonsense",
        "run -j 0 -- true",
        "run --shell true -- true",
    ] {
        folder.run(args).exits(2);
    }
}

#[test]
fn status_2_the_input_cannot_be_opened() {
    let folder = Folder::new();
    folder
        .run("run -i missing -o out -- true")
        .exits(2)
        .says("missing");
    assert!(
        !folder.join("out").exists(),
        "a ledger was begun for a list that is not there"
    );
    fs::create_dir(folder.join("dir")).expect("a folder");
    folder.run("run -i dir -- true").exits(2).says("directory");
    folder.run("fetch -i missing").exits(2).says("missing");
}

#[test]
fn status_2_a_plan_that_differs() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    folder.run("run -i list -o out -- true").exits(0);
    folder
        .run("run -i list -o out -- false")
        .exits(2)
        .says("template")
        .says("--adopt-plan");
}

#[test]
fn status_3_halted() {
    let folder = Folder::new();
    let list: String = (0..500).map(|n| format!("{n}\n")).collect();
    folder.file("list", list);
    for halt in ["soon,fail=2", "now,fail=2", "soon,fail=1%"] {
        let ran = folder
            .settled([
                "run", "-i", "list", "-j", "2", "--halt", halt, "--", "false",
            ])
            .run();
        let ran = ran.exits(3).says("halted");
        assert!(ran.lines().len() < 500, "{halt}: it went on");
    }
}

#[test]
fn status_4_the_ledger_cannot_be_used() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    folder
        .run("run -i list -o no/such/folder/out -- true")
        .exits(4)
        .says("no/such/folder/out");
    folder.file("notes", "my notes\n");
    folder
        .run("run -i list -o notes -- true")
        .exits(4)
        .says("no ledger");
}

#[test]
fn status_4_a_full_disk() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    folder
        .run("run -i list -o /dev/full -- true")
        .exits(4)
        .says("/dev/full");
}

#[test]
fn status_4_a_file_that_may_not_grow() {
    let folder = Folder::new();
    let list: String = (0..200).map(|n| format!("{n}\n")).collect();
    folder.file("list", list);
    // A file of at most 8 KiB (blocks of 512 bytes); SIGXFSZ is ignored, so that the write fails.
    let limited = format!(
        "trap '' XFSZ; ulimit -f 16; exec '{}' run -i list -o out -- echo {{}}",
        env!("CARGO_BIN_EXE_settled")
    );
    let mut shell = folder.settled([""; 0]);
    shell.command = std::process::Command::new("sh");
    shell
        .command
        .args(["-c", &limited])
        .current_dir(folder.path());
    let ran = shell.run();
    if ran.status.code() != Some(4) {
        panic!("{ran:?}");
    }
    // What is in it is whole, and the run goes on from there.
    assert!(folder.read("out").ends_with('\n'));
    let before = folder.ledger("out").len();
    assert!(before > 0 && before < 200, "{before} lines");
    folder.run("run -i list -o out -- echo {}").exits(0);
    assert_eq!(folder.ledger("out").len(), 200);
}

#[test]
fn by_signal_when_interrupted() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let folder = Folder::new();
        let go = folder.fifo("go");
        let script = format!("echo $$ > started; cat {}", go.display());
        let running = folder
            .settled(["run", "--grace", "0", "--shell", &script])
            .stdin("a\n")
            .start();
        folder.wait_for("started");
        running.signal(signal);
        running.end().ends_by(signal);
    }
}
