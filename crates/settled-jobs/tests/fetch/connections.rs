//! Connections: used again, bounded in number, given up in time.

use std::time::Duration;

use settled_jobs::{ErrorKind, Tried};
use settled_testserver::{Answer, At, Gate, Server};

use crate::rig::{Rig, alone, failed, good};

/// `slots` slots on one core, each making `each` requests one after the other.
async fn slots(rig: &Rig, url: &str, slots: usize, each: usize) -> Vec<Tried> {
    let slot = || async {
        let mut tried = Vec::new();
        for _ in 0..each {
            tried.push(rig.get(url).await);
        }
        tried
    };
    let mut running: Vec<_> = (0..slots).map(|_| Box::pin(slot())).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        running.retain_mut(|slot| match slot.as_mut().poll(cx) {
            std::task::Poll::Ready(tried) => {
                done.extend(tried);
                false
            }
            std::task::Poll::Pending => true,
        });
        if running.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}

#[tokio::test]
async fn many_requests_go_over_one_connection() {
    let server = Server::start(|request| match request.serial % 3 {
        0 => Answer::status(200).chunked(["a", "b"]),
        1 => Answer::ok("0".repeat(100_000)),
        _ => Answer::status(404).body("not here"),
    });
    let server = server.await.expect("a server");
    let rig = Rig::new();
    for _ in 0..100 {
        rig.get(&server.url("/")).await;
    }
    let log = server.shutdown().await;
    assert_eq!((log.requests(), log.connections.opened), (100, 1));
}

#[tokio::test]
async fn there_are_no_more_connections_than_slots_and_none_after_the_core() {
    let server = Server::start(|_| Answer::ok("hello"))
        .await
        .expect("a server");
    let rig = Rig::new();
    let all = slots(&rig, &server.url("/"), 8, 50).await;
    assert_eq!(
        all.iter().map(|tried| good(tried).bytes).sum::<u64>(),
        8 * 50 * 5
    );
    assert!(
        server.connections().opened <= 8,
        "{:?}",
        server.connections()
    );
    drop(rig);
    server.wait_until(|log| log.connections.open == 0).await;
}

#[tokio::test]
async fn idle_connections_are_few_and_not_kept_for_long() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Answer::ok("hello").hold(At::Start, &held))
        .await
        .expect("a server");
    let rig = Rig::with(|config| config.connect.idle = 3);
    let url = server.url("/");
    tokio::join!(slots(&rig, &url, 8, 1), async {
        server.wait_until(|log| log.requests() == 8).await;
        gate.open();
    });
    let log = server.wait_until(|log| log.connections.open <= 3).await;
    assert_eq!((log.connections.opened, log.connections.open), (8, 3));

    let rig = Rig::with(|config| config.connect.idle_for = Duration::ZERO);
    for _ in 0..3 {
        good(&rig.get(&url).await);
    }
    assert_eq!(server.connections().opened, 11);
}

#[tokio::test]
async fn idle_connections_make_room_for_other_hosts() {
    let first = Server::start(|_| Answer::ok("hello"))
        .await
        .expect("a server");
    let second = Server::start(|_| Answer::ok("hello"))
        .await
        .expect("a server");
    let rig = Rig::with(|config| config.connect.idle = 4);
    slots(&rig, &first.url("/"), 4, 5).await;
    slots(&rig, &second.url("/"), 4, 5).await;
    let kept = second.connections().open;
    first
        .wait_until(|log| log.connections.open + kept <= 4)
        .await;
}

