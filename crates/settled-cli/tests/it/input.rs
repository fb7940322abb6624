//! The list: where it comes from, how its lines are read, and what is done with one that is none.

use std::os::unix::ffi::OsStrExt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use settled_testserver::{Answer, Server};

use crate::tool::{Folder, Ran, ids, text};

fn echo() -> Server {
    Server::start_blocking(Answer::echo).expect("a server")
}

/// What `echo` says about each line of a list.
fn echoed(flags: &[&str], list: impl Into<Vec<u8>>) -> (Ran, Vec<String>) {
    let folder = Folder::new();
    let args = ["run"]
        .iter()
        .chain(flags)
        .chain(&["--", "printf", "%s|", "{}"]);
    let ran = folder.settled(args).stdin(list).run();
    let shown = ran
        .lines()
        .iter()
        .filter_map(|line| Some(line["result"]["stdout"].as_str()?.to_owned()))
        .collect();
    (ran, shown)
}

#[test]
fn the_list_is_a_file_by_any_of_its_flags_or_standard_input() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    for flag in [
        "-i list",
        "--input list",
        "-a list",
        "--arg-file list",
        "--input=list",
        "-ilist",
    ] {
        assert_eq!(
            folder.run(&format!("run {flag} -- echo")).exits(0).line()["input"],
            "a",
            "{flag}"
        );
    }
    for flag in ["run -- echo", "run -i - -- echo"] {
        let ran = folder.settled(flag.split(' ')).stdin("b\n").run().exits(0);
        assert_eq!(ran.line()["input"], "b", "{flag}");
    }
}

#[test]
fn fetch_takes_urls_as_arguments_too() {
    let (folder, server) = (Folder::new(), echo());
    let (a, b) = (server.url("/a"), server.url("/b"));
    let ran = folder.settled(["fetch", &a, &b]).run().exits(0);
    let lines = ran.lines();
    assert_eq!(
        (&lines[0]["input"], &lines[1]["input"]),
        (&json!(a), &json!(b))
    );
    assert_eq!(ids(&lines), ["1", "2"]);
    folder.file("list", "x\n");
    folder
        .settled(["fetch", "-i", "list", &a])
        .run()
        .exits(2)
        .says("not from both");
}

#[test]
fn records_may_end_with_nul() {
    for flag in ["-0", "--null"] {
        let (ran, shown) = echoed(&[flag], "a\nb\0c \r\0d");
        assert_eq!(shown, ["a\nb|", "c \r|", "d|"], "{flag}");
        assert_eq!(ran.exits(0).lines().len(), 3);
    }
}

#[test]
fn auto_decides_once_by_the_first_line_that_is_not_blank() {
    let (_, shown) = echoed(&[], "\n  \n{\"input\":\"a\"}\n{\"input\":\"b\"}\n");
    assert_eq!(shown, ["a|", "b|"]);
    let (_, shown) = echoed(&[], "plain\n{\"input\":\"b\"}\n");
    assert_eq!(shown, ["plain|", "{\"input\":\"b\"}|"]);
    // Decided once: a plain line in a list of JSON is no job.
    let (ran, shown) = echoed(&[], "{\"input\":\"a\"}\nplain\n");
    assert_eq!(shown, ["a|"]);
    assert_eq!(ran.exits(1).lines()[1]["error"]["kind"], "input");
}

#[test]
fn the_format_can_be_said() {
    let (_, shown) = echoed(&["--input-format", "lines"], "{\"input\":\"a\"}\n");
    assert_eq!(shown, ["{\"input\":\"a\"}|"]);
    let (_, shown) = echoed(&["--input-format", "jsonl"], "  {\"input\":\"a\"}\n");
    assert_eq!(shown, ["a|"]);
    let (ran, _) = echoed(&["--input-format", "jsonl"], "a\n");
    assert_eq!(ran.exits(1).line()["error"]["kind"], "input");
    let (_, shown) = echoed(&["--input-format", "auto"], "a\n");
    assert_eq!(shown, ["a|"]);
}

