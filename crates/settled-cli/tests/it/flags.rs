//! Flags: wrong ones are refused with a message that helps, and what is said of them is true.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::tool::Folder;

#[test]
fn a_wrong_value_is_refused_and_the_message_names_the_flag_and_what_to_write() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    for (flag, value, hint) in [
        ("--jobs", "0", "at least 1"),
        ("--jobs", "many", "whole number"),
        ("--retries", "-1", "--retries"),
        ("--timeout", "soon", "5s, 200ms"),
        ("--timeout", "0", "more than zero"),
        ("--total-timeout", "5 parsecs", "or none"),
        ("--backoff", "1s", "200ms..30s"),
        ("--backoff", "5s..1s", "longer"),
        ("--retry-after-max", "x", "5s, 200ms"),
        ("--retry-budget", "20", "20%+10/s"),
        ("--rate", "10", "200/s"),
        ("--rate", "0/s", "200/s"),
        ("--burst", "0", "--burst"),
        ("--halt", "never", "soon,fail=3"),
        ("--halt", "now,fail=0", "now,fail=10%"),
        ("--grace", "-1s", "--grace"),
        ("--inline", "big", "8MiB"),
        ("--max-line", "1.5", "8MiB"),
        ("--fsync", "often", "always, interval, never"),
        ("--input-format", "csv", "lines"),
        ("--progress", "loud", "never"),
        ("--color", "blue", "always"),
        ("--threads", "0", "at least 1"),
        ("--redo", "failed", "timed_out"),
        ("--keep", "all", "none"),
        ("--retry-on", "x", "x"),
    ] {
        for command in [
            &["fetch", "http://127.0.0.1:1/"][..],
            &["run", "--shell", ":", "-i", "list"],
        ] {
            let both = format!("{flag}={value}");
            let ran = folder
                .settled(command.iter().chain(&[&*both, "-o", "out"]))
                .run();
            ran.exits(2).says(flag).says(hint);
        }
    }
    assert!(
        !folder.join("out").exists(),
        "a ledger was begun all the same"
    );
}

#[test]
fn wrong_values_of_fetch() {
    let folder = Folder::new();
    for (flags, said) in [
        (&["-X", "a b"][..], "-X"),
        (&["-H", "nothing"], "Name: value"),
        (&["-H", "Content-Length: 5"], "content-length"),
        (&["--header-file", "missing"], "--header-file missing"),
        (
            &["--bearer-env", "NOT_SET_AT_ALL"],
            "--bearer-env NOT_SET_AT_ALL",
        ),
        (&["--base-url", "no url"], "base"),
        (&["-d", "@missing"], "missing"),
        (&["--json", "{"], "--json"),
        (&["--json", "{}", "-d", "x"], "cannot be used with"),
        (&["--ok-status", "99"], "--ok-status"),
        (&["--ok-status", "300-200"], "ends before it starts"),
        (&["--retry-on", "abc"], "--retry-on"),
        (&["--per-host", "0"], "at least 1"),
        (&["--per-host-rate", "x"], "200/s"),
        (&["--connect-timeout", "none"], "--connect-timeout"),
        (&["--max-body", "x"], "8MiB"),
        (&["--max-redirects", "x"], "--max-redirects"),
        (
            &["--max-redirects", "3", "--no-redirects"],
            "cannot be used with",
        ),
        (&["--cacert", "missing"], "missing"),
        (&["--save-dir", "/dev/null/x"], "--save-dir /dev/null/x"),
    ] {
        let ran = folder
            .settled(
                ["fetch", "http://127.0.0.1:1/", "-o", "out"]
                    .iter()
                    .chain(flags),
            )
            .run()
            .exits(2);
        assert!(
            ran.stderr.to_lowercase().contains(&said.to_lowercase()),
            "{flags:?} should say {said:?}: {}",
            ran.stderr
        );
    }
    assert!(!folder.join("out").exists());
}

