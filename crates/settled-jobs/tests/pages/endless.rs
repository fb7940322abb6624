//! What would never end, or lead away, is refused by name.

use settled_jobs::pages::{Cause, CursorParam, Way};
use settled_testserver::{Answer, Server};

use crate::rig::{Got, all, config, numbers, serve};

fn refused(got: &Got, page: u64, say: &str) {
    let error = got.error.as_ref().expect("an error");
    assert_eq!((error.page, error.resume()), (page, None));
    assert!(error.to_string().contains(say), "{error}");
}

#[test]
fn a_next_that_was_there_before_is_a_circle() {
    let server = serve(|request| {
        let (item, next) = match request.path() {
            "/1" => (1, "/2"),
            "/2" => (2, "/3"),
            _ => (3, "/2#again"),
        };
        Answer::json(format!("[{item}]")).header("link", format!("<{next}>; rel=next"))
    });
    let got = all(config(server.url("/1")));
    assert_eq!(got.items, numbers(1..=3));
    refused(
        &got,
        3,
        &format!("its next page is page 2 again ({})", server.url("/2")),
    );
    assert_eq!(server.shutdown_blocking().requests(), 3);
}

#[test]
fn a_cursor_that_does_not_move_is_a_circle() {
    let server = serve(|_| Answer::json(r#"{"data":[1],"next":"same"}"#));
    let mut config = config(server.url("/"));
    config.items = "/data".parse().expect("a pointer");
    config.way = Way::Cursor {
        at: "/next".parse().expect("a pointer"),
        param: CursorParam::Guess,
    };
    let got = all(config);
    assert_eq!(got.items, ["1", "1"]);
    refused(&got, 2, "its next page is page 2 again");
}

#[test]
fn a_server_that_does_not_heed_the_page_number_is_found_out() {
    let server = serve(|_| Answer::json(r#"{"data":[{"id":1}],"hasMore":true}"#));
    let mut config = config(server.url("/"));
    config.items = "/data".parse().expect("a pointer");
    config.more = Some("/hasMore".parse().expect("a pointer"));
    let got = all(config);
    assert_eq!(got.items, ["{\"id\":1}"]);
    refused(&got, 2, "does not heed the page number");
}

#[test]
fn pages_of_plain_values_may_be_alike() {
    let server = serve(|request| match request.query("page") {
        Some("4") => Answer::json("[]"),
        _ => Answer::json("[0,0]"),
    });
    let mut config = config(server.url("/"));
    config.way = Way::Numbers {
        param: "page".into(),
        first: None,
    };
    assert_eq!(all(config).items, ["0"; 6]);
}

#[test]
fn more_without_a_next_does_not_pass_for_the_end() {
    let server = serve(|request| match request.path() {
        "/1" => Answer::json(r#"{"data":[1],"more":true}"#).header("link", "</2>; rel=next"),
        _ => Answer::json(r#"{"data":[2],"more":true}"#),
    });
    let mut config = config(server.url("/1"));
    config.items = "/data".parse().expect("a pointer");
    config.more = Some("/more".parse().expect("a pointer"));
    let got = all(config);
    assert_eq!((got.cause(), got.items.len()), (&Cause::NoNext, 2));
}

/// A server whose one page has its next at another one.
fn leading_to(other: &Server) -> Server {
    let next = format!("<{}>; rel=next", other.url("/2"));
    serve(move |_| Answer::json("[1]").header("link", next.clone()))
}

#[test]
fn secrets_stay_at_their_origin() {
    let other = serve(|_| Answer::json("[2]"));
    let server = leading_to(&other);
    for secret in [true, false] {
        let mut config = config(server.url("/1"));
        let header = if secret {
            "Authorization: Bearer t0ken"
        } else {
            "X-Team: blue"
        };
        config.fetch.header(header, false).expect("a header");
        let got = all(config);
        match secret {
            true => refused(&got, 1, "its next page is at another origin"),
            false => assert_eq!(got.items, ["1", "2"]),
        }
    }
    let mut config = config(server.url("/1").replace("://", "://u:p4ss@"));
    config.prefetch = 0;
    let got = all(config);
    refused(&got, 1, "http://***@");
    assert!(!format!("{got:?}").contains("p4ss"));
    assert_eq!(other.shutdown_blocking().requests(), 1);
}

#[test]
fn a_user_name_goes_along_to_the_next_page() {
    let server = serve(|request| {
        assert_eq!(request.header("authorization"), Some("Basic dTpw"));
        let host = request.header("host").expect("a host").to_owned();
        match request.path() {
            "/1" => Answer::json("[1]").header("link", format!("<http://{host}/2>; rel=next")),
            "/2" => Answer::json("[2]").header("link", "</3>; rel=next"),
            _ => Answer::json("[3]"),
        }
    });
    let got = all(config(server.url("/1").replace("://", "://u:p@")));
    assert_eq!((got.error, got.items), (None, numbers(1..=3)));
}