#[test]
fn blank_lines_are_skipped_and_counted() {
    let (ran, shown) = echoed(&[], "\na\n   \n\t\nb\n\n");
    assert_eq!(shown, ["a|", "b|"]);
    let ran = ran.exits(0).says("4 blank lines");
    // They count as lines: numbers are those of the file.
    assert_eq!(ids(&ran.lines()), ["2", "5"]);
}

#[test]
fn crlf_and_a_bom_are_stripped() {
    let (_, shown) = echoed(&[], "\u{feff}a\r\nb \r\n\r\nc");
    assert_eq!(shown, ["a|", "b |", "c|"]);
    let (_, shown) = echoed(&[], "\u{feff}{\"input\":\"a\"}\r\n");
    assert_eq!(shown, ["a|"]);
    // Such a list is the same list as the one without.
    let folder = Folder::new();
    folder.file("list", "a\nb\n");
    folder.run("run -i list -o out -- echo").exits(0);
    folder.file("list", "\u{feff}a\r\nb\r\n");
    folder
        .run("run -i list -o out -- echo")
        .exits(0)
        .says("nothing to do");
}

#[test]
fn a_last_line_without_a_line_end_is_a_line() {
    let (_, shown) = echoed(&[], "a\nb");
    assert_eq!(shown, ["a|", "b|"]);
}

#[test]
fn a_line_that_is_no_job_settles_as_rejected_with_its_number_and_the_run_goes_on() {
    let list = "{\"input\":\"a\"}\n{broken\n[1]\n{\"inputt\":\"x\"}\n{\"input\":7}\n{\"id\":\"mine\",\"args\":1}\n{\"input\":\"b\"}\n";
    let (ran, shown) = echoed(&[], list);
    assert_eq!(shown, ["a|", "b|"]);
    let lines = ran.exits(1).lines();
    for line in &lines[1..6] {
        assert_eq!(
            (&line["outcome"], &line["error"]["kind"]),
            (&json!("rejected"), &json!("input")),
            "{line}"
        );
        assert_eq!(line["attempts"], 0);
        let number = format!("line {}", line["seq"]);
        assert!(
            text(&line["error"]["message"]).contains(&number),
            "no {number}: {line}"
        );
    }
    assert_eq!(ids(&lines), ["1", "2", "3", "4", "5", "mine", "7"]);
}

#[test]
fn fetch_rejects_lines_that_are_no_job_as_well() {
    let (folder, server) = (Folder::new(), echo());
    let url = server.url("/a");
    let list = format!(
        "{{\"url\":\"{url}\"}}\n{{\"urls\":1}}\n{{\"url\":7}}\n{{}}\nnothing\n{{\"url\":\"{url}\",\"body\":\"a\",\"json\":1}}\n"
    );
    let ran = folder.settled(["fetch"]).stdin(list).run().exits(1);
    let lines = ran.lines();
    assert_eq!(lines[0]["outcome"], "fulfilled");
    for line in &lines[1..] {
        assert_eq!(line["error"]["kind"], "input", "{line}");
        let number = format!("line {}", line["seq"]);
        assert!(
            text(&line["error"]["message"]).contains(&number),
            "no {number}: {line}"
        );
    }
    // A line whose URL can't be used has a kind of its own.
    let ran = folder
        .settled(["fetch"])
        .stdin("no url\nftp://a/\nhttp://\n")
        .run()
        .exits(1);
    assert!(
        ran.lines()
            .iter()
            .all(|line| line["error"]["kind"] == "url"),
        "{ran:?}"
    );
}

