//! What the server reads.

use settled_testserver::{Answer, Server};

use crate::client::{Client, End, header};

#[test]
fn bodies_with_a_length_and_in_chunks() {
    let server = Server::start_blocking(|request| Answer::ok(request.body.clone())).unwrap();
    let mut client = Client::new(server.addr());
    client.send("POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello");
    assert_eq!(client.answer().1, "hello");
    client.send("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n");
    assert_eq!(client.answer().1, "hello!");
    client.send("POST / HTTP/1.1\r\n\r\n");
    assert_eq!(client.answer().1, "");
}

#[test]
fn a_large_body_arrives_whole() {
    let server =
        Server::start_blocking(|request| Answer::ok(request.body.len().to_string())).unwrap();
    let mut client = Client::new(server.addr());
    client.send(format!(
        "POST / HTTP/1.1\r\ncontent-length: 5000000\r\n\r\n{}",
        "x".repeat(5_000_000)
    ));
    assert_eq!(client.answer().1, "5000000");
}

#[test]
fn a_request_in_single_bytes() {
    let server = Server::start_blocking(|request| Answer::ok(request.body.clone())).unwrap();
    let mut client = Client::new(server.addr());
    for byte in b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.answer().1, "hi");
}

#[test]
fn requests_that_come_early_are_answered_in_turn() {
    let server = Server::start_blocking(|request| Answer::ok(request.target.as_str())).unwrap();
    let mut client = Client::new(server.addr());
    client.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    assert_eq!(
        (client.answer().1, client.answer().1),
        ("/1".to_owned(), "/2".to_owned())
    );
}

#[test]
fn http_1_0_closes() {
    let server = Server::start_blocking(|_| Answer::ok("x")).unwrap();
    let mut client = Client::new(server.addr());
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.rest().1, End::Closed);
}

#[test]
fn an_expected_100_comes_before_the_body_is_sent() {
    let server = Server::start_blocking(|request| Answer::ok(request.body.clone())).unwrap();
    let mut client = Client::new(server.addr());
    client.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hi");
    assert_eq!(client.answer().1, "hi");
}

#[test]
fn a_100_can_be_withheld() {
    let server = Server::builder()
        .no_continue()
        .start_blocking(|request| Answer::ok(request.body.clone()))
        .unwrap();
    let mut client = Client::new(server.addr());
    client.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.answer().1, "hi");
}

#[test]
fn an_answer_can_come_before_the_body() {
    let server = Server::builder()
        .ignore_bodies()
        .start_blocking(|_| Answer::status(413))
        .unwrap();
    let mut client = Client::new(server.addr());
    client.send("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nthe first of it");
    let (head, _) = client.answer();
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert_eq!(header(&head, "connection"), Some("close"));
    // What is sent meanwhile does not turn the close into a reset.
    client.send("more of it");
    assert_eq!(client.rest(), (String::new(), End::Closed));
}

#[test]
fn what_is_no_request_is_refused_and_told() {
    for bytes in [
        "nonsense\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let server = Server::start_blocking(|_| Answer::ok("never")).unwrap();
        let mut client = Client::new(server.addr());
        client.send(bytes);
        let (all, end) = client.rest();
        assert!(
            all.starts_with("HTTP/1.1 400 ") && end == End::Closed,
            "{bytes:?}: {all}"
        );
        let log = server.shutdown_blocking();
        assert_eq!((log.requests(), log.broken.len()), (0, 1), "{bytes:?}");
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_is_told() {
    for bytes in ["GET / HT", "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe"] {
        let server = Server::start_blocking(|_| Answer::ok("never")).unwrap();
        let mut client = Client::new(server.addr());
        client.send(bytes);
        client.finish_sending();
        assert_eq!(client.rest(), (String::new(), End::Closed));
        let log = server.wait_until_blocking(|log| log.connections.open == 0);
        assert_eq!(
            (log.requests(), log.broken.len(), log.broken[0].connection),
            (0, 1, 1),
            "{bytes:?}"
        );
    }
}
