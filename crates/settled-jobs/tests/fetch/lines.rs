//! Lines of the list: what they are read as, and what is said of those that can't be.

use std::time::Duration;

use settled_jobs::{ErrorKind, Id, Input, Line, Work};

use crate::rig::Rig;

/// (line, kind, what the message says)
const BAD: &[(&str, ErrorKind, &str)] = &[
    ("not a url", ErrorKind::Url, "relative URL"),
    ("/path", ErrorKind::Url, "relative URL"),
    (
        "ftp://a.example/",
        ErrorKind::Url,
        "only http and https are possible, not \"ftp\"",
    ),
    ("file:///etc/passwd", ErrorKind::Url, "only http and https"),
    ("http://", ErrorKind::Url, "empty host"),
    ("http://a:99999/", ErrorKind::Url, "invalid port"),
    ("http://a:0/", ErrorKind::Url, "port 0"),
    ("http://[::1/", ErrorKind::Url, "invalid IPv6 address"),
    ("http://256.1.1.1/", ErrorKind::Url, "invalid IPv4 address"),
    ("{", ErrorKind::Input, "no JSON object: EOF"),
    ("{}", ErrorKind::Input, "there is no \"url\""),
    (
        r#"{"url": 7}"#,
        ErrorKind::Input,
        "\"url\" has to be a string",
    ),
    (
        r#"{"url": "http://a/", "ur1": 1}"#,
        ErrorKind::Input,
        "unknown member \"ur1\"",
    ),
    (
        r#"{"url": "http://a/", "url": "http://b/"}"#,
        ErrorKind::Input,
        "member \"url\" stands there twice",
    ),
    (
        r#"{"url": "http://a/", "method": "B AD"}"#,
        ErrorKind::Input,
        "\"method\" can't be \"B AD\"",
    ),
    (
        r#"{"url": "http://a/", "method": "connect"}"#,
        ErrorKind::Input,
        "\"method\" can't be",
    ),
    (
        r#"{"url": "http://a/", "headers": ["a"]}"#,
        ErrorKind::Input,
        "\"headers\" has to be an object of strings",
    ),
    (
        r#"{"url": "http://a/", "headers": {"a": 1}}"#,
        ErrorKind::Input,
        "header \"a\" has to be a string",
    ),
    (
        r#"{"url": "http://a/", "headers": {"a b": "1"}}"#,
        ErrorKind::Input,
        "\"a b\" is no header name",
    ),
    (
        r#"{"url": "http://a/", "headers": {"a": "x\r\ny: z"}}"#,
        ErrorKind::Input,
        "the value of header a",
    ),
    (
        r#"{"url": "http://a/", "headers": {"Content-Length": "5"}}"#,
        ErrorKind::Input,
        "Content-Length can't be set",
    ),
    (
        r#"{"url": "http://a/", "query": "a=b"}"#,
        ErrorKind::Input,
        "\"query\" has to be an object",
    ),
    (
        r#"{"url": "http://a/", "query": {"a": {}}}"#,
        ErrorKind::Input,
        "\"query\": \"a\" has to be a string",
    ),
    (
        r#"{"url": "http://a/", "timeout": -1}"#,
        ErrorKind::Input,
        "\"timeout\" has to be",
    ),
    (
        r#"{"url": "http://a/", "timeout": 0}"#,
        ErrorKind::Input,
        "\"timeout\" has to be",
    ),
    (
        r#"{"url": "http://a/", "timeout": "soon"}"#,
        ErrorKind::Input,
        "\"timeout\" has to be",
    ),
    (
        r#"{"url": "http://a/", "body": "x", "json": 1}"#,
        ErrorKind::Input,
        "exclude each other",
    ),
    (
        r#"{"url": "http://a/", "body_file": 1}"#,
        ErrorKind::Input,
        "\"body_file\" has to be a string",
    ),
    (
        r#"{"url": "http://a/", "id": 1.5}"#,
        ErrorKind::Input,
        "\"id\" has to be",
    ),
    (
        r#"{"url": "http://a/", "id": ""}"#,
        ErrorKind::Input,
        "\"id\" has to be",
    ),
    (
        r#"{"url": "http://a/", "id": "x", "custom_id": "y"}"#,
        ErrorKind::Input,
        "exclude each other",
    ),
];

