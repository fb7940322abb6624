//! The published schema against real output: every outcome and every kind of error that can be brought about from outside.

use std::collections::BTreeSet;

use jsonschema::Validator;
use rustix::process::Signal;
use serde_json::{Value, json};
use settled::OutcomeKind;
use settled_jobs::ErrorKind;
use settled_testserver::{Answer, At, ClosedPort, Request, Server};

use crate::tool::{Folder, text};

fn schema() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/outcome.schema.json"
    );
    let text = std::fs::read_to_string(path).expect("docs/outcome.schema.json");
    serde_json::from_str(&text).expect("JSON")
}

fn outcome_line() -> Validator {
    let schema = schema();
    assert!(
        jsonschema::meta::is_valid(&schema),
        "no schema of draft 2020-12"
    );
    jsonschema::draft202012::new(&schema).expect("a schema")
}

fn plan_line() -> Validator {
    let mut schema = schema();
    let plan = schema["$defs"]["plan_line"].take();
    jsonschema::draft202012::new(&plan).expect("a schema")
}

#[track_caller]
fn is_valid(validator: &Validator, line: &Value) {
    let errors: Vec<_> = validator
        .iter_errors(line)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{line}\n{errors:#?}");
}

#[test]
fn the_closed_lists_are_those_of_the_code() {
    let defs = &schema()["$defs"];
    let names = |list: &Value| -> Vec<String> {
        list["enum"]
            .as_array()
            .expect("a list")
            .iter()
            .map(text)
            .collect()
    };
    assert_eq!(
        names(&defs["kind"]),
        ErrorKind::ALL.map(|kind| kind.name().to_owned())
    );
    assert_eq!(
        names(&defs["outcome"]),
        OutcomeKind::ALL.map(|kind| kind.name().to_owned())
    );
}

#[test]
fn the_documents_have_every_outcome_and_every_kind() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/outcome-schema.md");
    let docs = std::fs::read_to_string(path).expect("docs/outcome-schema.md");
    for name in ErrorKind::ALL
        .map(ErrorKind::name)
        .into_iter()
        .chain(OutcomeKind::ALL.map(OutcomeKind::name))
    {
        assert!(
            docs.lines()
                .any(|line| line.starts_with(&format!("| `{name}` |"))),
            "no row for {name}"
        );
    }
}

#[test]
fn the_example_lines_of_the_documents_are_valid() {
    let (outcome, plan) = (outcome_line(), plan_line());
    let mut found = 0;
    for name in ["outcome-schema.md", "cli.md"] {
        let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
        let docs = std::fs::read_to_string(path).expect("the document");
        for line in docs
            .lines()
            .filter(|line| line.starts_with("{\"v\":1,") || line.starts_with("{\"settled\":1,"))
        {
            let value: Value =
                serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
            is_valid(
                if value.get("v").is_some() {
                    &outcome
                } else {
                    &plan
                },
                &value,
            );
            found += 1;
        }
    }
    assert!(found >= 4, "{found} examples");
}

/// Answers by the path.
fn answer(request: &Request) -> Answer {
    match request.path() {
        "/redirected" => Answer::redirect(302, "/good"),
        "/http" => Answer::status(503)
            .retry_after(0)
            .header("x", "1")
            .header("x", "2"),
        "/redirect" => Answer::status(302),
        "/reset" => Answer::ok("x").reset(At::Start),
        "/protocol" => Answer::raw("what\r\n\r\n"),
        "/body" => Answer::ok("xyz").close(At::Body(1)),
        "/too_large" => Answer::fill(200_000),
        "/decode" => Answer::ok("").encoded("gzip", "no gzip"),
        "/timeout" => Answer::ok("x").stall(At::Start),
        "/binary" => Answer::ok(*b"\xff"),
        "/long" => Answer::ok("x".repeat(2000)),
        "/held" => Answer::ok("x").stall(At::Start),
        _ => Answer::ok("good"),
    }
}

