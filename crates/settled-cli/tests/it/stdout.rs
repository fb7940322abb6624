//! Outcome lines on standard output.

use std::process::{Command, Stdio};

use crate::tool::{Folder, outcomes};

fn settled() -> &'static str {
    env!("CARGO_BIN_EXE_settled")
}

#[test]
fn outcomes_go_to_standard_output_and_everything_else_to_standard_error() {
    let folder = Folder::new();
    for args in ["run -- echo", "run -o - -- echo"] {
        let ran = folder
            .settled(args.split(' '))
            .stdin("a\nb\n")
            .run()
            .exits(0)
            .says("2 fulfilled");
        assert_eq!(ran.text().lines().count(), 2, "{}", ran.text());
        assert_eq!(ran.lines().len(), 2);
        // No plan line: it is no ledger.
        assert!(!ran.text().contains("\"plan\""));
    }
}

#[test]
fn no_plan_line_in_a_pipe_or_a_device() {
    let folder = Folder::new();
    folder.fifo("pipe");
    let reader = Command::new("cat")
        .arg("pipe")
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn();
    let reader = reader.expect("cat starts");
    folder
        .settled(["run", "-o", "pipe", "--", "echo"])
        .stdin("a\n")
        .run()
        .exits(0);
    let read = reader.wait_with_output().expect("what came through").stdout;
    let text = String::from_utf8(read).expect("text");
    assert_eq!(
        (text.lines().count(), outcomes(&text).len()),
        (1, 1),
        "{text}"
    );
    folder
        .settled(["run", "-o", "/dev/null", "--", "echo"])
        .stdin("a\n")
        .run()
        .exits(0);
}

#[test]
fn a_reader_that_leaves_ends_it_quietly_by_the_convention_of_sigpipe() {
    let folder = Folder::new();
    let line = format!("seq 100000 | {} run -j 2 --shell : | head -n 1", settled());
    let shell = Command::new("bash")
        .args(["-c", &format!("{line}; echo \"${{PIPESTATUS[1]}}\" >&2")])
        .current_dir(folder.path())
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&shell.stderr);
    assert_eq!(outcomes(&String::from_utf8_lossy(&shell.stdout)).len(), 1);
    assert_eq!(said.lines().last(), Some("141"), "{said}");
    assert!(
        !said.contains("panicked") && !said.contains("can't be written"),
        "{said}"
    );
}

#[test]
fn a_reader_of_a_report_that_leaves_ends_it_quietly() {
    let folder = Folder::new();
    let list: String = (0..3000).map(|n| format!("{n}\n")).collect();
    folder.file("list", list);
    folder
        .settled([
            "run", "-i", "list", "-o", "out", "-q", "--keep", "none", "--", "true",
        ])
        .run()
        .exits(0);
    for report in ["report --latest out", "completions bash", "man"] {
        let line = format!(
            "{} {report} | head -n 1; echo \"${{PIPESTATUS[0]}}\" >&2",
            settled()
        );
        let shell = Command::new("bash")
            .args(["-c", &line])
            .current_dir(folder.path())
            .output()
            .expect("bash");
        let said = String::from_utf8_lossy(&shell.stderr);
        // A short text may be through before the reader leaves.
        assert!(matches!(said.trim(), "141" | "0"), "{report}: {said}");
    }
}

#[test]
fn a_full_device_is_said_and_is_status_4() {
    let folder = Folder::new();
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let status = Command::new(settled())
        .args(["run", "-q", "--", "true"])
        .current_dir(folder.path())
        .stdin(std::fs::File::open(folder.file("list", "a\n")).expect("the list"))
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("settled");
    assert_eq!(status.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&status.stderr).contains("standard output"));
}

#[test]
fn standard_error_that_takes_nothing_is_no_reason_to_fail() {
    let folder = Folder::new();
    folder.file("list", "a\nb\n");
    for to in ["2>/dev/full", "2>&-", "2> >(exec true)"] {
        let line = format!(
            "{} run -i list --progress json -- echo {to}; echo \"$?\" >&3",
            settled()
        );
        let shell = Command::new("bash")
            .args(["-c", &format!("exec 3>status; {line}")])
            .current_dir(folder.path())
            .output()
            .expect("bash");
        assert_eq!(folder.read("status").trim(), "0", "{to}");
        assert_eq!(
            outcomes(&String::from_utf8_lossy(&shell.stdout)).len(),
            2,
            "{to}"
        );
    }
}
