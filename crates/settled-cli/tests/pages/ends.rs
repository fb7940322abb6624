//! How it ends, and what it says then.

use rustix::process::Signal;
use settled_testserver::{Answer, At, Gate};

use crate::tool::{command, end, kill, list, page, serve, settled};

#[test]
fn a_page_that_fails_for_good_leaves_what_was_written_and_says_how_to_go_on() {
    let server = serve(|request| match page(request) {
        3 => Answer::status(503),
        _ => list(request, 9),
    });
    let url = server.url("/list").replace("://", "://me:s3cret@");
    let ran = settled(&url, "--items /data --retries 1").exits(1);
    assert_eq!(ran.out, "{\"n\":1}\n{\"n\":2}\n");
    let shown = server.url("/list?page=3").replace("://", "://***@");
    let ran = ran
        .says(&format!(
            "settled: page 3 ({shown}): 503 Service Unavailable, at the last of 2 tries"
        ))
        .says(&format!(
            "2 pages (2 items) were written and stay; to go on, give the same command with this URL: {shown}"
        ));
    assert!(!ran.err.contains("s3cret"));
}

#[test]
fn what_does_not_fit_says_what_would() {
    let server = serve(|request| list(request, 2));
    settled(&server.url("/"), "")
        .exits(1)
        .says("the page itself is no array of items, but an object; there is: /data (an array of 1), /hasMore")
        .says("--items says where");
    settled(&server.url("/"), "--items /data --more /more")
        .exits(1)
        .says("there is nothing at /more; there is: /data");
    let slip = settled(&server.url("/"), "--items /data --cursor /nxt").exits(0);
    slip.says("the first page has nothing at --cursor /nxt");
    settled(&server.url("/"), "--items data").exits(2);
    settled(&server.url("/"), "--page-param p --cursor /next").exits(2);
    settled("items", "").exits(2).says("the first page's URL");
    let bare = serve(|_| Answer::json("[1]"));
    settled(&bare.url("/"), "")
        .exits(0)
        .says("it was taken for all");
}

#[test]
fn a_circle_is_an_error() {
    let server = serve(|_| Answer::page(&["1"], Some("/?page=2")));
    let ran = settled(&server.url("/"), "--items /data").exits(1);
    let ran = ran.says(&format!(
        "its next page is page 2 again ({})",
        server.url("/?page=2")
    ));
    assert_eq!(ran.out, "1\n1\n");
}

#[test]
fn a_limit_is_no_failure_and_is_said() {
    let server = serve(|request| list(request, 9));
    let ran = settled(&server.url("/"), "--items /data --max-pages 2").exits(0);
    let next = server.url("/?page=3");
    let ran = ran.says(&format!(
        "stopped by --max-pages; to go on, give the same command with this URL: {next}"
    ));
    assert_eq!(ran.out, "{\"n\":1}\n{\"n\":2}\n");
    assert_eq!(server.shutdown_blocking().requests(), 2);
}

#[test]
fn ctrl_c_stops_at_once_and_says_after_which_page() {
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM")] {
        let never = Gate::new();
        let server = serve(move |request| match page(request) {
            3 => list(request, 9).hold(At::Body(1), &never),
            _ => list(request, 9),
        });
        // Without a prefetch the third page is asked for when the second one is written.
        let child = command(&server.url("/"), "--items /data --prefetch 0").spawn();
        let child = child.expect("it starts");
        server.wait_until_blocking(|log| log.requests() >= 3);
        kill(&child, signal);
        let ran = end(child).ends_by(signal);
        assert_eq!(ran.out, "{\"n\":1}\n{\"n\":2}\n");
        let next = server.url("/?page=3");
        ran.says(&format!(
            "{name}: stopped after page 2; to go on, give the same command with this URL: {next}"
        ));
        assert_eq!(server.shutdown_blocking().requests(), 3);
    }
}

#[test]
fn tries_and_secrets_are_as_fetch_has_them() {
    let server = serve(|request| {
        assert_eq!(request.header("authorization"), Some("Bearer t0ken"));
        assert_eq!(request.header("x-team"), Some("blue"));
        match request.attempt {
            1 => Answer::status(429).retry_after(0),
            2 => list(request, 2).reset(At::Body(3)),
            _ => list(request, 2),
        }
    });
    let mut command = command(
        &server.url("/"),
        "--items /data --bearer-env TOKEN -H X-Team:blue",
    );
    let child = command.env("TOKEN", "t0ken").spawn().expect("it starts");
    let ran = end(child).exits(0).says("6 requests, 4 retries");
    assert_eq!(ran.out, "{\"n\":1}\n{\"n\":2}\n");
}
