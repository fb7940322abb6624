//! Answers that go wrong, each in its way. "Not complete" is checked with each: what is torn must never count as sent.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use settled_testserver::{Answer, Answered, At, ClosedPort, Gate, Request, Server};

use crate::client::{Client, End, header, once};

/// What one request to such a server gives: all that came, how it ended, and how the log tells it.
fn fault(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> (String, End, Answered) {
    let server = Server::start_blocking(handler).unwrap();
    let (all, end) = Client::get(server.addr(), "/").rest();
    let log = server.shutdown_blocking();
    (all, end, log.exchanges[0].answered.unwrap())
}

#[test]
fn reset_before_the_head() {
    let (all, end, answered) = fault(|_| Answer::ok("hello").reset(At::Start));
    assert_eq!((all.as_str(), end), ("", End::Reset));
    assert_eq!(
        answered,
        Answered {
            status: None,
            complete: false,
            bytes: 0
        }
    );
}

#[test]
fn reset_in_the_head() {
    let (all, end, answered) = fault(|_| Answer::ok("hello").reset(At::Head));
    assert!(
        all.starts_with("HTTP/1.1 200") && !all.contains("\r\n\r\n"),
        "{all}"
    );
    assert_eq!(
        (end, answered.status, answered.complete),
        (End::Reset, None, false)
    );
    assert_eq!(answered.bytes, all.len() as u64);
}

#[test]
fn reset_in_the_body() {
    let (all, end, answered) = fault(|_| Answer::ok("hello").reset(At::Body(3)));
    assert!(all.ends_with("content-length: 5\r\n\r\nhel"), "{all}");
    assert_eq!(
        (end, answered.status, answered.complete),
        (End::Reset, Some(200), false)
    );
}

#[test]
fn reset_after_the_last_byte_is_a_whole_answer() {
    let (all, end, answered) = fault(|_| Answer::ok("hello").reset(At::End));
    assert!(all.ends_with("\r\n\r\nhello"), "{all}");
    assert_eq!((end, answered.complete), (End::Reset, true));
}

#[test]
fn closed_without_an_answer() {
    let (all, end, answered) = fault(|_| Answer::ok("hello").close(At::Start));
    assert_eq!(
        (all.as_str(), end, answered.status, answered.complete),
        ("", End::Closed, None, false)
    );
}

#[test]
fn closed_when_the_next_request_comes() {
    let server = Server::start_blocking(|request| match request.nth {
        1 => Answer::ok("first"),
        _ => Answer::ok("never").close(At::Start),
    })
    .unwrap();
    let mut client = Client::get(server.addr(), "/1");
    client.answer();
    client.ask("/2");
    assert_eq!(client.rest(), (String::new(), End::Closed));
    // On a connection of its own it is answered.
    assert_eq!(Client::get(server.addr(), "/2").answer().1, "first");
    let log = server.shutdown_blocking();
    assert_eq!(
        log.of("/2")
            .map(|exchange| exchange.answered.unwrap().complete)
            .collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn closed_right_after_the_answer_unannounced() {
    let (all, end, answered) = fault(|_| Answer::ok("hello").close(At::End));
    assert!(all.ends_with("\r\n\r\nhello"), "{all}");
    assert_eq!(
        (header(&all, "connection"), end, answered.complete),
        (None, End::Closed, true)
    );
}

#[test]
fn a_body_that_ends_before_its_length() {
    for answer in [
        Answer::ok("hello").close(At::Body(2)),
        Answer::ok("he").content_length(5),
        Answer::ok("hello").cut(At::Body(2)),
    ] {
        let (all, end, answered) = fault(move |_| answer.clone());
        assert!(all.ends_with("content-length: 5\r\n\r\nhe"), "{all}");
        assert_eq!(
            (end, answered.status, answered.complete),
            (End::Closed, Some(200), false)
        );
    }
}

#[test]
fn a_body_that_is_longer_than_its_length() {
    let server = Server::start_blocking(|_| Answer::ok("hello").content_length(2)).unwrap();
    let mut client = Client::get(server.addr(), "/");
    assert_eq!(client.answer().1, "he");
    // The connection stays open, with the excess in it.
    assert_eq!(client.bytes(3), "llo");
    client.ask("/");
    assert_eq!(client.answer().1, "he");
}

#[test]
fn chunks_without_the_final_one() {
    let (all, end, answered) =
        fault(|_| Answer::ok("").chunked(["hello"]).close(At::Body(u64::MAX)));
    assert!(all.ends_with("\r\n\r\n5\r\nhello\r\n"), "{all}");
    assert_eq!((end, answered.complete), (End::Closed, false));
}

#[test]
fn a_chunk_cut_in_two() {
    let (all, end, answered) = fault(|_| Answer::ok("").chunked(["hello"]).reset(At::Body(2)));
    assert!(all.ends_with("\r\n\r\n5\r\nhe"), "{all}");
    assert_eq!((end, answered.complete), (End::Reset, false));
}

#[test]
fn a_body_ended_by_the_connection_that_is_torn() {
    let (all, end, answered) = fault(|_| Answer::ok("").until_close("hello").reset(At::End));
    assert!(all.ends_with("\r\n\r\nhello"), "{all}");
    assert_eq!(
        (end, answered.status, answered.complete),
        (End::Reset, Some(200), false)
    );
}

#[test]
fn garbage_for_a_head() {
    let (all, end, answered) = fault(|_| Answer::raw("\u{1}nonsense\r\n\r\n"));
    assert_eq!((all.as_str(), end), ("\u{1}nonsense\r\n\r\n", End::Closed));
    assert_eq!(answered.status, None);
}

#[test]
fn silence_wherever_it_is_asked_for() {
    let server = Server::start_blocking(|request| match request.path() {
        "/start" => Answer::ok("hello").stall(At::Start),
        "/head" => Answer::ok("hello").stall(At::Body(0)),
        "/body" => Answer::ok("hello").stall(At::Body(4)),
        _ => Answer::ok("hello").stall(At::End),
    })
    .unwrap();
    for (target, body) in [
        ("/start", None),
        ("/head", Some("")),
        ("/body", Some("hell")),
        ("/end", Some("hello")),
    ] {
        let mut client = Client::get(server.addr(), target);
        if let Some(body) = body {
            client.head();
            assert_eq!(client.bytes(body.len()), body);
        }
        server.wait_until_blocking(|log| log.of(target).count() == 1);
        assert!(client.is_silent(), "{target}");
        // The client's leaving is what ends it, and is seen.
        drop(client);
        let log = server.wait_until_blocking(|log| log.connections.open == 0);
        let answered = log.of(target).next().unwrap().answered.unwrap();
        assert_eq!(answered.complete, target == "/end", "{target}");
        assert_eq!(answered.status, body.map(|_| 200), "{target}");
    }
}

#[test]
fn a_gate_holds_an_answer_until_it_is_opened() {
    let gate = Gate::new();
    let held = gate.clone();
    let server =
        Server::start_blocking(move |_| Answer::ok("hello").hold(At::Body(2), &held)).unwrap();
    let mut clients = [
        Client::get(server.addr(), "/1"),
        Client::get(server.addr(), "/2"),
    ];
    for client in &mut clients {
        client.head();
        assert_eq!(client.bytes(2), "he");
        assert!(client.is_silent());
    }
    assert_eq!(server.log().answered(), 0);
    gate.open();
    clients
        .iter_mut()
        .for_each(|client| assert_eq!(client.bytes(3), "llo"));
    server.wait_until_blocking(|log| log.complete() == 2);
}

#[test]
fn pauses_and_drips_take_their_time() {
    let server = Server::start_blocking(|request| match request.path() {
        "/pause" => Answer::ok("hello").pause(At::Start, Duration::from_millis(20)),
        "/drip" => Answer::ok("hello").drip(Duration::from_millis(4)),
        _ => Answer::raw("hello").drip_all(Duration::from_millis(4)),
    })
    .unwrap();
    for target in ["/pause", "/drip", "/drip_all"] {
        let before = Instant::now();
        let (all, _) = once(server.addr(), target);
        assert!(all.ends_with("hello"), "{all}");
        // Only the lower bound holds on a busy machine.
        assert!(before.elapsed() >= Duration::from_millis(20), "{target}");
    }
}

#[test]
fn a_huge_body_is_made_while_it_is_sent() {
    let server = Server::start_blocking(|_| Answer::fill(10_000_000_000)).unwrap();
    let mut client = Client::get(server.addr(), "/");
    assert_eq!(
        header(&client.head(), "content-length"),
        Some("10000000000")
    );
    assert!(client.bytes(3_000_000).bytes().all(|byte| byte == b'0'));
    drop(client);
    let log = server.wait_until_blocking(|log| log.answered() == 1);
    let answered = log.exchanges[0].answered.unwrap();
    assert!(
        !answered.complete && answered.bytes > 3_000_000,
        "{answered:?}"
    );
}

#[test]
fn an_endless_body_is_chunks_without_end() {
    let server = Server::start_blocking(|_| Answer::endless()).unwrap();
    let mut client = Client::get(server.addr(), "/");
    assert_eq!(header(&client.head(), "transfer-encoding"), Some("chunked"));
    for _ in 0..200 {
        let chunk = client.bytes(16_392);
        assert!(chunk.starts_with("4000\r\n0000") && chunk.ends_with("00\r\n"));
    }
    // It ends with the server.
    let log = server.shutdown_blocking();
    assert!(!log.exchanges[0].answered.unwrap().complete);
}

#[test]
fn nobody_listens_at_a_closed_port() {
    let port = ClosedPort::new().unwrap();
    let error = TcpStream::connect(port.addr()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}
