//! Proxies that the environment names. The environment is of the whole process, so each test runs in one of its own.

use std::process::Command;

use settled_jobs::ErrorKind;
use settled_testserver::tls::Authority;
use settled_testserver::{Answer, ClosedPort, Server};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::rig::{Rig, failed, good, text};

/// Runs the test of this name again with these variables, and waits for it; `false` in that process: go on.
fn with_environment(test: &str, variables: &[(&str, &str)]) -> bool {
    const MARK: &str = "SETTLED_TEST_PROXY";
    if std::env::var_os(MARK).is_some() {
        return false;
    }
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1");
    for name in [
        "ALL_PROXY",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "all_proxy",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "REQUEST_METHOD",
    ] {
        command.env_remove(name);
    }
    let run = command
        .envs(variables.iter().copied())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
    true
}

fn with_proxies() -> Rig {
    Rig::with(|config| {
        config.connect.proxies = true;
        config.connect.insecure = true;
    })
}

#[test]
fn http_goes_to_the_proxy_with_the_whole_url() {
    const TEST: &str = "proxy::http_goes_to_the_proxy_with_the_whole_url";
    let proxy =
        Server::start_blocking(|request| Answer::ok(request.target.clone())).expect("a server");
    let url = proxy.url("").replace("://", "://us%65r:pass@");
    if with_environment(
        TEST,
        &[("http_proxy", &url), ("NO_PROXY", "direct.invalid")],
    ) {
        let log = proxy.log();
        assert_eq!((log.requests(), log.connections.opened), (1, 1));
        let request = &log.exchanges[0].request;
        assert_eq!(request.header("host"), Some("far.invalid:81"));
        assert_eq!(
            request.header("proxy-authorization"),
            Some("Basic dXNlcjpwYXNz")
        );
        return;
    }
    run(async {
        let rig = with_proxies();
        let tried = rig.get("http://far.invalid:81/x?y").await;
        assert_eq!(text(good(&tried)), "http://far.invalid:81/x?y");
        failed(&rig.get("http://direct.invalid/").await, ErrorKind::Dns);
        assert!(!format!("{rig:?} {tried:?}").contains("pass"));
    });
}

#[test]
fn https_goes_through_a_tunnel() {
    const TEST: &str = "proxy::https_goes_through_a_tunnel";
    let authority = Authority::new().expect("an authority");
    let builder = Server::builder().tls(authority.good().expect("a certificate"));
    let server = builder
        .start_blocking(|_| Answer::ok("hello"))
        .expect("a server");
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", proxy.local_addr().expect("an address"));
    let to = server.addr();
    std::thread::spawn(move || run(tunnels(proxy, to)));
    if with_environment(TEST, &[("HTTPS_PROXY", &url)]) {
        assert_eq!(
            (server.connections().opened, server.log().requests()),
            (1, 2)
        );
        return;
    }
    run(async {
        let rig = with_proxies();
        for _ in 0..2 {
            assert_eq!(
                text(good(&rig.get("https://localhost:4433/").await)),
                "hello"
            );
        }
        let tried = rig.get("https://refused.invalid/").await;
        let failure = failed(&tried, ErrorKind::Connect);
        assert!(
            !failure.retry
                && failure
                    .message
                    .contains("no tunnel to refused.invalid:443: 403"),
            "{failure:?}"
        );
    });
}

/// A proxy that makes tunnels to `to`, wherever they are asked for, and refuses one.
async fn tunnels(proxy: std::net::TcpListener, to: std::net::SocketAddr) {
    proxy.set_nonblocking(true).expect("a listener");
    let proxy = TcpListener::from_std(proxy).expect("a listener");
    loop {
        let (mut client, _) = proxy.accept().await.expect("a connection");
        let asked = read_head(&mut client).await;
        if asked.starts_with("CONNECT refused.invalid:443 HTTP/1.1\r\n") {
            write(
                &client,
                b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
            )
            .await;
            continue;
        }
        assert!(
            asked.starts_with("CONNECT localhost:4433 HTTP/1.1\r\n"),
            "{asked}"
        );
        let mut server = TcpStream::connect(to).await.expect("the server");
        write(&client, b"HTTP/1.1 200 Connection established\r\n\r\n").await;
        tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
    }
}

#[test]
fn a_proxy_that_is_not_there_is_told_apart() {
    const TEST: &str = "proxy::a_proxy_that_is_not_there_is_told_apart";
    let closed = ClosedPort::new().expect("a port");
    if with_environment(TEST, &[("ALL_PROXY", &format!("http://{}", closed.addr()))]) {
        return;
    }
    run(async {
        let tried = with_proxies().get("http://far.invalid/").await;
        let failure = failed(&tried, ErrorKind::Connect);
        assert!(
            failure.retry && failure.message.starts_with("proxy: connection refused by"),
            "{failure:?}"
        );
    });
}

#[test]
fn a_proxy_of_another_kind_is_refused() {
    if with_environment(
        "proxy::a_proxy_of_another_kind_is_refused",
        &[("ALL_PROXY", "socks5://127.0.0.1:1")],
    ) {
        return;
    }
    run(async {
        let tried = with_proxies().get("http://far.invalid/").await;
        let failure = failed(&tried, ErrorKind::Connect);
        assert!(
            !failure.retry && failure.message.contains("socks5"),
            "{failure:?}"
        );
    });
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.readable().await.expect("a connection");
        let mut byte = [0];
        match stream.try_read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) => break,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
    String::from_utf8(head).expect("UTF-8")
}

async fn write(stream: &TcpStream, bytes: &[u8]) {
    stream.writable().await.expect("a connection");
    assert_eq!(stream.try_write(bytes).expect("written"), bytes.len());
}
