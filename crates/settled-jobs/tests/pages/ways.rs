//! How the next page is found, and which one is the last.

use settled_jobs::pages::{Cause, CursorParam, End, Way};
use settled_testserver::{Answer, Request};

use crate::rig::{Got, all, config, numbers, serve};

/// Three pages of two numbers each: `{"data":[1,2],"next":..,"hasMore":..}`, by `?page=N`.
fn three_pages(request: &Request) -> Answer {
    let page: u64 = request
        .query("page")
        .map_or(1, |page| page.parse().expect("a number"));
    let items = match page {
        1..=3 => numbers(page * 2 - 1..=page * 2),
        _ => Vec::new(),
    };
    let next = (page < 3).then(|| format!("?page={}", page + 1));
    Answer::page(&items, next.as_deref())
}

fn numbered(param: &str, first: Option<u64>) -> Way {
    let param = param.to_owned();
    Way::Numbers { param, first }
}

#[test]
fn links_are_followed_relative_to_the_page_that_has_them() {
    let server = serve(|request| match request.target.as_str() {
        "/v1/list" => Answer::json("[1,2]")
            .header("link", "<list?after=0>; rel=prev")
            .header("Link", "<list?after=2>; title=\"a, b\"; rel=\"last next\""),
        "/v1/list?after=2" => Answer::redirect(307, "/v2/moved/"),
        "/v2/moved/" => Answer::json("[3]").header("link", "<page/3>;rel=next"),
        "/v2/moved/page/3" => Answer::json("[4]").header("link", "</v1/list>; rel=first"),
        other => panic!("{other}"),
    });
    for way in [Way::Auto, Way::Link] {
        let mut config = config(server.url("/v1/list"));
        config.way = way;
        let got = all(config);
        assert_eq!((got.end(), &got.items), (&End::NoNext, &numbers(1..=4)));
    }
}