#[test]
fn a_line_that_is_too_long_is_rejected_and_the_run_goes_on() {
    let long = "x".repeat(100);
    let (ran, shown) = echoed(&["--max-line", "80"], format!("a\n{long}\nb\n"));
    assert_eq!(shown, ["a|", "b|"]);
    let line = ran.exits(1).lines().remove(1);
    assert_eq!(
        (&line["error"]["kind"], &line["outcome"]),
        (&json!("input"), &json!("rejected"))
    );
    let message = text(&line["error"]["message"]);
    assert!(
        message.contains("line 2") && message.contains("--max-line"),
        "{message}"
    );
    // A line of exactly the limit is one.
    let (_, shown) = echoed(&["--max-line", "100"], format!("{long}\n"));
    assert_eq!(shown, [format!("{long}|")]);
}

#[test]
fn eight_mebibytes_are_a_line_by_default() {
    let folder = Folder::new();
    let list = format!(
        "{{\"id\":\"fits\",\"args\":[],\"stdin\":\"{}\"}}\n{{\"id\":\"not\",\"args\":[],\"stdin\":\"{}\"}}\n",
        "x".repeat((8 << 20) - 100),
        "x".repeat(8 << 20)
    );
    let ran = folder
        .settled(["run", "--", "wc", "-c"])
        .stdin(list)
        .run()
        .exits(1);
    let lines = ran.lines();
    assert_eq!(
        text(&lines[0]["result"]["stdout"]).trim(),
        ((8 << 20) - 100).to_string()
    );
    assert_eq!(lines[1]["error"]["kind"], "input");
}

#[test]
fn bytes_that_are_no_text_reach_a_command_as_they_are_and_stand_as_base64() {
    let folder = Folder::new();
    let line = b"caf\xe9 \xff\xfe";
    let ran = folder
        .settled(["run", "--shell", "printf %s \"$1\" | tee bytes"])
        .stdin([&line[..], b"\n"].concat())
        .run()
        .exits(0);
    assert_eq!(
        std::fs::read(folder.join("bytes")).expect("the bytes"),
        line
    );
    let line64 = BASE64.encode(line);
    let shown = ran.line();
    assert_eq!(
        (&shown["input_base64"], shown.get("input")),
        (&json!(line64), None)
    );
    assert_eq!(
        (
            &shown["result"]["stdout_base64"],
            shown["result"].get("stdout")
        ),
        (&json!(line64), None)
    );
    // By a template as well, and in the command itself.
    let mut tool = folder.settled(["run", "--", "sh", "-c", "printf %s \"$1$2\"", "sh"]);
    tool = tool.arg(std::ffi::OsStr::from_bytes(b"\xf0{}"));
    let ran = tool.stdin([&line[..], b"\n"].concat()).run().exits(0);
    assert_eq!(
        ran.line()["result"]["stdout_base64"],
        BASE64.encode([&b"\xf0"[..], line].concat())
    );
}

#[test]
fn fetch_rejects_a_url_that_is_no_text() {
    let folder = Folder::new();
    let ran = folder
        .settled(["fetch"])
        .stdin(*b"http://a/\xff\n")
        .run()
        .exits(1);
    let line = ran.line();
    assert_eq!(
        (&line["error"]["kind"], &line["input_base64"]),
        (&json!("url"), &json!(BASE64.encode(b"http://a/\xff")))
    );
}

/// What a server saw of one JSON line.
fn asked(flags: &[&str], line: &Value) -> (Value, Value) {
    let (folder, server) = (Folder::new(), echo());
    let mut line = line.clone();
    if let Some(url) = line["url"].as_str().filter(|url| url.starts_with("SERVER")) {
        line["url"] = json!(url.replace("SERVER", &server.url("")));
    }
    let base = server.url("/base/");
    let flags: Vec<_> = flags
        .iter()
        .map(|flag| flag.replace("BASE", &base))
        .collect();
    folder.file("body", "from a file");
    let ran = folder
        .settled(["fetch".to_owned()].into_iter().chain(flags))
        .stdin(format!("{line}\n"))
        .run()
        .exits(0);
    let line = ran.line();
    (
        serde_json::from_str(&text(&line["result"]["body"])).expect("an echo"),
        line,
    )
}

