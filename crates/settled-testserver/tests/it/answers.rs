//! Answers that are as they should be.

use std::time::{Duration, UNIX_EPOCH};

use settled_testserver::{Answer, Server};

use crate::client::{Client, End, header, once};

#[test]
fn a_body_with_its_length_leaves_the_connection_open() {
    let server =
        Server::start_blocking(|request| Answer::ok(format!("{} {}", request.nth, request.target)))
            .unwrap();
    let mut client = Client::get(server.addr(), "/a?b=c");
    let (head, body) = client.answer();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(body, "1 /a?b=c");
    client.ask("/d");
    assert_eq!(client.answer().1, "2 /d");
    assert_eq!(server.connections().opened, 1);
}

#[test]
fn chunks_are_as_they_were_given() {
    let server =
        Server::start_blocking(|_| Answer::ok("").chunked(["hello", "", "0123456789abcdef"]))
            .unwrap();
    let mut client = Client::get(server.addr(), "/");
    let head = client.head();
    assert_eq!(
        (
            header(&head, "transfer-encoding"),
            header(&head, "content-length")
        ),
        (Some("chunked"), None)
    );
    let wire = "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
    assert_eq!(client.bytes(wire.len()), wire);
    client.ask("/again");
    client.head();
}

#[test]
fn a_body_ended_by_the_connection() {
    let server = Server::start_blocking(|_| Answer::status(200).until_close("hello")).unwrap();
    let (all, end) = { Client::get(server.addr(), "/").rest() };
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        (header(head, "connection"), header(head, "content-length")),
        (Some("close"), None)
    );
    assert_eq!((body, end), ("hello", End::Closed));
    assert_eq!(server.shutdown_blocking().complete(), 1);
}

#[test]
fn some_answers_have_no_body() {
    let server = Server::start_blocking(|request| match request.path() {
        "/204" => Answer::status(204).body("never"),
        "/304" => Answer::status(304).header("etag", "\"x\"").body("never"),
        "/chunked" => Answer::ok("").chunked(["never"]),
        "/until" => Answer::ok("").until_close("never"),
        _ => Answer::ok("never"),
    })
    .unwrap();
    let mut client = Client::new(server.addr());
    // On one connection: a byte of a body would be taken for the next head.
    for (request, length) in [
        ("GET /204", None),
        ("GET /304", None),
        ("HEAD /x", Some("5")),
        ("HEAD /chunked", None),
        ("HEAD /until", None),
    ] {
        client.send(format!("{request} HTTP/1.1\r\n\r\n"));
        assert_eq!(
            header(&client.head(), "content-length"),
            length,
            "{request}"
        );
    }
    client.ask("/x");
    assert_eq!(client.answer().1, "never");
    assert_eq!(server.connections().opened, 1);
}

#[test]
fn retry_after_in_seconds_and_as_a_date() {
    let server = Server::start_blocking(|request| match request.path() {
        "/date" => {
            Answer::status(503).retry_after_date(UNIX_EPOCH + Duration::from_secs(784_111_777))
        }
        _ => Answer::status(429).retry_after(7),
    })
    .unwrap();
    let mut client = Client::get(server.addr(), "/");
    let (head, _) = client.answer();
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert_eq!(header(&head, "retry-after"), Some("7"));
    client.ask("/date");
    assert_eq!(
        header(&client.answer().0, "retry-after"),
        Some("Sun, 06 Nov 1994 08:49:37 GMT")
    );
}

#[test]
fn redirects_go_where_they_are_told() {
    let other = Server::start_blocking(|_| Answer::ok("there")).unwrap();
    let there = other.url("/there");
    let server = Server::start_blocking(move |request| match request.path() {
        "/relative" => Answer::redirect(302, "next?x"),
        "/absolute" => Answer::redirect(308, there.as_str()),
        "/loop" => Answer::redirect(301, request.target.as_str()),
        _ => Answer::status(302),
    })
    .unwrap();
    let location = |target| header(&once(server.addr(), target).0, "location").map(str::to_owned);
    assert_eq!(location("/relative").as_deref(), Some("next?x"));
    assert_eq!(location("/absolute"), Some(other.url("/there")));
    assert_eq!(location("/loop").as_deref(), Some("/loop"));
    assert_eq!(location("/missing"), None);
}

#[test]
fn early_hints_come_before_the_answer() {
    let server = Server::start_blocking(|_| {
        Answer::ok("body").informational(103, &[("link", "</a.css>; rel=preload")])
    })
    .unwrap();
    let mut client = Client::get(server.addr(), "/");
    let hints = client.head();
    assert!(hints.starts_with("HTTP/1.1 103 "), "{hints}");
    assert_eq!(header(&hints, "link"), Some("</a.css>; rel=preload"));
    assert_eq!(client.answer().1, "body");
}

#[test]
fn the_echo_is_json_of_the_request() {
    let server = Server::start_blocking(Answer::echo).unwrap();
    let mut client = Client::new(server.addr());
    client
        .send("PUT /p?q=\" HTTP/1.1\r\nX-One:  a\\b \r\nx-one: 2\r\nContent-Length: 3\r\n\r\na\nb");
    assert_eq!(
        client.answer().1,
        r#"{"method":"PUT","target":"/p?q=\"","headers":[["X-One","a\\b"],["x-one","2"],["Content-Length","3"]],"body":"a\u000ab"}"#
    );
    client.send(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\xff\x00");
    assert!(client.answer().1.ends_with(r#""body_hex":"ff00"}"#));
}

#[test]
fn pages_name_the_next_one() {
    let server = Server::start_blocking(|request| match request.query("page") {
        Some("2") => Answer::page(&["3"], None),
        _ => Answer::page(&["1", "2"], Some("/list?page=2")),
    })
    .unwrap();
    let mut client = Client::get(server.addr(), "/list");
    let (head, body) = client.answer();
    assert_eq!(header(&head, "link"), Some("</list?page=2>; rel=\"next\""));
    assert_eq!(
        body,
        r#"{"data":[1,2],"next":"/list?page=2","hasMore":true}"#
    );
    client.ask("/list?x&page=2");
    let (head, body) = client.answer();
    assert_eq!(
        (header(&head, "link"), body.as_str()),
        (None, r#"{"data":[3],"next":null,"hasMore":false}"#)
    );
}

#[test]
fn an_encoding_is_bytes_and_a_header() {
    let server =
        Server::start_blocking(|_| Answer::status(200).encoded("gzip", "no gzip")).unwrap();
    let (head, body) = Client::get(server.addr(), "/").answer();
    assert_eq!(
        (header(&head, "content-encoding"), body.as_str()),
        (Some("gzip"), "no gzip")
    );
}

#[test]
fn headers_can_be_huge() {
    let server = Server::start_blocking(|_| Answer::ok("x").many_headers(100, 10_000)).unwrap();
    let (all, _) = once(server.addr(), "/");
    assert!(all.len() > 1_000_000 && all.ends_with("\r\n\r\nx"));
    assert_eq!(header(&all, "x-filler-99").unwrap().len(), 10_000);
}

#[test]
fn a_client_that_wants_to_close_is_told_so() {
    let server = Server::start_blocking(|_| Answer::ok("x")).unwrap();
    let (all, end) = once(server.addr(), "/");
    assert_eq!(
        (header(&all, "connection"), end),
        (Some("close"), End::Closed)
    );
}
