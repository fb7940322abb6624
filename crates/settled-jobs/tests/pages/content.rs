//! What is in a page comes out as it was sent, and what is no page is named.

use settled_jobs::ErrorKind;
use settled_jobs::pages::{Cause, End};
use settled_testserver::Answer;

use crate::rig::{all, config, serve};

#[test]
fn items_are_lines_of_what_the_server_sent() {
    let server = serve(|_| {
        Answer::json(
            "\u{feff} [ {\"z\" : 1.00, \"a\": 12345678901234567890.10e-400,\r\n \"a\" : \"\\u0041 \\n\u{2028}\" },\n\
             [ 1 , 2 ], \"x  y\", null, -0 ] ",
        )
    });
    let got = all(config(server.url("/")));
    assert_eq!(got.end(), &End::OnlyPage);
    assert_eq!(
        got.items,
        [
            "{\"z\":1.00,\"a\":12345678901234567890.10e-400,\"a\":\"\\u0041 \\n\u{2028}\"}",
            "[1,2]",
            "\"x  y\"",
            "null",
            "-0"
        ]
    );
}

#[test]
fn a_large_page_is_whole() {
    let server = serve(|_| {
        let items: Vec<String> = (0..60_000)
            .map(|n| format!("\"item number {n:020}\""))
            .collect();
        Answer::json(format!("[{}]", items.join(",")))
    });
    let got = all(config(server.url("/")));
    assert_eq!(got.items.len(), 60_000);
    assert_eq!(got.items[59_999], "\"item number 00000000000000059999\"");

    let mut small = config(server.url("/"));
    small.fetch.max_body = 1 << 20;
    let got = all(small);
    match got.cause() {
        Cause::Failed { failure, tries: 1 } => assert_eq!(failure.kind, ErrorKind::TooLarge),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_page_is_named() {
    let server = serve(|request| match request.path() {
        "/html" => Answer::ok("<html>\n<b>Sign in</b>"),
        "/empty" => Answer::ok(""),
        "/torn" => Answer::ok("[1, 2"),
        "/twice" => Answer::ok("[1]\n[2]"),
        "/latin1" => Answer::ok(b"[\"\xe9\"]"),
        "/object" => Answer::ok(r#"{"rows":{"data":[1],"n":1},"a":"x"}"#),
        _ => Answer::status(204),
    });
    let message = |path: &str| {
        let got = all(config(server.url(path)));
        assert!(got.items.is_empty());
        let error = got.error.expect("an error");
        assert_eq!(
            (error.page, error.resume()),
            (1, Some(server.url(path).as_str()))
        );
        error.cause.to_string()
    };
    assert_eq!(
        message("/html"),
        "no JSON: expected value at line 1 column 1; it begins with \"<html>\\n<b>Sign in</b>\""
    );
    assert!(message("/empty").ends_with("; it is empty"));
    assert!(message("/torn").contains("EOF while parsing"));
    assert!(message("/twice").contains("trailing characters"));
    assert!(message("/latin1").contains("not UTF-8"));
    assert_eq!(
        message("/object"),
        "the page itself is no array of items, but an object; there is: /a (a text), /rows/data (an array of 1), /rows/n (a number)"
    );
    let none = all(config(server.url("/nothing")));
    assert_eq!((none.end(), none.pages), (&End::OnlyPage, 1));

    let mut elsewhere = config(server.url("/object"));
    elsewhere.items = "/rows/items".parse().expect("a pointer");
    assert_eq!(
        all(elsewhere).cause().to_string(),
        "there is nothing at /rows/items; there is: /a (a text), /rows/data (an array of 1), /rows/n (a number)"
    );
}