fn header(echo: &Value, name: &str) -> Vec<String> {
    let headers = echo["headers"].as_array().expect("headers");
    headers
        .iter()
        .filter(|pair| {
            pair[0]
                .as_str()
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        })
        .map(|pair| text(&pair[1]))
        .collect()
}

#[test]
fn fetch_members_id_and_meta() {
    for name in ["id", "custom_id"] {
        let (_, line) = asked(
            &[],
            &json!({name: "mine", "url": "SERVER/", "meta": {"any": [1, null]}}),
        );
        assert_eq!(
            (&line["id"], &line["meta"]),
            (&json!("mine"), &json!({"any": [1, null]}))
        );
    }
    let (_, line) = asked(&[], &json!({"id": 17, "url": "SERVER/"}));
    assert_eq!(line["id"], "17");
}

#[test]
fn fetch_members_url_method_headers_and_query() {
    let (echo, _) = asked(
        &[],
        &json!({"url": "SERVER/p?a=1", "method": "put", "headers": {"X-One": "1", "X-Two": ["a", "b"]}, "query": {"q": "a b&c", "n": [1, true]}}),
    );
    assert_eq!(
        (&echo["method"], &echo["target"]),
        (&json!("PUT"), &json!("/p?a=1&n=1&n=true&q=a+b%26c"))
    );
    assert_eq!(
        (header(&echo, "x-one"), header(&echo, "x-two")),
        (vec!["1".into()], vec!["a".into(), "b".into()])
    );
}

#[test]
fn fetch_members_body_json_and_body_file() {
    let (echo, _) = asked(&[], &json!({"url": "SERVER/", "body": "plain text"}));
    assert_eq!(
        (
            &echo["method"],
            &echo["body"],
            header(&echo, "content-type").len()
        ),
        (&json!("POST"), &json!("plain text"), 0)
    );
    for name in ["body", "json"] {
        let (echo, _) = asked(&[], &json!({"url": "SERVER/", name: {"a": [1, "ü"]}}));
        assert_eq!(
            (&echo["method"], &echo["body"]),
            (&json!("POST"), &json!("{\"a\":[1,\"ü\"]}")),
            "{name}"
        );
        assert_eq!(header(&echo, "content-type"), ["application/json"]);
    }
    let (echo, _) = asked(
        &[],
        &json!({"url": "SERVER/", "body_file": "body", "method": "PUT"}),
    );
    assert_eq!(
        (&echo["method"], &echo["body"]),
        (&json!("PUT"), &json!("from a file"))
    );
}

#[test]
fn fetch_member_timeout_goes_before_the_flag() {
    let folder = Folder::new();
    let server = Server::start_blocking(|_| Answer::ok("x").stall(settled_testserver::At::Start))
        .expect("a server");
    let line = json!({"url": server.url("/"), "timeout": 0.2});
    let ran = folder
        .settled(["fetch", "--timeout", "50s", "--retries", "0"])
        .stdin(format!("{line}\n"))
        .run()
        .exits(1);
    assert_eq!(ran.line()["outcome"], "timed_out");
}

#[test]
fn relative_urls_go_with_a_base_url() {
    let (echo, line) = asked(&["--base-url", "BASE"], &json!({"url": "x?y=1"}));
    assert_eq!(echo["target"], "/base/x?y=1");
    assert!(text(&line["input"]).ends_with("/base/x?y=1"));
    let (echo, _) = asked(&["--base-url", "BASE"], &json!({"url": "/x"}));
    assert_eq!(echo["target"], "/x");
    let (folder, server) = (Folder::new(), self::echo());
    let ran = folder
        .settled([
            "fetch",
            "--base-url",
            &server.url("/v1/"),
            "a",
            "/b",
            &server.url("/c"),
        ])
        .run()
        .exits(0);
    assert_eq!(ran.lines().len(), 3);
    let mut targets: Vec<_> = server
        .log()
        .exchanges
        .iter()
        .map(|exchange| exchange.request.target.clone())
        .collect();
    targets.sort();
    assert_eq!(targets, ["/b", "/c", "/v1/a"]);
    // Without one, such a line is rejected.
    let ran = folder.settled(["fetch", "/b"]).run().exits(1);
    assert_eq!(ran.line()["error"]["kind"], "url");
}

