//! Requests that go wrong: every item exactly once, in order; a page that can't be had ends the stream and is named.

use std::time::Duration;

use settled_jobs::ErrorKind;
use settled_jobs::pages::{Cause, CursorParam, End, PagesConfig, Way};
use settled_testserver::misbehaving::{Fates, Misbehaving};
use settled_testserver::{Answer, At, ClosedPort};

use crate::rig::{all, config, serve};

/// Every second page goes wrong at first, a quarter of them twice.
fn bad_day() -> Fates {
    Fates {
        too_many: 0.0,
        internal: 0.1,
        unavailable: 0.1,
        reset: 0.15,
        cut: 0.1,
        hang_up: 0.05,
        stale: 0.1,
        slow: 0.02,
        ..Fates::none()
    }
}

fn ways(api: &Misbehaving) -> [PagesConfig; 3] {
    let by_link = config(api.url("/pages?page=1"));
    let mut by_cursor = config(api.url("/pages?cursor="));
    by_cursor.way = Way::Cursor {
        at: "/next".parse().expect("a pointer"),
        param: CursorParam::Token("cursor".into()),
    };
    let mut by_number = config(api.url("/pages"));
    by_number.way = Way::Numbers {
        param: "page".into(),
        first: None,
    };
    by_number.more = Some("/hasMore".parse().expect("a pointer"));
    by_number.prefetch = 4;
    [by_link, by_cursor, by_number]
}

#[test]
fn every_item_comes_once_and_in_order_whatever_goes_wrong() {
    const ITEMS: u64 = 397;
    let expected: Vec<_> = (1..=ITEMS)
        .map(|n| format!("{{\"id\":{n},\"name\":\"item {n}\"}}"))
        .collect();
    let mut retried = 0;
    let first = fastrand::u64(..1 << 48);
    for seed in first..first + 6 {
        for way in 0..3 {
            println!("seed {seed}, way {way}");
            let api = Misbehaving::builder(seed)
                .items(ITEMS)
                .page_size(20)
                .fates(bad_day())
                .start_blocking()
                .expect("an API");
            let [mut by_link, by_cursor, by_number] = ways(&api);
            by_link.prefetch = (seed % 3) as usize;
            let mut config = [by_link, by_cursor, by_number]
                .into_iter()
                .nth(way)
                .expect("three ways");
            config.items = "/data".parse().expect("a pointer");
            let got = all(config);
            assert_eq!(got.error, None);
            assert!(got.items == expected, "{} items", got.items.len());
            assert_eq!(got.pages, 20);
            let tally = api.shutdown_blocking();
            for (page, asked) in tally.pages() {
                assert!(
                    asked.settled == 1 && asked.most_at_once == 1,
                    "page {page}: {asked:?}"
                );
                retried += asked.requests - 1;
            }
        }
    }
    assert!(retried > 50, "only {retried} retries were made");
}

#[test]
fn a_retry_waits_as_long_as_it_is_told() {
    let server = serve(|request| match (request.query("page"), request.attempt) {
        (Some("2"), 1) => Answer::status(429).retry_after(1),
        (Some("2"), _) => Answer::json("[2]"),
        (_, 1) => Answer::status(503).header("retry-after", "99999999999999999999999"),
        _ => Answer::json("[1]").header("link", "</?page=2>; rel=next"),
    });
    let mut config = config(server.url("/"));
    config.retry_after_max = Duration::from_millis(5);
    assert_eq!(all(config).items, ["1", "2"]);
    let log = server.shutdown_blocking();
    let at: Vec<_> = log
        .exchanges
        .iter()
        .map(|exchange| exchange.request.at)
        .collect();
    assert_eq!(at.len(), 4);
    assert!(at[1] - at[0] >= Duration::from_millis(4) && at[3] - at[2] >= Duration::from_millis(4));
}

#[test]
fn a_page_that_fails_for_good_ends_the_stream_and_says_where_to_go_on() {
    let server = serve(|request| match request.query("page").unwrap_or("1") {
        "3" => Answer::status(503),
        "4" => Answer::status(404),
        page => Answer::json(format!("[{page}]")),
    });
    let start = server.url("/list").replace("://", "://u:p4ss@");
    let mut config = config(start);
    config.way = Way::Numbers {
        param: "page".into(),
        first: None,
    };
    config.prefetch = 3;
    config.retries = 2;
    let got = all(config);
    assert_eq!(got.items, ["1", "2"]);
    let error = got.error.expect("an error");
    let url = server.url("/list?page=3").replace("://", "://***@");
    assert_eq!((error.page, error.resume()), (3, Some(url.as_str())));
    assert_eq!(
        error.to_string(),
        format!("page 3 ({url}): 503 Service Unavailable, at the last of 3 tries")
    );
    assert_eq!(server.shutdown_blocking().of("/list?page=3").count(), 3);
}

#[test]
fn the_rules_for_tries_hold() {
    let closed = ClosedPort::new().expect("a port");
    let server = serve(|request| match request.path() {
        "/stall" => Answer::json("[1]").stall(At::Body(1)),
        "/later" => Answer::status(503).retry_after(60),
        _ => Answer::status(400),
    });
    let failure = |config: PagesConfig| match all(config).error.expect("an error").cause {
        Cause::Failed { failure, tries } => (failure.kind, tries),
        other => panic!("{other:?}"),
    };
    assert_eq!(failure(config(server.url("/400"))), (ErrorKind::Http, 1));
    let mut stalls = config(server.url("/stall"));
    (stalls.timeout, stalls.retries) = (Some(Duration::from_millis(30)), 1);
    assert_eq!(failure(stalls), (ErrorKind::Timeout, 2));
    let mut late = config(server.url("/later"));
    late.total_timeout = Some(Duration::from_secs(30));
    assert_eq!(failure(late), (ErrorKind::Timeout, 1));
    let mut refused = config(format!("http://{}/", closed.addr()));
    refused.retries = 1;
    assert_eq!(failure(refused), (ErrorKind::Connect, 2));
}

#[test]
fn a_page_past_the_end_that_fails_does_not_matter() {
    let server = serve(|request| match request.query("page") {
        Some("1" | "2") => Answer::json(format!(
            "{{\"data\":[1],\"more\":{}}}",
            request.query("page") == Some("1")
        )),
        _ => Answer::status(404),
    });
    let mut config = config(server.url("/"));
    config.way = Way::Numbers {
        param: "page".into(),
        first: None,
    };
    config.items = "/data".parse().expect("a pointer");
    config.more = Some("/more".parse().expect("a pointer"));
    config.prefetch = 5;
    let got = all(config);
    assert_eq!((got.end(), got.items.len()), (&End::NoMore, 2));
}
