//! Start and end of a server: nothing of it is left.

use std::net::TcpStream;
use std::time::Duration;

use settled_testserver::misbehaving::Misbehaving;
use settled_testserver::{Answer, At, Connections, Server};
use tokio::runtime::Handle;

use crate::client::{Client, End};

#[tokio::test]
async fn shutdown_leaves_no_connection_and_no_task() {
    let before = Handle::current().metrics().num_alive_tasks();
    let server = Server::start(|request| match request.path() {
        "/stall" => Answer::ok("x").stall(At::Body(0)),
        _ => Answer::ok("x"),
    })
    .await
    .unwrap();
    let addr = server.addr();
    // Idle, in the middle of a request, in the middle of an answer.
    let clients = tokio::task::spawn_blocking(move || {
        let mut clients = [
            Client::get(addr, "/"),
            Client::new(addr),
            Client::get(addr, "/stall"),
        ];
        clients[0].answer();
        clients[1].send("GET / HT");
        clients[2].head();
        clients
    })
    .await
    .unwrap();
    server.wait_until(|log| log.connections.open == 3).await;
    let log = server.shutdown().await;
    assert_eq!(log.connections, Connections { opened: 3, open: 0 });
    assert_eq!((log.answered(), log.complete()), (2, 1));
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
    let [idle, asking, stalled] = clients.map(|mut client| client.rest().1);
    assert_eq!((idle, stalled), (End::Closed, End::Closed));
    // What was not read of a request turns its close into a reset.
    assert!(matches!(asking, End::Closed | End::Reset));
    assert!(TcpStream::connect(addr).is_err());
}

#[tokio::test]
async fn a_drop_ends_everything_too() {
    let server = Server::start(|_| Answer::ok("x").stall(At::Start))
        .await
        .unwrap();
    let addr = server.addr();
    let client = tokio::task::spawn_blocking(move || Client::get(addr, "/"))
        .await
        .unwrap();
    server.wait_until(|log| log.requests() == 1).await;
    drop(server);
    let mut client = client;
    assert_eq!(
        tokio::task::spawn_blocking(move || client.rest())
            .await
            .unwrap(),
        (String::new(), End::Closed)
    );
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn a_server_on_its_own_thread_ends_with_its_drop() {
    let server = Server::start_blocking(|_| Answer::ok("x").stall(At::Start)).unwrap();
    let mut client = Client::get(server.addr(), "/");
    let addr = server.addr();
    drop(server);
    assert_eq!(client.rest().0, "");
    assert!(TcpStream::connect(addr).is_err());
}

#[tokio::test]
async fn a_server_on_its_own_thread_can_be_awaited() {
    let server = Server::start_blocking(|_| Answer::ok("x")).unwrap();
    let addr = server.addr();
    tokio::task::spawn_blocking(move || Client::get(addr, "/").answer())
        .await
        .unwrap();
    assert_eq!(server.shutdown().await.complete(), 1);
}

#[test]
fn a_server_whose_runtime_is_gone_is_shut_down() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = runtime
        .block_on(Server::start(|_| Answer::ok("x")))
        .unwrap();
    drop(runtime);
    assert_eq!(server.shutdown_blocking().connections.open, 0);
}

#[test]
#[should_panic(expected = "the handler's own words")]
fn a_handler_that_panics_is_heard_at_the_shutdown() {
    let server = Server::start_blocking(|_| panic!("the handler's own words")).unwrap();
    assert_eq!(Client::get(server.addr(), "/").rest().0, "");
    server.wait_until_blocking(|log| log.connections.open == 0);
    assert!(!server.log().exchanges[0].answered.unwrap().complete);
    server.shutdown_blocking();
}

#[test]
fn an_address_can_be_taken_again() {
    let first = Server::start_blocking(|_| Answer::ok("first")).unwrap();
    let addr = first.addr();
    assert_eq!(Client::get(addr, "/").answer().1, "first");
    let error = Server::builder()
        .bind(addr)
        .start_blocking(|_| Answer::ok(""))
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    first.shutdown_blocking();
    let second = Server::builder()
        .bind(addr)
        .start_blocking(|_| Answer::ok("second"))
        .unwrap();
    assert_eq!(Client::get(second.addr(), "/").answer().1, "second");
}

#[test]
fn an_idle_connection_is_closed_when_patience_ends() {
    let server = Server::builder()
        .patience(Duration::from_millis(1))
        .start_blocking(|_| Answer::ok("x"))
        .unwrap();
    assert_eq!(
        Client::new(server.addr()).rest(),
        (String::new(), End::Closed)
    );
    let log = server.wait_until_blocking(|log| log.connections.open == 0);
    assert!(log.broken.is_empty());
}

#[test]
fn further_connections_wait_until_one_has_ended() {
    let server = Server::builder()
        .max_connections(1)
        .start_blocking(|request| Answer::ok(request.target.as_str()))
        .unwrap();
    let mut first = Client::get(server.addr(), "/1");
    first.answer();
    let mut second = Client::get(server.addr(), "/2");
    first.ask("/3");
    first.answer();
    assert_eq!(server.connections().opened, 1);
    drop(first);
    assert_eq!(second.answer().1, "/2");
}

#[tokio::test]
async fn the_misbehaving_api_leaves_nothing_either() {
    let before = Handle::current().metrics().num_alive_tasks();
    let api = Misbehaving::builder(1).start().await.unwrap();
    let addr = api.addr();
    let client = tokio::task::spawn_blocking(move || Client::get(addr, "/item/1"))
        .await
        .unwrap();
    api.wait_until(|tally| tally.totals().requests == 1).await;
    let tally = api.shutdown().await;
    assert_eq!(
        (tally.totals().now, tally.totals().connections),
        (0, Connections { opened: 1, open: 0 })
    );
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
    drop(client);
}
