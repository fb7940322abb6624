//! The outcome line: its members, outcomes and kinds of errors, for both commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::{Value, json};
use settled_testserver::tls::Authority;
use settled_testserver::{Answer, At, ClosedPort, Gate, Server};

use crate::tool::{Folder, Ran, outcomes, text};

fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// One URL, fetched without retries: its line.
fn fetch(server: &Server, target: &str, flags: &[&str]) -> Value {
    let folder = Folder::new();
    let url = server.url(target);
    folder
        .settled(["fetch", &url, "--retries", "0"].iter().chain(flags))
        .run()
        .line()
}

/// One shell command: its line.
fn run(script: &str, flags: &[&str]) -> Value {
    let folder = Folder::new();
    let shell = ["--shell", script];
    folder
        .settled(["run"].iter().chain(flags).chain(&shell))
        .stdin("x\n")
        .run()
        .line()
}

fn serve(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Server {
    Server::start_blocking(move |_| answer()).expect("a server")
}

#[test]
fn a_fulfilled_fetch_has_these_members_and_no_others() {
    let server = serve(|| Answer::ok("hello").header("x-a", "1").header("x-a", "2"));
    let line = fetch(&server, "/p", &[]);
    assert_eq!(
        members(&line),
        [
            "attempts", "id", "input", "key", "ms", "outcome", "result", "seq", "started", "v"
        ]
    );
    assert_eq!(
        (&line["v"], &line["id"], &line["seq"], &line["attempts"]),
        (&json!(1), &json!("1"), &json!(1), &json!(1))
    );
    assert_eq!(
        (&line["outcome"], &line["input"]),
        (&json!("fulfilled"), &json!(server.url("/p")))
    );
    assert!(line["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{line}");
    let started = text(&line["started"]);
    assert!(
        started.len() == "2026-11-22T18:22:01.123Z".len() && started.ends_with('Z'),
        "{started}"
    );
    assert_eq!(
        members(&line["result"]),
        ["body", "bytes", "headers", "status"]
    );
    assert_eq!(
        (
            &line["result"]["status"],
            &line["result"]["body"],
            &line["result"]["bytes"]
        ),
        (&json!(200), &json!("hello"), &json!(5))
    );
    assert_eq!(line["result"]["headers"]["x-a"], json!(["1", "2"]));
    assert_eq!(line["result"]["headers"]["content-length"], "5");
}

#[test]
fn a_fulfilled_run_has_these_members_and_no_others() {
    let line = run("echo out; echo err >&2", &[]);
    assert_eq!(
        members(&line),
        [
            "attempts", "id", "input", "key", "ms", "outcome", "result", "seq", "started", "v"
        ]
    );
    // Text verbatim, the trailing newline kept.
    assert_eq!(
        line["result"],
        json!({"exit": 0, "stdout": "out\n", "stderr": "err\n"})
    );
    assert_eq!(run("printf x", &[])["result"]["stdout"], "x");
    assert_eq!(
        run("printf '\\n\\t\\033[31m\\001'", &[])["result"]["stdout"],
        "\n\t\u{1b}[31m\u{1}"
    );
}

#[test]
fn a_line_of_a_ledger_has_a_checksum_besides() {
    let folder = Folder::new();
    folder
        .settled(["run", "-o", "out", "--", "true"])
        .stdin("x\n")
        .run()
        .exits(0);
    let line = folder.ledger("out").remove(0);
    assert_eq!(text(&line["crc"]).len(), 8);
}

#[test]
fn members_stand_in_the_documented_order() {
    let folder = Folder::new();
    let server = serve(|| Answer::status(503));
    let line = json!({"url": server.url("/"), "meta": 1});
    let ran = folder
        .settled(["fetch", "--retries", "1", "--backoff", "0..0"])
        .stdin(format!("{line}\n"))
        .run()
        .exits(1);
    let text = ran.text();
    let mut at = 0;
    for member in [
        "v", "id", "seq", "key", "outcome", "attempts", "ms", "started", "input", "result",
        "error", "tries", "meta",
    ] {
        let found = text[at..].find(&format!("\"{member}\":"));
        at += found.unwrap_or_else(|| panic!("{member} is out of order: {text}"));
    }
}

#[test]
fn a_result_is_there_also_when_rejected() {
    let line = fetch(&serve(|| Answer::status(404).body("gone")), "/", &[]);
    assert_eq!(
        (
            &line["outcome"],
            &line["result"]["status"],
            &line["result"]["body"]
        ),
        (&json!("rejected"), &json!(404), &json!("gone"))
    );
    assert_eq!(
        line["error"],
        json!({"kind": "http", "status": 404, "message": "404 Not Found"})
    );
    let line = run("echo out; echo 'no such thing' >&2; exit 3", &[]);
    assert_eq!(
        (
            &line["outcome"],
            &line["result"]["exit"],
            &line["result"]["stdout"]
        ),
        (&json!("rejected"), &json!(3), &json!("out\n"))
    );
    assert_eq!(
        line["error"],
        json!({"kind": "exit", "message": "exit status 3: no such thing"})
    );
}

#[test]
fn tries_before_the_last_one_are_listed() {
    let server = Server::start_blocking(|request| match request.attempt {
        1 => Answer::ok("x").reset(At::Start),
        2 => Answer::status(503).retry_after(0),
        _ => Answer::ok("good"),
    });
    let server = server.expect("a server");
    let folder = Folder::new();
    let ran = folder
        .settled([
            "fetch",
            &server.url("/"),
            "--backoff",
            "1ms..1ms",
            "--no-proxy",
        ])
        .run()
        .exits(0);
    let line = ran.line();
    assert_eq!(
        (&line["attempts"], &line["outcome"], line.get("error")),
        (&json!(3), &json!("fulfilled"), None)
    );
    let tries = line["tries"].as_array().expect("tries");
    assert_eq!(tries.len(), 2);
    assert_eq!(members(&tries[0]), ["error", "ms", "wait_ms"]);
    assert_eq!(tries[0]["error"]["kind"], "reset");
    assert_eq!(
        tries[1]["error"],
        json!({"kind": "http", "status": 503, "message": "503 Service Unavailable", "retry_after_ms": 0})
    );
}

#[test]
fn the_final_url_after_redirects() {
    let server = Server::start_blocking(|request| match request.target.as_str() {
        "/a" => Answer::redirect(302, "/b"),
        _ => Answer::ok("there"),
    });
    let server = server.expect("a server");
    let line = fetch(&server, "/a", &[]);
    assert_eq!(
        (&line["input"], &line["result"]["url"]),
        (&json!(server.url("/a")), &json!(server.url("/b")))
    );
    assert_eq!(fetch(&server, "/b", &[])["result"].get("url"), None);
}

#[test]
fn bodies_and_streams_that_are_no_text_are_base64() {
    let line = fetch(&serve(|| Answer::ok(*b"\xff\x00")), "/", &[]);
    assert_eq!(
        members(&line["result"]),
        ["body_base64", "bytes", "headers", "status"]
    );
    assert_eq!(
        (&line["result"]["body_base64"], &line["result"]["bytes"]),
        (&json!("/wA="), &json!(2))
    );
    let line = run("printf '\\377'; printf '\\376' >&2", &[]);
    assert_eq!(
        line["result"],
        json!({"exit": 0, "stdout_base64": "/w==", "stderr_base64": "/g=="})
    );
}

#[test]
fn what_is_not_kept_is_left_out() {
    let server = serve(|| Answer::ok("hello"));
    assert_eq!(
        members(&fetch(&server, "/", &["--keep", "body"])["result"]),
        ["body", "bytes", "status"]
    );
    assert_eq!(
        members(&fetch(&server, "/", &["--keep", "headers"])["result"]),
        ["bytes", "headers", "status"]
    );
    assert_eq!(
        members(&fetch(&server, "/", &["--keep", "none"])["result"]),
        ["bytes", "status"]
    );
    assert_eq!(
        members(&run("echo x", &["--keep", "stdout"])["result"]),
        ["exit", "stdout"]
    );
    assert_eq!(
        members(&run("echo x", &["--keep", "stderr"])["result"]),
        ["exit", "stderr"]
    );
    assert_eq!(
        members(&run("echo x", &["--keep", "none"])["result"]),
        ["exit"]
    );
}

/// The outcome and the kind of a line, and that of no result where there can be none.
#[track_caller]
fn is(line: &Value, outcome: &str, kind: &str) {
    assert_eq!(
        (&line["outcome"], &line["error"]["kind"]),
        (&json!(outcome), &json!(kind)),
        "{line}"
    );
    assert!(!text(&line["error"]["message"]).is_empty());
    assert_eq!(line.get("final"), None);
}

#[test]
fn kinds_input_url_and_duplicate_id() {
    let folder = Folder::new();
    let server = serve(|| Answer::ok("x"));
    let url = server.url("/");
    let list = format!(
        "{{\"id\":\"a\",\"url\":\"{url}\"}}\n{{\"id\":\"a\",\"url\":\"{url}\"}}\n{{\"url\":\"ftp://a\"}}\n{{\"nothing\":1}}\n"
    );
    let lines = folder.settled(["fetch"]).stdin(list).run().exits(1).lines();
    is(&lines[1], "rejected", "duplicate_id");
    is(&lines[2], "rejected", "url");
    is(&lines[3], "rejected", "input");
    assert!(
        lines[1..]
            .iter()
            .all(|line| line["attempts"] == 0 && line.get("result").is_none())
    );
}

#[test]
fn kinds_dns_and_connect() {
    let folder = Folder::new();
    // RFC 6761: such a name never resolves.
    let line = folder
        .settled([
            "fetch",
            "http://name.invalid/",
            "--retries",
            "0",
            "--no-proxy",
        ])
        .run()
        .exits(1)
        .line();
    is(&line, "rejected", "dns");
    let closed = ClosedPort::new().expect("a port");
    let url = format!("http://{}/", closed.addr());
    let line = folder
        .settled(["fetch", &url, "--retries", "0"])
        .run()
        .exits(1)
        .line();
    is(&line, "rejected", "connect");
    assert_eq!((line.get("result"), &line["attempts"]), (None, &json!(1)));
    let line = folder
        .settled(["fetch", &url, "--retries", "0", "--deny-private"])
        .run()
        .exits(1)
        .line();
    is(&line, "rejected", "connect");
}

#[test]
fn kind_tls() {
    let authority = Authority::new().expect("an authority");
    let server = Server::builder()
        .tls(authority.good().expect("a certificate"))
        .start_blocking(|_| Answer::ok("safe"));
    let server = server.expect("a server");
    let folder = Folder::new();
    folder.file("ca.pem", authority.pem());
    let url = server.url("/");
    let fetch = |flags: &[&str]| {
        folder
            .settled(["fetch", &url, "--retries", "0"].iter().chain(flags))
            .run()
    };
    is(&fetch(&[]).exits(1).line(), "rejected", "tls");
    assert_eq!(
        fetch(&["--cacert", "ca.pem"]).exits(0).line()["result"]["body"],
        "safe"
    );
    let ran = fetch(&["--insecure"]).exits(0).says("--insecure");
    assert_eq!(ran.line()["result"]["body"], "safe");
}

#[test]
fn kind_timeout_is_timed_out() {
    let line = fetch(
        &serve(|| Answer::ok("x").stall(At::Start)),
        "/",
        &["--timeout", "100ms"],
    );
    is(&line, "timed_out", "timeout");
    let line = fetch(
        &serve(|| Answer::ok("xyz").stall(At::Body(1))),
        "/",
        &["--timeout", "100ms"],
    );
    is(&line, "timed_out", "timeout");
    let line = run("echo before; exec sleep 1000", &["--timeout", "300ms"]);
    is(&line, "timed_out", "timeout");
    assert_eq!(
        (&line["result"]["signal"], &line["result"]["stdout"]),
        (&json!(15), &json!("before\n"))
    );
}

#[test]
fn the_total_deadline_is_timed_out() {
    let server = serve(|| Answer::ok("x").stall(At::Start));
    let line = fetch(
        &server,
        "/",
        &["--timeout", "none", "--total-timeout", "100ms"],
    );
    is(&line, "timed_out", "timeout");
    // Also where the next try would be too late.
    let line = run(
        "exit 1",
        &[
            "--retries",
            "9",
            "--backoff",
            "1h..1h",
            "--total-timeout",
            "10s",
        ],
    );
    is(&line, "timed_out", "timeout");
    assert_eq!(line["attempts"], 1);
    assert!(
        text(&line["error"]["message"]).contains("exit status 1"),
        "{line}"
    );
}

#[test]
fn kinds_http_and_redirect() {
    is(
        &fetch(&serve(|| Answer::status(500)), "/", &[]),
        "rejected",
        "http",
    );
    is(
        &fetch(&serve(|| Answer::status(302)), "/", &[]),
        "rejected",
        "redirect",
    );
    is(
        &fetch(&serve(|| Answer::redirect(302, "/")), "/", &[]),
        "rejected",
        "redirect",
    );
    let line = fetch(
        &serve(|| Answer::redirect(302, "/x")),
        "/",
        &["--no-redirects"],
    );
    is(&line, "rejected", "http");
    assert_eq!(
        (
            &line["result"]["status"],
            &line["result"]["headers"]["location"]
        ),
        (&json!(302), &json!("/x"))
    );
}

#[test]
fn kinds_reset_protocol_and_body() {
    is(
        &fetch(&serve(|| Answer::ok("x").reset(At::Start)), "/", &[]),
        "rejected",
        "reset",
    );
    is(
        &fetch(&serve(|| Answer::ok("xyz").reset(At::Body(1))), "/", &[]),
        "rejected",
        "reset",
    );
    is(
        &fetch(&serve(|| Answer::raw("no such protocol\r\n\r\n")), "/", &[]),
        "rejected",
        "protocol",
    );
    let line = fetch(&serve(|| Answer::ok("xyz").close(At::Body(2))), "/", &[]);
    is(&line, "rejected", "body");
}

#[test]
fn kinds_too_large_and_decode() {
    is(
        &fetch(&serve(|| Answer::fill(2000)), "/", &["--max-body", "1k"]),
        "rejected",
        "too_large",
    );
    is(
        &fetch(&serve(Answer::endless), "/", &["--max-body", "1k"]),
        "rejected",
        "too_large",
    );
    assert_eq!(
        fetch(&serve(|| Answer::fill(1024)), "/", &["--max-body", "1k"])["outcome"],
        "fulfilled"
    );
    is(
        &fetch(
            &serve(|| Answer::ok("").encoded("gzip", "no gzip")),
            "/",
            &[],
        ),
        "rejected",
        "decode",
    );
    is(
        &fetch(&serve(|| Answer::ok("").encoded("snappy", "x")), "/", &[]),
        "rejected",
        "decode",
    );
}

#[test]
fn kinds_spawn_exit_and_signal() {
    let folder = Folder::new();
    let line = folder
        .settled(["run", "--", "no-such-program"])
        .stdin("x\n")
        .run()
        .exits(1)
        .line();
    is(&line, "rejected", "spawn");
    assert_eq!(line.get("result"), None);
    assert!(text(&line["error"]["message"]).contains("no-such-program"));
    is(&run("exit 255", &[]), "rejected", "exit");
    let line = run("kill -SEGV $$", &[]);
    is(&line, "rejected", "signal");
    assert_eq!(
        (&line["result"]["signal"], line["result"].get("exit")),
        (&json!(11), None)
    );
}

#[test]
fn kind_cancelled_is_cancelled_and_not_final() {
    let folder = Folder::new();
    let gate = Gate::new();
    let server =
        Server::start_blocking(move |_| Answer::ok("x").hold(At::Start, &gate)).expect("a server");
    let running = folder.settled(["fetch", &server.url("/")]).start();
    server.wait_until_blocking(|log| log.requests() == 1);
    running.signal(Signal::TERM);
    let line = running.end().line();
    assert_eq!(
        (&line["outcome"], &line["final"], &line["error"]["kind"]),
        (&json!("cancelled"), &json!(false), &json!("cancelled"))
    );
}

#[test]
fn kind_io() {
    let folder = Folder::new();
    let server = serve(|| Answer::ok("x"));
    let list = format!(
        "{}\n",
        json!({"url": server.url("/"), "body_file": "missing"})
    );
    is(
        &folder.settled(["fetch"]).stdin(list).run().exits(1).line(),
        "rejected",
        "io",
    );
    assert_eq!(server.log().requests(), 0);
    // A result that can't be saved.
    fs::create_dir_all(folder.join("dir/1.stdout/in-the-way")).expect("a folder");
    let args = ["run", "--save-dir", "dir", "--inline", "1", "--", "echo"];
    let line = folder.settled(args).stdin("xyz\n").run().exits(1).line();
    is(&line, "rejected", "io");
}

#[test]
fn volatile_members_are_left_out_rather_than_null() {
    let nulls = |line: &Value| line.to_string().matches(":null").count();
    assert_eq!(nulls(&run("exit 1", &[])), 0);
    assert_eq!(
        nulls(&fetch(
            &serve(|| Answer::ok("x").reset(At::Start)),
            "/",
            &[]
        )),
        0
    );
    // A `meta` of null is the job's own.
    let folder = Folder::new();
    let ran = folder
        .settled(["run", "--", "true"])
        .stdin("{\"input\":\"a\",\"meta\":null}\n")
        .run();
    assert_eq!(nulls(&ran.exits(0).line()), 0);
}

fn mode(folder: &Folder, name: &str) -> u32 {
    fs::metadata(folder.join(name))
        .expect("a file")
        .permissions()
        .mode()
        & 0o777
}

#[test]
fn files_are_for_their_owners_eyes_only() {
    let folder = Folder::new();
    folder.file("list", "a\nb\n");
    let args = "run -i list -o out --save-dir dir --inline 1 -- echo aaaa";
    let mut tool = folder.settled([
        "-c",
        &format!("umask 000; exec '{}' {args}", env!("CARGO_BIN_EXE_settled")),
    ]);
    let mut shell = std::process::Command::new("sh");
    shell
        .args(tool.command.get_args())
        .current_dir(folder.path());
    tool.command = shell;
    tool.run().exits(0);
    assert_eq!(
        (mode(&folder, "out"), mode(&folder, "dir/1.stdout")),
        (0o600, 0o600)
    );
    // What --repair makes as well.
    let ledger = folder
        .read("out")
        .replacen("\"attempts\":1", "\"attempts\":2", 1);
    folder.file("out", ledger);
    folder
        .settled(
            args.split(' ')
                .take(5)
                .chain(["--repair"])
                .chain(args.split(' ').skip(5)),
        )
        .run()
        .exits(0);
    assert_eq!(
        (mode(&folder, "out"), mode(&folder, "out.damaged")),
        (0o600, 0o600)
    );
}

/// Everything that a run leaves behind or shows.
fn traces(folder: &Folder, ran: &Ran) -> String {
    let report = folder.run("report out");
    let latest = folder.run("report --latest out");
    format!(
        "{}{}{}{}{}{}",
        folder.read("out"),
        ran.stderr,
        ran.text(),
        report.text(),
        report.stderr,
        latest.text()
    )
}

#[test]
fn secrets_occur_nowhere() {
    const SECRET: &str = "s3cr3t-t0ken";
    let folder = Folder::new();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start_blocking(move |request| match request.target.as_str() {
        "/held" => Answer::ok("x").hold(At::Start, &held),
        "/fails" => Answer::status(500),
        "/reset" => Answer::ok("x").reset(At::Start),
        "/away" => Answer::redirect(302, "/there"),
        _ => Answer::ok("x"),
    });
    let server = server.expect("a server");
    let host = server.addr();
    folder.file(
        "headers",
        format!("X-Api-Key: {SECRET}\nCookie: {SECRET}\n"),
    );
    let mut list = String::new();
    for target in ["/held", "/fails", "/reset", "/away", "/ok"] {
        list += &format!("{{\"url\":\"http://user:{SECRET}@{host}{target}\"}}\n");
    }
    // Lines that are no job, too.
    list += &format!(
        "{{\"url\":\"http://user:{SECRET}@{host}:99999/\"}}\n{{\"url\":\"http://{SECRET}@{host}/\",\"x\":1}}\n"
    );
    folder.file("list", list);
    let args = format!(
        "fetch -i list -o out --bearer-env API_TOKEN --header-file headers --retries 1 --backoff 0..0 --base-url http://{host}/ --progress json -j 1"
    );
    let running = folder
        .settled(args.split(' '))
        .env("API_TOKEN", SECRET)
        .start();
    server.wait_until_blocking(|log| log.requests() == 1);
    let cmdline =
        fs::read_to_string(format!("/proc/{}/cmdline", running.pid())).expect("its arguments");
    gate.open();
    let ran = running.end().exits(1);
    let log = server.shutdown_blocking();
    let first = &log.exchanges[0].request;
    assert_eq!(
        (first.header("x-api-key"), first.header("cookie")),
        (Some(SECRET), Some(SECRET))
    );
    let all = traces(&folder, &ran) + &cmdline;
    assert!(
        outcomes(&folder.read("out")).len() == 7
            && all.contains("X-Api-Key") | all.contains("x-api-key")
    );
    assert!(!all.contains(SECRET), "{all}");
}

#[test]
fn secrets_of_a_line_that_is_no_job_are_not_recorded() {
    let folder = Folder::new();
    let secret = "s3cr3t-t0ken";
    let list = [
        json!({"id": "a", "url": "http://a/", "headers": {"Authorization": secret}, "wrong": 1}),
        json!({"id": "b", "url": "http://a/", "body": secret, "json": secret}),
        json!({"id": "c", "url": "ftp://a/", "headers": {"Authorization": secret}}),
    ];
    let list: String = list.iter().map(|line| format!("{line}\n")).collect();
    // Broken JSON, of which the start alone is shown.
    let broken = format!(
        "{{\"id\":\"d\",\"url\":\"http://a/\",\"headers\":{{\"Authorization\":\"{secret}\"\n"
    );
    folder.file("list", list + &broken);
    let ran = folder.run("fetch -i list -o out").exits(1);
    let all = traces(&folder, &ran);
    assert!(!all.contains(secret), "{all}");
    let mut lines = folder.ledger("out");
    // Each core writes its own: they may stand in any order.
    lines.sort_by_key(|line| line["seq"].as_u64());
    assert_eq!(lines[0]["input"], "{\"id\":\"a\",\"url\":\"http://a/\"}");
    assert!(text(&lines[3]["input"]).starts_with("{\"id\":\"d\""));

    // What a command is given apart from its arguments is never shown.
    let list = [
        json!({"id": "a", "args": ["x"], "env": {"TOKEN": secret}, "stdin": secret}),
        json!({"id": "b", "args": ["x"], "env": {"TOKEN": secret}, "stdin": secret, "wrong": 1}),
    ];
    let list: String = list.iter().map(|line| format!("{line}\n")).collect();
    folder.file("list", list);
    let ran = folder
        .run("run -i list -o out --overwrite -- true")
        .exits(1);
    let all = traces(&folder, &ran);
    assert!(!all.contains(secret), "{all}");
}

#[test]
fn a_plain_line_with_a_password_is_redacted_too() {
    let folder = Folder::new();
    let server = serve(|| Answer::status(404));
    let host = server.addr();
    folder.file(
        "list",
        format!(
            "http://me:pa55word@{host}/a\nhttp://me:pa55word@{host}:1/\nhttp://me:pa55word@[/\n"
        ),
    );
    let ran = folder.run("fetch -i list -o out --retries 0").exits(1);
    let all = traces(&folder, &ran);
    assert!(!all.contains("pa55word"), "{all}");
    assert!(folder.read("out").contains(&format!("http://***@{host}/a")));
    assert!(
        server.log().exchanges[0]
            .request
            .header("authorization")
            .is_some_and(|value| value.starts_with("Basic "))
    );
}

#[test]
fn a_secret_that_is_missing_or_wrong_is_said_without_showing_it() {
    let folder = Folder::new();
    folder
        .run("fetch --bearer-env NOT_SET_AT_ALL http://a/")
        .exits(2)
        .says("NOT_SET_AT_ALL");
    folder.file("headers", "X-Fine: 1\nn0t a header pa55word\n");
    folder
        .run("fetch --header-file headers http://a/")
        .exits(2)
        .says("line 2")
        .keeps_silent_about("pa55word");
    let ran = folder
        .settled(["fetch", "--bearer-env", "T", "http://a/"])
        .env("T", "pa55\nword")
        .run();
    ran.exits(2).keeps_silent_about("pa55");
}
