//! What a person sees.

use rustix::process::Signal;
use serde_json::{Value, json};
use settled_testserver::{Answer, Server};

use crate::terminal::OnTerminal;
use crate::tool::{Folder, Ran};

/// The live line is drawn over: a carriage return, and the line cleared.
const REDRAW: &str = "\r\x1b[2K";

/// A run of one command that waits until the test lets it go.
struct Waiting(Folder);

impl Waiting {
    fn new() -> Self {
        let folder = Folder::new();
        folder.fifo("go");
        folder.file("list", "a\nb\nc\n");
        Self(folder)
    }

    fn start(&self, flags: &str, env: &[(&str, &str)], stdout: bool) -> OnTerminal {
        let script = "if test $1 = b; then echo x > started; read x < go; fi";
        let args = ["run", "-i", "list", "-j", "1"]
            .into_iter()
            .chain(flags.split_whitespace());
        let mut tool = self.0.settled(args.chain(["--shell", script]));
        for (name, value) in env {
            tool = tool.env(name, value);
        }
        OnTerminal::start(tool, stdout)
    }

    fn go(&self) {
        std::fs::write(self.0.join("go"), "\n").expect("a line");
    }
}

#[test]
fn progress_is_a_live_line_on_a_terminal() {
    let waiting = Waiting::new();
    let tool = waiting.start("-o out", &[], false);
    tool.sees("1 of 3 (33 %)");
    tool.sees("1 running");
    waiting.go();
    let seen = tool.end();
    assert_eq!(seen.status.code(), Some(0));
    assert!(
        seen.text.contains(REDRAW) && seen.text.contains("3 fulfilled"),
        "{:?}",
        seen.text
    );
    is_clean(&seen.text);
    assert!(seen.settings_kept);
}

/// No state of the terminal is left: colours are off, and the cursor stands at the start of a line.
fn is_clean(text: &str) {
    assert!(text.ends_with('\n'), "{text:?}");
    let codes: Vec<&str> = text.split("\x1b[").skip(1).collect();
    for code in &codes {
        let end = code
            .find(|c: char| c.is_ascii_alphabetic())
            .expect("a code");
        assert!(
            matches!(&code[end..=end], "m" | "K"),
            "a code that changes more than colour and line: {code:?}"
        );
    }
    let last = codes
        .iter()
        .rev()
        .find_map(|code| code.split_once('m').map(|(colour, _)| colour));
    assert!(matches!(last, None | Some("0")), "{text:?}");
    // The last live line was cleared before the summary.
    let summary = text.rfind("settled: ").expect("a summary");
    let redraw = text.rfind(REDRAW).expect("a live line");
    assert!(
        text[redraw + REDRAW.len()..].starts_with("settled: ") && redraw < summary,
        "{text:?}"
    );
}

#[test]
fn the_terminal_is_left_clean_after_ctrl_c_and_the_grace_counts_down() {
    let waiting = Waiting::new();
    let tool = waiting.start("-o out --grace 100s", &[], false);
    tool.sees("1 running");
    tool.signal(Signal::INT);
    tool.sees("stopping, 100 s left");
    tool.sees("stopping, 99 s left");
    tool.signal(Signal::INT);
    let seen = tool.end();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&seen.status),
        Some(2)
    );
    is_clean(&seen.text);
    assert!(seen.settings_kept);
}

#[test]
fn the_terminal_is_left_clean_by_a_third_ctrl_c() {
    let folder = Folder::new();
    folder.fifo("never");
    folder.file("list", "a\n");
    let script = "trap '' TERM; while :; do read x < never; done";
    let tool = folder.settled(["run", "-i", "list", "-o", "out", "--shell", script]);
    let tool = OnTerminal::start(tool, false);
    tool.sees("1 running");
    tool.signal(Signal::INT);
    tool.sees("nothing new starts");
    tool.signal(Signal::INT);
    tool.sees("INT: ending");
    tool.signal(Signal::INT);
    let seen = tool.end();
    assert!(
        seen.text.ends_with("runs again on resume\r\n"),
        "{:?}",
        seen.text
    );
    assert!(seen.settings_kept);
}

