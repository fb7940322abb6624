//! The template of `run`, through the binary.

use serde_json::json;

use crate::tool::{Folder, Ran, text};

/// Prints its arguments, each between brackets.
const SHOW: &str = "for a in \"$@\"; do printf '[%s]' \"$a\"; done";

/// What a template makes of a list: what its command prints, line by line.
fn made(list: &str, before: &[&str], template: &[&str]) -> Vec<String> {
    let ran = ran(list, before, template).exits(0);
    ran.lines()
        .iter()
        .map(|line| text(&line["result"]["stdout"]))
        .collect()
}

fn ran(list: &str, before: &[&str], template: &[&str]) -> Ran {
    let folder = Folder::new();
    let script = folder
        .file("show", SHOW)
        .into_os_string()
        .into_string()
        .expect("a path");
    let mut args = vec!["run"];
    args.extend(before);
    args.extend(["--", "sh", &script]);
    args.extend(template);
    folder.settled(args).stdin(list).run()
}

#[test]
fn the_line() {
    assert_eq!(made("a\n", &[], &["{}", "x{}y{}"]), ["[a][xaya]"]);
}

#[test]
fn one_argument_stays_one_argument() {
    assert_eq!(
        made("a b  'c' \"d\" $HOME * ;|&\n", &[], &["{}"]),
        ["[a b  'c' \"d\" $HOME * ;|&]"]
    );
    assert_eq!(made("-x\n--y=\n", &[], &["{}"]), ["[-x]", "[--y=]"]);
}

#[test]
fn columns() {
    assert_eq!(
        made("a\tb c\t\n", &[], &["{2}", "{1}", "<{3}>"]),
        ["[b c][a][<>]"]
    );
    assert_eq!(made("a,b,c\n", &["--sep", ","], &["{3}{1}"]), ["[ca]"]);
    assert_eq!(made("a::b\n", &["--sep", "::"], &["{2}"]), ["[b]"]);
}

#[test]
fn a_column_that_is_not_there_rejects_that_line_alone() {
    let ran = ran("a\tb\na\n", &[], &["{2}"]).exits(1);
    let lines = ran.lines();
    assert_eq!(lines[0]["outcome"], "fulfilled");
    assert_eq!(
        (&lines[1]["outcome"], &lines[1]["error"]["kind"]),
        (&json!("rejected"), &json!("input"))
    );
    assert!(text(&lines[1]["error"]["message"]).contains("{2}"));
}

