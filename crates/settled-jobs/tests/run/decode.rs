//! What a line says, and what is said of a line that says it wrong.

use std::time::Duration;

use settled_jobs::run::{Program, Run, RunConfig, Template};
use settled_jobs::{ErrorKind, Id, Input, Key, Line, Work};

use crate::support::{config, job, line, shell, with};

fn run() -> Run {
    with(
        &RunConfig {
            append: false,
            ..config(&["p"])
        },
        Default::default(),
    )
}

fn key(bytes: &[u8]) -> Key {
    job(&run(), bytes).key
}

#[test]
fn a_plain_line_is_its_bytes() {
    let job = job(&run(), b"a line");
    assert_eq!(
        (job.seq, job.id, job.key),
        (7, Id::Line, Key::of(b"a line"))
    );
    assert!(matches!(job.input, Input::Text(text) if &*text == "a line"));
    assert!(job.timeout.is_none() && job.meta.is_none());
    let input = run()
        .decode(Line {
            seq: 1,
            bytes: b"\xff",
            json: false,
        })
        .expect("a good line")
        .input;
    assert!(matches!(input, Input::Bytes(bytes) if *bytes == [0xff]));
}

#[test]
fn a_json_line_says_it_all() {
    let job = job(
        &run(),
        br#" {"id":"x","args":["a", "b"],"timeout":1.5,"meta":{"k": [1]},"env":null}"#,
    );
    assert_eq!(job.id, Id::Own("x".into()));
    assert_eq!(job.timeout, Some(Duration::from_millis(1500)));
    assert_eq!(
        job.meta.as_ref().map(|meta| meta.get()),
        Some(r#"{"k": [1]}"#)
    );
    assert!(matches!(&job.input, Input::Json(args) if args.get() == r#"["a", "b"]"#));
    let text = crate::support::job(&run(), br#"{"id":12,"input":"i","timeout":"1m 30s"}"#);
    assert_eq!(
        (text.id, text.timeout),
        (Id::Own("12".into()), Some(Duration::from_secs(90)))
    );
    assert!(matches!(&text.input, Input::Text(input) if &**input == "i"));
}

#[test]
fn lines_are_data_where_the_template_points_into_them() {
    let template = Program::Template(Template::parse(["curl", "{/url}"]).expect("a template"));
    let run = Run::new(RunConfig::new(template)).expect("a run");
    let decode = |text: &str| crate::support::job(&run, text.as_bytes());
    let job = decode(r#"{"url":"http://a","id":7,"stars":12,"owner":{"name":"x"}}"#);
    assert_eq!(
        job.spec.args().collect::<Vec<_>>(),
        [&b"curl"[..], b"http://a"]
    );
    assert_eq!(job.id, Id::Own("7".into()));
    // What is not taken does not make it another job.
    assert_eq!(job.key, decode(r#"{"id":8,"url":"http://a"}"#).key);
    assert_ne!(job.key, decode(r#"{"id":7,"url":"http://b"}"#).key);
}

#[test]
fn a_wrong_line_names_what_is_wrong() {
    let known = "(known are id, args, input, env, cwd, stdin, timeout, meta; what is yours belongs into `meta`)";
    let cases: &[(&[u8], &str)] = &[
        (
            br#"{"arg":["a"]}"#,
            &format!("unknown member `arg` {known}"),
        ),
        (
            br#"{"agrs":null}"#,
            &format!("unknown member `agrs` {known}"),
        ),
        (br#"{"args":"a"}"#, "`args` must be a list of strings"),
        (
            br#"{"args":["a",["b"]]}"#,
            "`args[1]` must be a string, a number or true or false",
        ),
        (
            br#"{"args":[null]}"#,
            "`args[0]` must be a string, a number or true or false",
        ),
        (br#"{"input":1}"#, "`input` must be a string"),
        (
            br#"{"input":"a","args":[]}"#,
            "`args` and `input` exclude each other",
        ),
        (br#"{"input":"a","input":"b"}"#, "`input` occurs twice"),
        (br#"{"id":1.5}"#, "`id` must be a string or an integer"),
        (br#"{"id":true}"#, "`id` must be a string or an integer"),
        (br#"{"cwd":[]}"#, "`cwd` must be a string"),
        (br#"{"cwd":""}"#, "`cwd` is empty"),
        (br#"{"cwd":"a\u0000"}"#, "`cwd` has a NUL character"),
        (br#"{"stdin":{}}"#, "`stdin` must be a string"),
        (br#"{"env":[]}"#, "`env` must be an object of strings"),
        (
            br#"{"env":{"A":[]}}"#,
            "`env.A` must be a string, a number, true, false or null",
        ),
        (
            br#"{"env":{"A=B":"c"}}"#,
            "`env.A=B` is no name for a variable",
        ),
        (br#"{"env":{"A":"1","A":"2"}}"#, "`env.A` occurs twice"),
        (br#"{"env":{"A":"\u0000"}}"#, "`env.A` has a NUL character"),
        (
            br#"{"timeout":0}"#,
            "`timeout` must be seconds or a text such as \"5s\", and more than 0",
        ),
        (
            br#"{"timeout":-1}"#,
            "`timeout` must be seconds or a text such as \"5s\", and more than 0",
        ),
        (
            br#"{"timeout":"soon"}"#,
            "`timeout` must be seconds or a text such as \"5s\", and more than 0",
        ),
        (
            br#"{"timeout":1e300}"#,
            "`timeout` must be seconds or a text such as \"5s\", and more than 0",
        ),
        (
            br#"{"input":"a""#,
            "not a JSON object: EOF while parsing an object at column 12",
        ),
        (
            br#"{"input":"a"} x"#,
            "not a JSON object: trailing characters at column 15",
        ),
        (
            b"{\"input\":\"\xff\"}",
            "not a JSON object: no UTF-8 at column 11",
        ),
    ];
    for (bytes, message) in cases {
        let failure = run().decode(line(bytes)).expect_err(message);
        assert_eq!(
            (failure.kind, &*failure.message, failure.retry),
            (ErrorKind::Input, *message, false)
        );
    }
    let list = run()
        .decode(Line {
            seq: 1,
            bytes: b"[1]",
            json: true,
        })
        .expect_err("no object");
    assert_eq!(
        list.message,
        "not a JSON object: invalid type: sequence, expected an object at column 0"
    );
}

#[test]
fn the_key_is_what_the_job_asks_for() {
    let same: &[(&[u8], &[u8])] = &[
        (
            br#"{"id":"a","args":["x"],"meta":1}"#,
            br#"{"meta":2,"args" : [ "\u0078" ],"id":"b"}"#,
        ),
        (
            br#"{"env":{"A":"1","B":"2"}}"#,
            br#"{"env":{"B":"2","A":"1"}}"#,
        ),
        (br#"{"timeout":5}"#, br#"{"timeout":"5s","cwd":null}"#),
    ];
    for (one, other) in same {
        assert_eq!(key(one), key(other));
    }
    let different: [&[u8]; 11] = [
        b"{}",
        br#"{"args":["x"]}"#,
        br#"{"args":["x",""]}"#,
        br#"{"args":["","x"]}"#,
        br#"{"input":"x"}"#,
        br#"{"stdin":"x"}"#,
        br#"{"cwd":"x"}"#,
        br#"{"env":{"x":""}}"#,
        br#"{"env":{"x":null}}"#,
        br#"{"timeout":1}"#,
        b"x",
    ];
    for (position, one) in different.iter().enumerate() {
        assert!(
            different[..position]
                .iter()
                .all(|other| key(one) != key(other)),
            "{}",
            String::from_utf8_lossy(one)
        );
    }
}

#[test]
fn what_the_template_points_to_is_part_of_the_key() {
    let run = Run::new(RunConfig::new(Program::Template(
        Template::parse(["p", "{/meta/a}{/own}"]).expect("a template"),
    )));
    let run = run.expect("a run");
    let key = |text: &str| job(&run, text.as_bytes()).key;
    let first = key(r#"{"meta":{"a":1,"b":2},"own":{"x":[1, 2],"y":3}}"#);
    assert_eq!(
        first,
        key(r#"{"own":{"y":3,"x":[1,2]},"meta":{"b":2,"a":1}}"#)
    );
    assert_ne!(
        first,
        key(r#"{"meta":{"a":2,"b":2},"own":{"x":[1, 2],"y":3}}"#)
    );
    assert_ne!(
        first,
        key(r#"{"meta":{"a":1,"b":2},"own":{"x":[1, 2],"y":4}}"#)
    );
    let shown = job(&run, br#"{"meta":{"a":1},"own":2,"env":{"SECRET":"s"}}"#).input;
    assert!(matches!(shown, Input::Json(json) if json.get() == r#"{"own":2}"#));
    assert!(
        Run::new(shell("true"))
            .expect("a run")
            .decode(line(br#"{"own":1}"#))
            .is_err()
    );
}