#[test]
fn a_dumb_terminal_gets_no_live_line_and_no_colour() {
    for term in ["dumb", ""] {
        let waiting = Waiting::new();
        let tool = waiting.start("-o out", &[("TERM", term)], false);
        waiting.0.wait_for("started");
        waiting.go();
        let seen = tool.end();
        assert!(
            !seen.text.contains('\x1b') && seen.text.starts_with("settled: 3 fulfilled"),
            "{:?}",
            seen.text
        );
    }
}

#[test]
fn outcome_lines_on_the_same_terminal_are_not_torn() {
    let waiting = Waiting::new();
    let tool = waiting.start("", &[], true);
    tool.sees("\"id\":\"1\"");
    waiting.go();
    let seen = tool.end();
    assert!(!seen.text.contains(REDRAW), "{:?}", seen.text);
    assert_eq!(crate::tool::outcomes(&seen.text).len(), 3);
}

#[test]
fn always_and_never_are_obeyed() {
    let waiting = Waiting::new();
    let tool = waiting.start("-o out --progress never", &[], false);
    waiting.0.wait_for("started");
    waiting.go();
    let seen = tool.end();
    assert!(
        !seen.text.contains(REDRAW) && seen.text.contains("3 fulfilled"),
        "{:?}",
        seen.text
    );
    // A terminal that is asked for one in spite of its name.
    let waiting = Waiting::new();
    let tool = waiting.start("-o out --progress always", &[("TERM", "dumb")], false);
    tool.sees(REDRAW);
    tool.sees("1 of 3 (33 %)");
    waiting.go();
    assert!(tool.end().text.contains("3 fulfilled"));
}

#[test]
fn elsewhere_it_is_a_plain_line_every_ten_seconds() {
    let folder = Folder::new();
    folder.fifo("go");
    folder.file("list", "a\nb\n");
    let running = folder
        .settled([
            "run",
            "-i",
            "list",
            "-o",
            "out",
            "-j",
            "1",
            "--shell",
            "test $1 = a || read x < go",
        ])
        .start();
    let line = running.hears("1 of 2 (50 %)");
    assert!(
        line.starts_with("settled: ") && line.ends_with('\n') && !line.contains('\x1b'),
        "{line:?}"
    );
    std::fs::write(folder.join("go"), "\n").expect("a line");
    running
        .end()
        .exits(0)
        .keeps_silent_about("\x1b")
        .keeps_silent_about("\r");
}

#[test]
fn a_short_run_shows_its_summary_only() {
    let folder = Folder::new();
    let ran = folder
        .settled(["run", "--", "true"])
        .stdin("a\n")
        .run()
        .exits(0);
    assert!(
        ran.stderr.starts_with("settled: 1 fulfilled"),
        "{}",
        ran.stderr
    );
}