#[test]
fn a_request_batch_file_of_a_language_model_api_is_taken_unchanged() {
    let (folder, server) = (Folder::new(), echo());
    let batch = concat!(
        r#"{"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "some-model", "messages": [{"role": "system", "content": "You are helpful."}, {"role": "user", "content": "Hello \"world\" \u00fc"}], "max_tokens": 1000, "temperature": 0.70}}"#,
        "\n",
        r#"{"custom_id": "request-2", "method": "POST", "url": "/v1/embeddings", "body": {"model": "m", "input": "x"}}"#,
        "\n",
    );
    folder.file("batch.jsonl", batch);
    let ran = folder
        .settled([
            "fetch",
            "-i",
            "batch.jsonl",
            "-o",
            "out",
            "--base-url",
            &server.url(""),
            "--bearer-env",
            "TOKEN",
        ])
        .env("TOKEN", "t0ken")
        .run();
    ran.exits(0);
    let mut lines = folder.ledger("out");
    lines.sort_by_key(|line| line["seq"].as_u64());
    assert_eq!(ids(&lines), ["request-1", "request-2"]);
    let echo: Value = serde_json::from_str(&text(&lines[0]["result"]["body"])).expect("an echo");
    assert_eq!(
        (&echo["method"], &echo["target"]),
        (&json!("POST"), &json!("/v1/chat/completions"))
    );
    assert_eq!(header(&echo, "content-type"), ["application/json"]);
    assert_eq!(header(&echo, "authorization"), ["Bearer t0ken"]);
    let line: Value = serde_json::from_str(batch.lines().next().expect("a line")).expect("JSON");
    let sent: Value = serde_json::from_str(&text(&echo["body"])).expect("JSON");
    assert_eq!(sent, line["body"]);
    assert!(
        text(&echo["body"]).contains("0.70"),
        "numbers stay as they are written"
    );
}

/// What a command prints for one JSON line.
fn printed(script: &str, line: &Value) -> Value {
    let folder = Folder::new();
    std::fs::create_dir(folder.join("sub")).expect("a folder");
    let tool = folder
        .settled(["run", "--shell", script])
        .env("KEPT", "kept")
        .env("TAKEN", "taken");
    tool.stdin(format!("{line}\n")).run().exits(0).line()
}

#[test]
fn run_members() {
    let line = printed(
        "echo $1-$2",
        &json!({"id": "mine", "args": ["a", "b"], "meta": 7}),
    );
    assert_eq!(
        (&line["id"], &line["result"]["stdout"], &line["meta"]),
        (&json!("mine"), &json!("a-b\n"), &json!(7))
    );
    assert_eq!(line["input"], json!(["a", "b"]));
    let line = printed("echo $1", &json!({"input": "x"}));
    assert_eq!(
        (&line["input"], &line["result"]["stdout"]),
        (&json!("x"), &json!("x\n"))
    );
    let line = printed(
        "echo $NEW$KEPT${TAKEN-gone}",
        &json!({"args": [], "env": {"NEW": "new", "TAKEN": null}}),
    );
    assert_eq!(line["result"]["stdout"], "newkeptgone\n");
    let line = printed(
        "basename \"$PWD\"; cat",
        &json!({"args": [], "cwd": "sub", "stdin": "given"}),
    );
    assert_eq!(line["result"]["stdout"], "sub\ngiven");
}

#[test]
fn run_member_timeout_goes_before_the_flag() {
    let folder = Folder::new();
    folder.fifo("never");
    let list = "{\"args\":[\"never\"],\"timeout\":\"200ms\"}\n";
    let ran = folder
        .settled(["run", "--timeout", "50s", "--", "cat"])
        .stdin(list)
        .run()
        .exits(1);
    assert_eq!(ran.line()["outcome"], "timed_out");
}