/// A server that says more than it announced can't put words into the mouth of its next answer.
#[tokio::test]
async fn what_follows_an_answer_is_not_taken_for_the_next_one() {
    let evil = "helloHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let server = Server::start(move |_| Answer::ok(evil).content_length(5))
        .await
        .expect("a server");
    let rig = Rig::new();
    for method in ["GET", "GET", "POST", "POST"] {
        let line = format!(r#"{{"url": "{}", "method": "{method}"}}"#, server.url("/"));
        assert_eq!(crate::rig::text(good(&rig.json(&line).await)), "hello");
    }
    assert_eq!(server.shutdown().await.connections.opened, 4);
}

/// The server closes each connection after its answer and does not say so.
#[tokio::test]
async fn a_stale_connection_costs_no_try() {
    let server = Server::start(|_| Answer::ok("hello").close(At::End))
        .await
        .expect("a server");
    let rig = Rig::new();
    for method in ["GET", "POST"] {
        for _ in 0..20 {
            let tried = rig
                .json(&format!(
                    r#"{{"url": "{}", "method": "{method}"}}"#,
                    server.url("/")
                ))
                .await;
            assert_eq!(good(&tried).bytes, 5, "{method}");
            server.wait_until(|log| log.connections.open == 0).await;
        }
    }
    assert_eq!(server.shutdown().await.requests(), 40);
}

/// The server closes a connection just when it is used again: it took the request, and perhaps it has done something about it.
#[tokio::test]
async fn a_connection_that_ends_under_a_request_costs_no_try_where_the_request_can_do_no_harm() {
    let server = Server::start(|request| match request.nth {
        1 => Answer::ok("hello"),
        2 => Answer::status(200).close(At::Start),
        _ => Answer::status(200).reset(At::Start),
    });
    let server = server.await.expect("a server");
    let rig = Rig::new();
    let line = |method: &str| format!(r#"{{"url": "{}", "method": "{method}"}}"#, server.url("/"));
    for _ in 0..2 {
        assert_eq!(good(&rig.json(&line("GET")).await).bytes, 5);
    }
    assert_eq!(
        (server.log().requests(), server.connections().opened),
        (3, 2)
    );
    assert!(!failed(&rig.json(&line("POST")).await, ErrorKind::Reset).retry);
    assert_eq!(
        server.shutdown().await.requests(),
        4,
        "the POST was sent once"
    );
}

/// It is not tried for ever: a server that takes requests and never answers is an error.
#[tokio::test]
async fn a_server_that_always_closes_is_an_error() {
    let server = Server::start(|request| match request.serial {
        1 => Answer::ok("hello"),
        _ => Answer::status(200).close(At::Start),
    });
    let server = server.await.expect("a server");
    let rig = Rig::new();
    good(&rig.get(&server.url("/")).await);
    assert!(failed(&rig.get(&server.url("/")).await, ErrorKind::Reset).retry);
    assert_eq!(
        server.shutdown().await.requests(),
        3,
        "once on the old connection, once on a new one"
    );
}

/// An answer that comes before the request is through, from a server that then closes.
#[tokio::test]
async fn an_early_answer_is_an_answer() {
    let server = Server::builder()
        .ignore_bodies()
        .start(|_| Answer::status(413).body("too much"))
        .await
        .expect("a server");
    let rig = Rig::new();
    let tried = rig
        .json(&format!(r#"{{"url": "{}", "body": "x"}}"#, server.url("/")))
        .await;
    assert_eq!(failed(&tried, ErrorKind::Http).status, Some(413));
}

/// Fifty slots and forty file descriptors: all jobs come through, none fails, with connections that are kept and with such that
/// are not.
#[test]
fn slots_without_a_file_descriptor_wait_their_turn() {
    const TEST: &str = "connections::slots_without_a_file_descriptor_wait_their_turn";
    // The servers stay in this process: the limit is not for them.
    let kept = Server::start_blocking(|_| Answer::ok("hello")).expect("a server");
    let closing = Server::start_blocking(|_| Answer::ok("hello").header("connection", "close"))
        .expect("a server");
    let urls = [kept.url("/"), closing.url("/"), kept.url("/")].join(" ");
    let Some(urls) = alone(TEST, &urls) else {
        assert_eq!(
            (kept.log().requests(), closing.log().requests()),
            (1000, 500)
        );
        assert!(
            kept.connections().opened < 80 && closing.connections().opened == 500,
            "{:?}",
            kept.connections()
        );
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let limit = rustix::process::Rlimit {
        current: Some(40),
        maximum: Some(40),
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("a limit");
    runtime.block_on(async {
        let rig = Rig::new();
        for url in urls.split(' ') {
            let all = slots(&rig, url, 50, 10).await;
            let failed = all.iter().find_map(|tried| tried.error.as_ref());
            assert_eq!((failed, all.len()), (None, 500));
        }
    });
}