#[test]
fn wrong_values_of_run() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    for (args, said) in [
        (&["--", "echo", "{0}"][..], "{0}"),
        (&["--", "echo", "{/a~2}"], "{/a~2}"),
        (&["--", ""], "program"),
        (&[], "required"),
        (&["--sep", "", "--", "echo"], "--sep"),
        (&["--ok-exit", "256", "--", "echo"], "--ok-exit 256"),
        (&["echo", "{}"], "unexpected"),
        (&["--redo", "rejected", "--", "echo"], "--output"),
        (&["--overwrite", "--", "echo"], "--output"),
        (&["--repair", "--", "echo"], "--output"),
        (
            &["-o", "out", "--overwrite", "--adopt-plan", "--", "echo"],
            "cannot be used with",
        ),
    ] {
        let ran = folder
            .settled(["run", "-i", "list"].iter().chain(args))
            .run()
            .exits(2);
        assert!(
            ran.stderr.contains(said),
            "{args:?} should say {said:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_flag_that_is_nearly_right_is_guessed() {
    let folder = Folder::new();
    folder
        .run("fetch --retrys 3 http://a/")
        .exits(2)
        .says("--retries");
    folder.run("ftech http://a/").exits(2).says("fetch");
}

fn help(command: &str) -> String {
    let folder = Folder::new();
    folder
        .settled(command.split_whitespace().chain(["--help"]))
        .run()
        .exits(0)
        .text()
}

#[test]
fn help_has_grouped_headings_and_examples() {
    assert!(help("").contains("Examples:"));
    for command in ["fetch", "run"] {
        let text = help(command);
        for heading in [
            "Input:",
            "Output:",
            "Load:",
            "Failure:",
            "What you see:",
            "Examples:",
        ] {
            assert!(
                text.lines().any(|line| line == heading),
                "{command}: no {heading}\n{text}"
            );
        }
        assert!(text.contains(&format!("settled {command} ")));
        // Every flag stands below a heading that says something.
        let options = text
            .split("\nOptions:\n")
            .nth(1)
            .map(|rest| rest.split("\n\n").next().unwrap_or(rest))
            .unwrap_or_default();
        assert!(
            options.matches("--").count() <= 2,
            "{command}: flags without a heading: {options}"
        );
    }
    assert!(help("fetch").lines().any(|line| line == "Request:"));
    assert!(help("run").lines().any(|line| line == "Command:"));
    assert!(help("report").contains("Examples:"));
}

#[test]
fn help_goes_to_standard_output_and_is_no_failure() {
    let folder = Folder::new();
    for args in [
        "--help",
        "-h",
        "help",
        "help fetch",
        "run -h",
        "--version",
        "-V",
    ] {
        let ran = folder.run(args).exits(0);
        assert!(!ran.stdout.is_empty() && ran.stderr.is_empty(), "{args}");
    }
    assert!(folder.run("--version").text().starts_with("settled "));
}

#[test]
fn the_examples_in_the_help_are_understood() {
    // Without their input they fail, but not for a flag that is not there.
    let folder = Folder::new();
    for command in ["", "fetch", "run", "report"] {
        for line in help(command)
            .lines()
            .filter_map(|line| line.trim().strip_prefix("settled "))
        {
            let line = line.split('#').next().unwrap_or(line);
            if line.starts_with("COMMAND") || line.starts_with("demo") || line.contains("a.example")
            {
                continue;
            }
            let shell = format!("'{}' {line}", env!("CARGO_BIN_EXE_settled"));
            let ran = Command::new("sh")
                .args(["-c", &shell])
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .env("API_KEY", "x")
                .output()
                .expect("sh");
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(
                !said.contains("error:") && !said.contains("Usage"),
                "{line}: {said}"
            );
        }
    }
}

#[test]
fn completions_are_there_for_every_shell() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = folder.run(&format!("completions {shell}")).exits(0).text();
        assert!(
            script.contains("settled") && script.contains("retry-after-max"),
            "{shell}"
        );
        folder.file(shell, script);
    }
    let check = Command::new("bash")
        .args(["-n", "bash"])
        .current_dir(folder.path())
        .status();
    assert!(check.is_ok_and(|status| status.success()));
    for shell in ["zsh", "fish"] {
        // Where there is such a shell.
        if let Ok(status) = Command::new(shell)
            .args(["-n", shell])
            .current_dir(folder.path())
            .status()
        {
            assert!(status.success(), "{shell}");
        }
    }
    folder.run("completions tcsh").exits(2).says("bash");
}

#[test]
fn the_manual_page_renders_without_a_warning() {
    let folder = Folder::new();
    let page = folder.run("man").exits(0).text();
    folder.file("settled.1", &page);
    for flag in ["retry\\-after\\-max", "idempotency\\-key", "shell"] {
        assert!(page.contains(flag), "{flag}");
    }
    let groff = Command::new("groff")
        .args(["-man", "-Kutf8", "-Tutf8", "-ww", "settled.1"])
        .current_dir(folder.path())
        .output();
    if let Ok(groff) = groff {
        assert!(groff.status.success() && !groff.stdout.is_empty());
        assert_eq!(String::from_utf8_lossy(&groff.stderr), "");
    }
}

/// The long flags of a text.
fn long_flags(text: &str) -> BTreeSet<String> {
    let mut flags = BTreeSet::new();
    for (at, _) in text.match_indices("--") {
        let before = text[..at].chars().next_back();
        let name: String = text[at + 2..]
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect();
        let starts = before.is_none_or(|c| !c.is_alphanumeric() && c != '-');
        if starts && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            flags.insert(format!("--{}", name.trim_end_matches('-')));
        }
    }
    flags
}

/// The flags that the binary takes: those at the start of a line of its help.
fn flags_of(command: &str) -> BTreeSet<String> {
    let help = help(command);
    let starts = help
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'));
    starts
        .filter_map(|line| {
            long_flags(line.split("  ").next().unwrap_or(line))
                .into_iter()
                .next()
        })
        .collect()
}

#[test]
fn every_flag_is_documented_and_every_documented_flag_is_there() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md"))
        .expect("docs/cli.md");
    let commands = help("");
    let commands = commands
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let mut known = flags_of("");
    for line in commands {
        // A description may go on in the next line.
        let Some(command) = line
            .strip_prefix("  ")
            .filter(|rest| !rest.starts_with(' '))
        else {
            continue;
        };
        let command = command.split_whitespace().next().expect("a command");
        assert!(
            docs.contains(&format!("`settled {command}")) || command == "help",
            "docs/cli.md has nothing of {command}"
        );
        if command != "help" {
            known.extend(flags_of(command));
        }
    }
    assert!(known.len() > 50, "{known:?}");
    let documented = long_flags(&docs);
    let missing: Vec<_> = known.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/cli.md does not have {missing:?}");
    // Aliases, and flags of the other programs in the examples.
    let foreign = ["--arg-file", "--release", "--"];
    let unknown: Vec<_> = documented
        .difference(&known)
        .filter(|flag| !foreign.contains(&flag.as_str()))
        .collect();
    assert!(
        unknown.is_empty(),
        "docs/cli.md has {unknown:?}, which settled has not"
    );
}
