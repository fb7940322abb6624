//! Which failures allow another try: by kind, by method, by what the server said.

use std::time::{Duration, SystemTime};

use settled_jobs::ErrorKind;
use settled_testserver::{Answer, At, ClosedPort, Server};

use crate::rig::{Rig, failed};

fn handler(path: &str) -> Answer {
    match path {
        "/reset" => Answer::status(200).reset(At::Start),
        "/cut-body" => Answer::ok("0123").close(At::Body(1)),
        "/stall" => Answer::status(200).stall(At::Start),
        "/to-reset-307" => Answer::redirect(307, "/reset"),
        "/to-closed-307" => Answer::redirect(307, "http://127.0.0.1:1/"),
        "/to-closed-303" => Answer::redirect(303, "http://127.0.0.1:1/"),
        status => Answer::status(status[1..].parse().expect("a status")),
    }
}

/// (path, another try for GET, for POST)
const RULES: &[(&str, bool, bool)] = &[
    ("/408", true, true),
    ("/425", true, true),
    ("/429", true, true),
    ("/500", true, false),
    ("/502", true, false),
    ("/503", true, false),
    ("/504", true, false),
    ("/400", false, false),
    ("/404", false, false),
    ("/501", false, false),
    ("/reset", true, false),
    ("/cut-body", true, false),
    ("/stall", true, false),
    ("/to-reset-307", true, false),
    // The first server did not process it and the second one never got it.
    ("/to-closed-307", true, true),
    // The first server did process it.
    ("/to-closed-303", true, false),
];

#[tokio::test]
async fn another_try_is_made_only_where_it_can_do_no_harm() {
    let server = Server::start(|request| handler(request.path()))
        .await
        .expect("a server");
    let rigs = [
        Rig::new(),
        Rig::with(|config| config.retry_unsafe = true),
        Rig::with(|config| config.idempotency_key = Some("seed".into())),
    ];
    for (path, get, post) in RULES {
        for (method, expected) in [
            ("GET", [*get; 3]),
            ("PUT", [*get; 3]),
            ("POST", [*post, *get, *get]),
            ("PATCH", [*post, *get, *get]),
        ] {
            for (rig, expected) in rigs.iter().zip(expected) {
                let line = format!(
                    r#"{{"url": "{}", "method": "{method}", "body": "x"}}"#,
                    server.url(path)
                );
                let tried = rig
                    .attempt(
                        &rig.job(&line).expect("a job"),
                        Duration::from_millis(if *path == "/stall" { 30 } else { 30_000 }),
                    )
                    .await;
                assert_eq!(
                    tried.error.as_ref().expect("a failure").retry,
                    expected,
                    "{method} {path}: {:?}",
                    tried.error
                );
            }
        }
    }
}

#[tokio::test]
async fn a_request_that_never_left_may_be_made_again() {
    let closed = ClosedPort::new().expect("a port");
    let rig = Rig::new();
    let tried = rig
        .json(&format!(
            r#"{{"url": "http://{}/", "method": "POST"}}"#,
            closed.addr()
        ))
        .await;
    assert!(failed(&tried, ErrorKind::Connect).retry);
}

#[tokio::test]
async fn the_statuses_are_the_runs_own() {
    let server = Server::start(|request| handler(request.path()))
        .await
        .expect("a server");
    let rig = Rig::with(|config| {
        config.ok_status = "404".parse().expect("statuses");
        config.retry_status = "200".parse().expect("statuses");
    });
    assert_eq!(rig.get(&server.url("/404")).await.error, None);
    assert!(failed(&rig.get(&server.url("/200")).await, ErrorKind::Http).retry);
    assert!(!failed(&rig.get(&server.url("/503")).await, ErrorKind::Http).retry);
}

#[tokio::test]
async fn retry_after_is_told_whatever_the_status() {
    let server = Server::start(|request| match request.path() {
        "/date" => {
            Answer::status(429).retry_after_date(SystemTime::now() + Duration::from_secs(100))
        }
        "/past" => {
            Answer::status(503).retry_after_date(SystemTime::now() - Duration::from_secs(100))
        }
        "/nonsense" => Answer::status(503).header("retry-after", "soon"),
        _ => Answer::status(404).retry_after(7),
    });
    let server = server.await.expect("a server");
    let rig = Rig::new();
    let mut waits = Vec::new();
    for path in ["/date", "/past", "/nonsense", "/404"] {
        waits.push(failed(&rig.get(&server.url(path)).await, ErrorKind::Http).retry_after);
    }
    let date = waits.remove(0).expect("a wait");
    assert!(
        date > Duration::from_secs(30) && date <= Duration::from_secs(100),
        "{date:?}"
    );
    assert_eq!(
        waits,
        [Some(Duration::ZERO), None, Some(Duration::from_secs(7))]
    );
}