#[test]
fn a_cursor_is_a_url_or_a_token() {
    let server = serve(|request| match request.target.as_str() {
        "/?q=a%20b" => Answer::json(r#"{"data":[1],"meta":{"next":"b/c+d="}}"#),
        "/?q=a%20b&cursor=b%2Fc%2Bd%3D" => Answer::json(r#"{"data":[2],"meta":{"next":"/p3"}}"#),
        "/p3" => Answer::json(r#"{"data":[3],"meta":{"next":12345678901234567890123}}"#),
        "/?q=a%20b&cursor=12345678901234567890123" => {
            Answer::json(r#"{"data":[],"meta":{"next":"?last"}}"#)
        }
        // An empty page that has a next is not the end.
        "/?last" => Answer::json(r#"{"data":[4],"meta":{"next":null}}"#),
        other => panic!("{other}"),
    });
    let mut config = config(server.url("/?q=a%20b"));
    config.items = "/data".parse().expect("a pointer");
    config.way = Way::Cursor {
        at: "/meta/next".parse().expect("a pointer"),
        param: CursorParam::Guess,
    };
    let got = all(config);
    assert_eq!((got.end(), &got.items), (&End::NoNext, &numbers(1..=4)));
}

#[test]
fn a_cursor_with_a_parameter_is_a_token_whatever_it_looks_like() {
    let server = serve(|request| match request.query("after") {
        None => Answer::json(r#"{"data":[1],"next":"/9j/4AAQ"}"#),
        Some("%2F9j%2F4AAQ") => Answer::json(r#"{"data":[2]}"#),
        other => panic!("{other:?}"),
    });
    let mut config = config(server.url("/"));
    config.items = "/data".parse().expect("a pointer");
    config.way = Way::Cursor {
        at: "/next".parse().expect("a pointer"),
        param: CursorParam::Token("after".into()),
    };
    let got = all(config);
    assert_eq!((got.end(), &got.items), (&End::NoNext, &numbers(1..=2)));
}

#[test]
fn page_numbers_count_up_until_a_page_is_empty() {
    let server = serve(three_pages);
    for (target, first, prefetch) in [
        ("/", None, 0),
        ("/?page=1", None, 1),
        ("/?x=y", Some(1), 2),
        ("/?page=7", Some(1), 8),
    ] {
        let mut config = config(server.url(target));
        config.items = "/data".parse().expect("a pointer");
        config.way = numbered("page", first);
        config.prefetch = prefetch;
        let got = all(config);
        assert_eq!((got.end(), got.pages), (&End::Empty, 4), "{target}");
        assert_eq!(got.items, numbers(1..=6));
    }
    let log = server.shutdown_blocking();
    assert!(log.of("/?x=y&page=1").count() > 0);
}

#[test]
fn page_numbers_go_on_from_the_one_in_the_url() {
    let server = serve(three_pages);
    let mut config = config(server.url("/?page=2"));
    config.items = "/data".parse().expect("a pointer");
    config.more = Some("/hasMore".parse().expect("a pointer"));
    config.way = numbered("page", None);
    config.prefetch = 0;
    let got = all(config);
    assert_eq!((got.end(), &got.items), (&End::NoMore, &numbers(3..=6)));
    assert_eq!(server.shutdown_blocking().requests(), 2);
}

#[test]
fn without_a_word_the_first_page_shows_the_way() {
    let server = serve(|request| match request.path() {
        "/linked" => three_pages(request),
        _ => Answer::json(unlinked(request)),
    });
    let start = |target: &str, more: bool| -> Got {
        let mut config = config(server.url(target));
        config.items = "/data".parse().expect("a pointer");
        config.more = more.then(|| "/hasMore".parse().expect("a pointer"));
        all(config)
    };
    assert_eq!(start("/linked", false).end(), &End::NoNext);
    assert_eq!(start("/linked", true).end(), &End::NoMore);
    assert_eq!(start("/bare", true).items, numbers(1..=6));
    assert_eq!(start("/bare?page=2", true).items, numbers(3..=6));
    let only = start("/bare", false);
    assert_eq!((only.end(), only.pages), (&End::OnlyPage, 1));
}

/// As `three_pages`, without a link.
fn unlinked(request: &Request) -> String {
    let page: u64 = request
        .query("page")
        .map_or(1, |page| page.parse().expect("a number"));
    let items = numbers(page * 2 - 1..=page * 2).join(",");
    format!("{{\"data\":[{items}],\"hasMore\":{}}}", page < 3)
}

#[test]
fn no_more_pages_than_are_allowed_are_asked_for() {
    let server = serve(three_pages);
    for (way, prefetch) in [(Way::Auto, 1), (numbered("page", None), 5)] {
        for (max, end) in [(1, &End::MaxPages), (2, &End::MaxPages), (3, &End::NoMore)] {
            let before = server.log().requests();
            let mut config = config(server.url("/?page=1"));
            config.items = "/data".parse().expect("a pointer");
            config.more = Some("/hasMore".parse().expect("a pointer"));
            config.way = way.clone();
            config.prefetch = prefetch;
            config.max_pages = Some(max);
            let got = all(config);
            assert_eq!((got.end(), got.pages), (end, max));
            assert_eq!(server.log().requests() - before, max as usize);
        }
    }
}

#[test]
fn a_slip_in_a_pointer_is_noticed_at_the_first_page() {
    let server = serve(three_pages);
    let mut config = config(server.url("/"));
    config.items = "/data".parse().expect("a pointer");
    config.more = Some("/has_more".parse().expect("a pointer"));
    let got = all(config);
    assert_eq!(
        got.cause(),
        &Cause::More(
            "there is nothing at /has_more; there is: /data (an array of 2), /hasMore (a boolean), /next (a text)".into()
        )
    );
    assert!(got.items.is_empty());

    let mut config = crate::rig::config(server.url("/"));
    config.items = "/data".parse().expect("a pointer");
    config.way = Way::Cursor {
        at: "/nxt".parse().expect("a pointer"),
        param: CursorParam::Guess,
    };
    let got = all(config);
    let there = "/data (an array of 2), /hasMore (a boolean), /next (a text)";
    assert_eq!(got.end(), &End::CursorAbsent(there.into()));
    assert_eq!(got.items, numbers(1..=2));
}