#[test]
fn json_values() {
    let line =
        r#"{"id":"i","input":"x","meta":{"a":[{"b":"c d"}],"n":1.50,"t":true,"e/~":"slash"}}"#;
    let shown = made(
        line,
        &[],
        &[
            "{/meta/a/0/b}",
            "{/meta/n}",
            "{/meta/t}",
            "{/meta/a}",
            "{/meta/e~1~0}",
            "{/input}",
        ],
    );
    assert_eq!(shown, [r#"[c d][1.50][true][[{"b":"c d"}]][slash][x]"#]);
    // A pointer makes members of any name known.
    assert_eq!(
        made(r#"{"file":"a b.png"}"#, &[], &["{/file}"]),
        ["[a b.png]"]
    );
}

#[test]
fn the_sequence_number_and_the_id() {
    assert_eq!(made("a\n\nb\n", &[], &["{#}:{id}"]), ["[1:1]", "[3:3]"]);
    let list = "{\"id\":\"first one\",\"input\":\"x\"}\n{\"input\":\"y\"}\n";
    assert_eq!(made(list, &[], &["{#}:{id}"]), ["[1:first one]", "[2:2]"]);
}

#[test]
fn a_doubled_brace_is_a_brace_and_other_braces_are_text() {
    assert_eq!(
        made("a\n", &[], &["{{}", "{{1}", "{a,b}", "{print $1}", "{}"]),
        ["[{}][{1}][{a,b}][{print $1}][a]"]
    );
}

#[test]
fn without_a_placeholder_the_input_is_appended() {
    assert_eq!(made("a b\n", &[], &["x"]), ["[x][a b]"]);
    assert_eq!(
        made(r#"{"args":["a b","",1,true]}"#, &[], &["x"]),
        ["[x][a b][][1][true]"]
    );
    assert_eq!(made("a,b\n", &["--sep", ","], &[]), ["[a][b]"]);
}

#[test]
fn no_append_turns_that_off() {
    assert_eq!(made("a\n", &["--no-append"], &["x"]), ["[x]"]);
    assert_eq!(made(r#"{"args":["a"]}"#, &["--no-append"], &["x"]), ["[x]"]);
}

#[test]
fn args_of_a_json_line_are_columns_too() {
    assert_eq!(
        made(r#"{"args":["a","b c"]}"#, &[], &["{2}{1}", "{}"]),
        ["[b ca][a b c]"]
    );
}

#[test]
fn the_program_may_have_a_placeholder() {
    let folder = Folder::new();
    let ran = folder
        .settled(["run", "--", "{1}", "{2}"])
        .stdin("echo\thello\n")
        .run()
        .exits(0);
    assert_eq!(ran.line()["result"]["stdout"], "hello\n");
}

#[test]
fn a_shell_text_gets_values_as_arguments_and_never_pasted() {
    let folder = Folder::new();
    let attacks = [
        "$(touch pwned)",
        "`touch pwned`",
        "; touch pwned",
        "' ; touch pwned ; '",
        "\" ; touch pwned ; \"",
        "&& touch pwned",
        "${IFS}touch pwned",
        "{} {1} {{",
    ];
    let list = attacks.join("\n");
    let ran = folder
        .settled(["run", "--shell", "printf %s \"$1\""])
        .stdin(list)
        .run()
        .exits(0);
    let shown: Vec<_> = ran
        .lines()
        .iter()
        .map(|line| text(&line["result"]["stdout"]))
        .collect();
    assert_eq!(shown, attacks);
    assert!(!folder.join("pwned").exists());
}

#[test]
fn a_shell_text_is_passed_as_it_is() {
    let folder = Folder::new();
    let shell = |list: &str, args: &[&str]| {
        let ran = folder
            .settled(["run"].iter().chain(args))
            .stdin(list)
            .run()
            .exits(0);
        text(&ran.line()["result"]["stdout"])
    };
    assert_eq!(
        shell("x\n", &["--shell", "echo {} {1} {{ $# $1 $0"]),
        "{} {1} {{ 1 x sh\n"
    );
    assert_eq!(
        shell("a\tb\n", &["--sep", "\\t", "--shell", "echo $# $2"]),
        "2 b\n"
    );
    assert_eq!(
        shell(r#"{"args":["a b","c"]}"#, &["--shell", "echo $# $1"]),
        "2 a b\n"
    );
}

#[test]
fn no_shell_is_involved_in_a_template() {
    let folder = Folder::new();
    let ran = folder
        .settled(["run", "--", "echo", "$(id)", "{}", ";", "touch", "pwned"])
        .stdin("`id`\n")
        .run();
    assert_eq!(
        ran.exits(0).line()["result"]["stdout"],
        "$(id) `id` ; touch pwned\n"
    );
    assert!(!folder.join("pwned").exists());
}

#[test]
fn a_child_reads_dev_null_unless_the_job_gives_it_something() {
    let folder = Folder::new();
    let list =
        "{\"id\":\"none\",\"args\":[]}\n{\"id\":\"some\",\"args\":[],\"stdin\":\"given\\n\"}\n";
    let ran = folder
        .settled(["run", "-j", "1", "--shell", "cat; readlink /proc/self/fd/0"])
        .stdin(list)
        .run()
        .exits(0);
    let lines = ran.lines();
    assert_eq!(lines[0]["result"]["stdout"], "/dev/null\n");
    assert!(text(&lines[1]["result"]["stdout"]).starts_with("given\n"));
}

#[test]
fn a_child_has_default_signals_and_none_blocked() {
    let folder = Folder::new();
    let ran = folder
        .settled(["run", "--shell", "grep -E 'Sig(Blk|Ign)' /proc/self/status"])
        .stdin("a\n")
        .run();
    let shown = text(&ran.exits(0).line()["result"]["stdout"]);
    let bits = |name: &str| {
        let line = shown
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("the line");
        u64::from_str_radix(line.trim(), 16).expect("hex")
    };
    assert_eq!(bits("SigBlk:"), 0);
    assert_eq!(
        bits("SigIgn:") & 1 << (13 - 1),
        0,
        "SIGPIPE is ignored: {shown}"
    );
}