/// Lines of `fetch`: of the ledger `out`, its plan first.
fn fetched(folder: &Folder) -> Vec<Value> {
    let server = Server::start_blocking(answer).expect("a server");
    let tls = settled_testserver::tls::self_signed().expect("a certificate");
    let tls = Server::builder()
        .tls(tls)
        .start_blocking(answer)
        .expect("a server");
    let closed = ClosedPort::new().expect("a port");
    let url = |path: &str| json!({"url": server.url(path)});
    let mut list: Vec<Value> = [
        "/good",
        "/redirected",
        "/http",
        "/redirect",
        "/reset",
        "/protocol",
        "/body",
        "/too_large",
        "/decode",
        "/binary",
        "/long",
    ]
    .iter()
    .map(|path| url(path))
    .collect();
    list.push(json!({"url": server.url("/timeout"), "timeout": 0.1}));
    list.push(json!({"url": "http://name.invalid/"}));
    list.push(json!({"url": format!("http://{}/", closed.addr())}));
    list.push(json!({"url": tls.url("/")}));
    list.push(json!({"url": "ftp://a/"}));
    list.push(json!({"uurl": "a"}));
    list.push(json!({"id": "same", "url": server.url("/good"), "meta": {"any": null}}));
    list.push(json!({"id": "same", "url": server.url("/good")}));
    list.push(json!({"url": server.url("/"), "body_file": "missing"}));
    list.push(url("/held"));
    let list: String = list.iter().map(|line| format!("{line}\n")).collect();
    let args = "fetch -o out --retries 1 --backoff 0..0 --max-body 100k --inline 1000 --no-proxy --grace 0 --retry-budget off";
    let running = folder.settled(args.split(' ')).stdin(list).start();
    // All but the one that is never answered.
    crate::tool::wait_until("the other outcomes", || {
        (folder.ledger("out").len() == 20).then_some(())
    });
    running.signal(Signal::INT);
    running.end().ends_by(Signal::INT);
    all_lines(folder, "out")
}

fn all_lines(folder: &Folder, name: &str) -> Vec<Value> {
    folder
        .read(name)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Lines of `run`.
fn ran(folder: &Folder) -> Vec<Value> {
    let list = "true\nfalse\nkill -9 $$\nprintf '\\377'; printf x >&2\nyes | head -c 3000\nexec sleep 1000\n";
    folder.file("list", list);
    let args = [
        "run",
        "-i",
        "list",
        "-o",
        "out",
        "--timeout",
        "400ms",
        "--inline",
        "1000",
        "--retries",
        "1",
        "--backoff",
        "0..0",
    ];
    folder
        .settled(args.iter().chain(&["--shell", "eval \"$1\""]))
        .run()
        .exits(1);
    folder
        .settled(["run", "-o", "bytes", "--", "no-such-program"])
        .stdin(*b"\xff\n")
        .run()
        .exits(1);
    let args = [
        "run",
        "-i",
        "list",
        "-o",
        "saved",
        "--keep",
        "stdout",
        "--save-dir",
        "dir",
        "--inline",
        "10",
        "--timeout",
        "400ms",
    ];
    folder
        .settled(args.iter().chain(&["--shell", "eval \"$1\""]))
        .run()
        .exits(1);
    ["out", "bytes", "saved"]
        .iter()
        .flat_map(|name| all_lines(folder, name))
        .collect()
}

#[test]
fn real_lines_of_both_commands_are_valid_whatever_became_of_the_job() {
    let (outcome, plan) = (outcome_line(), plan_line());
    let (fetch, run) = (Folder::new(), Folder::new());
    let lines: Vec<Value> = fetched(&fetch).into_iter().chain(ran(&run)).collect();
    let (mut outcomes, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for line in &lines {
        if line.get("plan").is_some() {
            is_valid(&plan, line);
            continue;
        }
        is_valid(&outcome, line);
        outcomes.insert(text(&line["outcome"]));
        kinds.extend(line.get("error").map(|error| text(&error["kind"])));
    }
    // A panic is a defect of settled, and an abandoned command hangs inside the kernel: neither can be brought about here.
    let all = |names: &[&'static str], but: &[&str]| -> BTreeSet<String> {
        names
            .iter()
            .filter(|name| !but.contains(name))
            .map(|name| (*name).to_owned())
            .collect()
    };
    assert_eq!(
        outcomes,
        all(
            &OutcomeKind::ALL.map(OutcomeKind::name),
            &["panicked", "abandoned"]
        )
    );
    assert_eq!(kinds, all(&ErrorKind::ALL.map(ErrorKind::name), &["panic"]));
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let validator = outcome_line();
    let good = json!({"v": 1, "id": "1", "seq": 1, "key": "0".repeat(32), "outcome": "fulfilled", "attempts": 1, "ms": 1.5,
        "started": "2026-11-22T18:22:01.123Z", "input": "a", "result": {"exit": 0}});
    is_valid(&validator, &good);
    for (member, value) in [
        ("v", json!(2)),
        ("outcome", json!("done")),
        ("key", json!("short")),
        ("seq", json!(0)),
        ("ms", json!(null)),
        ("final", json!(true)),
        ("error", json!({"kind": "exit", "message": "x"})),
        ("result", json!({"exit": 0, "signal": 9})),
        ("input_base64", json!("YQ==")),
        ("surprise", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert!(!validator.is_valid(&bad), "{bad}");
    }
}