#[test]
fn json_progress_is_json_lines() {
    let folder = Folder::new();
    let ran = folder
        .settled([
            "run",
            "-o",
            "out",
            "--progress",
            "json",
            "-j",
            "1",
            "--shell",
            "test $1 != b",
        ])
        .stdin("a\nb\n")
        .run()
        .exits(1);
    let lines: Vec<Value> = ran
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let last = &lines.last().expect("a line")["progress"];
    assert_eq!(
        (&last["settled"], &last["fulfilled"], &last["failed"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(
        (
            &last["errors"],
            &last["attempts"],
            &last["in_flight"],
            &last["waiting"]
        ),
        (&json!({"exit": 1}), &json!(2), &json!(0), &json!(0))
    );
    assert_eq!(
        (
            &last["total"],
            &last["total_is_exact"],
            &last["retries"],
            &last["skipped"]
        ),
        (&json!(2), &json!(true), &json!(0), &json!(0))
    );
    assert!(last["per_second"].is_number());
}

#[test]
fn every_line_is_json_with_quiet_summary() {
    let folder = Folder::new();
    folder.fifo("go");
    let running = folder
        .settled([
            "run",
            "-o",
            "out",
            "--progress",
            "json",
            "--shell",
            "read x < go",
        ])
        .stdin("a\n")
        .start();
    let line = running.hears("\"in_flight\":1");
    serde_json::from_str::<Value>(&line).expect("JSON");
    std::fs::write(folder.join("go"), "\n").expect("a line");
    running.end().exits(0);
}

#[test]
fn quiet_is_errors_only() {
    let folder = Folder::new();
    let ran = folder
        .settled(["run", "-q", "--", "true"])
        .stdin("a\n\n")
        .run()
        .exits(0);
    assert_eq!(ran.stderr, "");
    let ran = folder
        .settled(["run", "-q", "--", "false"])
        .stdin("a\n")
        .run()
        .exits(1);
    assert_eq!(ran.stderr, "");
    folder
        .settled(["run", "-q", "-i", "missing", "--", "true"])
        .run()
        .exits(2)
        .says("missing");
    let waiting = Waiting::new();
    let tool = waiting.start("-o out -q", &[], false);
    waiting.0.wait_for("started");
    waiting.go();
    assert_eq!(tool.end().text, "");
}

/// Whether the summary of a run has colours.
fn coloured(flags: &[&str], env: &[(&str, &str)], terminal: bool) -> bool {
    let folder = Folder::new();
    folder.file("list", "a\n");
    let mut tool = folder.settled(
        ["run", "-i", "list", "-o", "out"]
            .iter()
            .chain(flags)
            .chain(&["--", "true"]),
    );
    for (name, value) in env {
        tool = tool.env(name, value);
    }
    let text = match terminal {
        true => OnTerminal::start(tool, false).end().text,
        false => tool.run().stderr,
    };
    assert!(text.contains("1 fulfilled"), "{text:?}");
    text.contains("\x1b[32m1 fulfilled\x1b[0m")
}

#[test]
fn colours_are_for_a_terminal_unless_it_is_said_otherwise() {
    assert!(coloured(&[], &[], true));
    assert!(!coloured(&[], &[], false));
    // https://no-color.org: whatever its value is, if it is not empty.
    assert!(!coloured(&[], &[("NO_COLOR", "1")], true));
    assert!(!coloured(&[], &[("NO_COLOR", "0")], true));
    assert!(coloured(&[], &[("NO_COLOR", "")], true));
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")], false));
    assert!(!coloured(&[], &[("CLICOLOR_FORCE", "0")], false));
    assert!(!coloured(
        &[],
        &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
        true
    ));
    // The flag goes before the environment.
    assert!(coloured(
        &["--color", "always"],
        &[("NO_COLOR", "1")],
        false
    ));
    assert!(!coloured(
        &["--color", "never"],
        &[("CLICOLOR_FORCE", "1")],
        true
    ));
    assert!(coloured(&["--color", "auto"], &[], true));
}

/// Text that would clear the screen, colour it, turn the reading direction around, or ring.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}evil\u{2066}\u{200b}\u{8}";

#[track_caller]
fn is_tame(text: &str) {
    assert!(
        text.contains("evil"),
        "what was from outside is not shown: {text:?}"
    );
    let harmful = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    };
    assert!(!text.contains(harmful), "{text:?}");
}

#[test]
fn text_from_outside_is_escaped() {
    let folder = Folder::new();
    let fails = |list: &str, script: &str| -> Ran {
        folder
            .settled(["run", "-o", "out", "--overwrite", "--shell", script])
            .stdin(list)
            .run()
            .exits(1)
    };
    // In the list, and in what a command says.
    is_tame(&fails(&format!("{HOSTILE}\n"), "false").stderr);
    is_tame(&fails("a\n", &format!("printf '%s\\n' '{HOSTILE}' >&2; false")).stderr);
    is_tame(&folder.run("report out").exits(0).text());
    // An id, and a line that is no job.
    is_tame(
        &fails(
            &format!("{}\n", json!({"id": HOSTILE, "args": []})),
            "false",
        )
        .stderr,
    );
    is_tame(&fails(&format!("{{{HOSTILE}\n"), "true").stderr);
    // A name that is not there.
    is_tame(
        &folder
            .settled(["run", "-i", HOSTILE, "--", "true"])
            .run()
            .exits(2)
            .stderr,
    );
    folder.file("notes", "x\n");
    std::fs::rename(folder.join("notes"), folder.join(HOSTILE)).expect("a name");
    is_tame(
        &folder
            .settled(["run", "-o", HOSTILE, "--", "true"])
            .stdin("a\n")
            .run()
            .exits(4)
            .stderr,
    );
    is_tame(&folder.settled(["report", HOSTILE]).run().exits(2).stderr);
    // A ledger's plan, which is from outside too.
    folder
        .settled(["run", "-o", "plan", "--", "true", HOSTILE])
        .stdin("a\n")
        .run()
        .exits(0);
    is_tame(
        &folder
            .settled(["run", "-o", "plan", "--", "true"])
            .stdin("a\n")
            .run()
            .exits(2)
            .stderr,
    );
}

#[test]
fn what_a_server_says_is_escaped() {
    let folder = Folder::new();
    let server = Server::start_blocking(|_| Answer::redirect(302, format!("ftp://{HOSTILE}/")));
    let server = server.expect("a server");
    let ran = folder
        .settled(["fetch", &server.url("/evil"), "-o", "out"])
        .run()
        .exits(1);
    is_tame(&ran.stderr);
}

#[test]
fn the_summary_groups_failures_and_says_what_to_change() {
    let folder = Folder::new();
    let server = Server::start_blocking(|request| match request.target.as_str() {
        "/bad" => Answer::status(500),
        _ => Answer::ok("0123456789"),
    });
    let server = server.expect("a server");
    folder.file(
        "list",
        format!("{}\n{}\n", server.url("/good"), server.url("/bad")),
    );
    let ran = folder
        .run("fetch -i list -o out --retries 0 --inline 1")
        .exits(1);
    let ran = ran
        .says("1 fulfilled, 1 rejected")
        .says("http 500 at 127.0.0.1")
        .says("--save-dir");
    // The report of the ledger says the same.
    let report = folder.run("report out").exits(0).text();
    assert!(
        report.contains("1 fulfilled, 1 rejected") && report.contains("http 500 at 127.0.0.1"),
        "{report}"
    );
    drop(ran);
    let json: Value =
        serde_json::from_str(&folder.run("report --json out").exits(0).text()).expect("JSON");
    assert_eq!(
        (&json["settled"], &json["outcomes"]),
        (&json!(2), &json!({"fulfilled": 1, "rejected": 1}))
    );
    assert_eq!(
        (&json["failures"][0]["kind"], &json["failures"][0]["status"]),
        (&json!("http"), &json!(500))
    );
}

#[test]
fn commands_that_failed_are_grouped_by_their_exit_status() {
    let folder = Folder::new();
    folder.file("list", "3\n4\n3\n");
    let summary = folder
        .settled(["run", "-i", "list", "-o", "out", "--shell", "exit $1"])
        .run()
        .exits(1);
    summary.says("2  exit 3").says("1  exit 4");
    let report = folder.run("report out").exits(0).text();
    assert!(
        report.contains("2  exit 3") && report.contains("1  exit 4"),
        "{report}"
    );
    let json: Value =
        serde_json::from_str(&folder.run("report --json out").exits(0).text()).expect("JSON");
    let group = |at: usize| {
        (
            &json["failures"][at]["exit"],
            &json["failures"][at]["count"],
        )
    };
    assert_eq!(group(0), (&json!(3), &json!(2)));
    assert_eq!(group(1), (&json!(4), &json!(1)));
    assert_eq!(json["failures"][2], Value::Null);
}

#[test]
fn a_report_of_what_is_none_is_refused() {
    let folder = Folder::new();
    folder.file("notes", "my notes\n");
    folder.run("report notes").exits(2).says("no ledger");
    folder.run("report missing").exits(2).says("missing");
    folder.run("report .").exits(2).says("directory");
}
