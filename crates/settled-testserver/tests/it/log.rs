//! What the server tells of its requests.

use std::sync::Arc;

use settled_testserver::{Answer, Server};

use crate::client::{Client, once};

#[test]
fn a_request_is_told_with_all_its_parts() {
    let server = Server::start_blocking(|_| Answer::ok("hello")).unwrap();
    let mut client = Client::get(server.addr(), "/a");
    client.answer();
    client.send("PUT /a HTTP/1.1\r\nX-Key: v\r\nContent-Length: 2\r\n\r\n\r\n");
    client.answer();
    once(server.addr(), "/b");
    let log = server.shutdown_blocking();
    let told: Vec<_> = log
        .exchanges
        .iter()
        .map(|exchange| &exchange.request)
        .collect();
    let numbers: Vec<_> = told
        .iter()
        .map(|r| (r.serial, r.connection, r.nth, r.attempt, r.target.as_str()))
        .collect();
    assert_eq!(
        numbers,
        [(1, 1, 1, 1, "/a"), (2, 1, 2, 2, "/a"), (3, 2, 1, 1, "/b")]
    );
    assert_eq!(
        (
            told[1].method.as_str(),
            told[1].header("x-key"),
            told[1].body.as_slice()
        ),
        ("PUT", Some("v"), &b"\r\n"[..])
    );
    assert!(told[0].at <= told[1].at && told[1].at <= told[2].at);
    assert_eq!((log.requests(), log.answered(), log.complete()), (3, 3, 3));
    let answered = log.exchanges[0].answered.unwrap();
    assert_eq!(
        (answered.status, answered.bytes),
        (
            Some(200),
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".len() as u64
        )
    );
}

#[test]
fn attempts_are_counted_by_target() {
    let server = Server::start_blocking(|request| match request.attempt {
        1 | 2 => Answer::status(503),
        attempt => Answer::ok(format!("{attempt}")),
    })
    .unwrap();
    let status = |target| once(server.addr(), target).0[9..12].to_owned();
    assert_eq!(
        ["/a", "/a", "/b", "/a", "/b"].map(status),
        ["503", "503", "503", "200", "503"]
    );
}

#[tokio::test]
async fn waiting_for_the_log_sees_every_change() {
    let server = Arc::new(Server::start(|_| Answer::ok("x")).await.unwrap());
    let waiter = tokio::spawn({
        let server = server.clone();
        async move {
            server
                .wait_until(|log| log.complete() == 50 && log.connections.open == 0)
                .await
        }
    });
    let addr = server.addr();
    let clients: Vec<_> = (0..50)
        .map(|n| tokio::task::spawn_blocking(move || once(addr, &format!("/{n}"))))
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(waiter.await.unwrap().connections.opened, 50);
}