#[test]
fn a_bad_line_is_told_what_is_wrong_with_it() {
    let rig = runtime(Rig::new);
    for (line, kind, message) in BAD {
        let failure = rig.job(line).expect_err(line);
        assert_eq!(
            (failure.kind, failure.retry),
            (*kind, false),
            "{line}: {failure:?}"
        );
        assert!(failure.message.contains(message), "{line}: {failure:?}");
    }
    let failure = rig
        .work
        .decode(Line {
            seq: 1,
            bytes: b"http://a/\xff",
            json: false,
        })
        .expect_err("no UTF-8");
    assert_eq!(failure.kind, ErrorKind::Url);
}

/// (line, host and port)
const GOOD: &[(&str, &str)] = &[
    ("http://127.0.0.1:8089/i/1", "127.0.0.1:8089"),
    ("http://a.example/x", "a.example:80"),
    ("https://a.example/x", "a.example:443"),
    ("HTTP://A.Example:80", "a.example:80"),
    ("https://a.example:443/x", "a.example:443"),
    ("  http://a.example/ with spaces ", "a.example:80"),
    ("http://bücher.example/ä?ö#ü", "xn--bcher-kva.example:80"),
    ("http://[::1]:81/", "[::1]:81"),
    ("http://[2001:DB8::1]/", "[2001:db8::1]:80"),
    ("http://0x7f.1/", "127.0.0.1:80"),
    ("http://user:pass@h.example/", "h.example:80"),
    (
        r#"{"url": "https://a.example/", "timeout": "1m 30s"}"#,
        "a.example:443",
    ),
];

#[test]
fn a_good_line_has_a_host() {
    let rig = runtime(Rig::new);
    for (line, host) in GOOD {
        let job = rig
            .job(line)
            .unwrap_or_else(|failure| panic!("{line}: {failure:?}"));
        assert_eq!(rig.work.host(&job.spec), Some(*host), "{line}");
    }
}

#[test]
fn the_members_of_a_line_are_read() {
    let rig = runtime(Rig::new);
    let line = r#"{"id": 42, "url": "http://a.example/x?a=1#f", "query": {"q": "ä b&c", "n": [1, true]}, "timeout": 2.5, "meta": {"k": [1.0]}}"#;
    let job = rig.job(line).expect("a job");
    assert_eq!(
        (job.seq, &job.id, job.timeout),
        (7, &Id::Own("42".into()), Some(Duration::from_millis(2500)))
    );
    assert_eq!(job.meta.expect("meta").get(), r#"{"k": [1.0]}"#);
    assert_eq!(
        shown(&job.input),
        "http://a.example/x?a=1&q=%C3%A4+b%26c&n=1&n=true"
    );
    let job = rig.job("http://user:pass@a.example/x").expect("a job");
    assert_eq!(
        (&job.id, shown(&job.input)),
        (&Id::Line, "http://***@a.example/x")
    );
}

#[test]
fn the_key_is_of_what_is_asked_for() {
    let rig = runtime(Rig::new);
    let key = |line: &str| rig.job(line).expect("a job").key;
    let one = key(r#"{"id": 1, "url": "http://a/", "body": {"a b": [1, "\" x"]}}"#);
    assert_eq!(
        one,
        key(r#"{ "body" : {"a b":[1,"\" x"]} , "url":"http://a/", "meta": {}, "id": 2}"#)
    );
    assert_ne!(
        one,
        key(r#"{"id": 1, "url": "http://a/", "body": {"a b": [1, "\"x"]}}"#)
    );
    assert_ne!(
        one,
        key(r#"{"id": 1, "url": "http://a/", "json": {"a b": [1, "\" x"]}}"#)
    );
    assert_ne!(
        key(r#"{"url": "http://a/", "json": 12345678901234567890123}"#),
        key(r#"{"url": "http://a/", "json": 12345678901234567890124}"#)
    );
    assert_ne!(key("http://a/"), key("http://b/"));
}

#[test]
fn status_sets_are_read_and_written() {
    use settled_jobs::fetch::StatusSet;
    let set: StatusSet = " 404, 200-204 ,201, 999".parse().expect("statuses");
    assert_eq!(set.to_string(), "200-204,404,999");
    assert!(
        set.contains(200) && !set.contains(205) && !set.contains(1000) && !set.contains(u16::MAX)
    );
    for (text, part) in [
        ("", "\"\""),
        ("200,", "\"\""),
        ("2xx", "\"2xx\""),
        ("99", "\"99\""),
        ("300-200", "\"300-200\""),
        ("200-", "\"200-\""),
        ("1000", "\"1000\""),
    ] {
        let error = text.parse::<StatusSet>().expect_err(text);
        assert!(error.to_string().contains(part), "{error}");
    }
}

fn shown(input: &Input) -> &str {
    match input {
        Input::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

/// A core needs a runtime to be made in.
fn runtime<T>(make: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    make()
}
