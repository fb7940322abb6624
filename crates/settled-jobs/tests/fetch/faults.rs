//! What a server, or the network before it, can do wrong: each with its kind, and whether it may be tried again.

use std::time::Duration;

use settled_jobs::ErrorKind;
use settled_testserver::{Answer, At, ClosedPort, Server};

use crate::rig::{Rig, answer, failed, good};

/// (path, answer, kind, another try, what the message says)
fn faults() -> Vec<(&'static str, Answer, ErrorKind, bool, &'static str)> {
    let ok = || Answer::ok("0123456789");
    vec![
        (
            "/reset-at-start",
            ok().reset(At::Start),
            ErrorKind::Reset,
            true,
            "before it answered",
        ),
        (
            "/reset-in-head",
            ok().reset(At::Head),
            ErrorKind::Reset,
            true,
            "before it answered",
        ),
        (
            "/close-at-start",
            ok().close(At::Start),
            ErrorKind::Reset,
            true,
            "closed the connection before it answered",
        ),
        (
            "/close-in-head",
            ok().close(At::Head),
            ErrorKind::Reset,
            true,
            "closed the connection before it answered",
        ),
        (
            "/reset-in-body",
            ok().reset(At::Body(3)),
            ErrorKind::Reset,
            true,
            "reset in the middle of the body",
        ),
        (
            "/close-in-body",
            ok().close(At::Body(3)),
            ErrorKind::Body,
            true,
            "the body ended early",
        ),
        (
            "/wrong-length",
            ok().content_length(11),
            ErrorKind::Body,
            true,
            "the body ended early",
        ),
        (
            "/no-last-chunk",
            Answer::status(200).chunked(["0", "1"]).close(At::Body(9)),
            ErrorKind::Body,
            true,
            "the body ended early",
        ),
        (
            "/half-chunk",
            Answer::status(200).chunked(["0123"]).close(At::Body(2)),
            ErrorKind::Body,
            true,
            "the body ended early",
        ),
        (
            "/bad-chunk",
            Answer::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n"),
            ErrorKind::Protocol,
            false,
            "the body is no HTTP",
        ),
        (
            "/garbage",
            Answer::raw("220 ready\r\n\r\n"),
            ErrorKind::Protocol,
            false,
            "the answer is no HTTP",
        ),
        (
            "/bad-length",
            Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n"),
            ErrorKind::Protocol,
            false,
            "the answer is no HTTP",
        ),
        (
            "/long-header",
            ok().header("x", vec![b'x'; 300_000]),
            ErrorKind::Protocol,
            false,
            "headers of the answer",
        ),
        (
            "/many-headers",
            ok().many_headers(200, 10),
            ErrorKind::Protocol,
            false,
            "headers of the answer",
        ),
        (
            "/huge-headers",
            ok().many_headers(90, 5_000),
            ErrorKind::Protocol,
            false,
            "headers of the answer",
        ),
        (
            "/404",
            Answer::status(404),
            ErrorKind::Http,
            false,
            "404 Not Found",
        ),
        ("/299", Answer::status(599), ErrorKind::Http, false, "599"),
    ]
}

#[tokio::test]
async fn each_fault_has_its_kind() {
    let answer = |path: &str| {
        faults()
            .into_iter()
            .find(|fault| fault.0 == path)
            .map(|fault| fault.1)
    };
    let server = Server::start(move |request| answer(request.path()).expect("a known path"))
        .await
        .expect("a server");
    for (path, _, kind, retry, message) in faults() {
        let tried = Rig::new().get(&server.url(path)).await;
        assert!(tried.error.is_some(), "{path}: {tried:?}");
        let failure = failed(&tried, kind);
        assert_eq!(failure.retry, retry, "{path}: {failure:?}");
        assert!(failure.message.contains(message), "{path}: {failure:?}");
    }
    assert_eq!(
        server.shutdown().await.requests(),
        faults().len(),
        "nothing was sent twice on a new connection"
    );
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_no_success_but_tells_its_status() {
    let server = Server::start(|_| Answer::ok("0123456789").close(At::Body(3)))
        .await
        .expect("a server");
    let tried = Rig::new().get(&server.url("/")).await;
    assert_eq!(failed(&tried, ErrorKind::Body).status, Some(200));
    assert_eq!(
        (
            answer(&tried).status,
            answer(&tried).bytes,
            &answer(&tried).body
        ),
        (200, 3, &None)
    );
}

#[tokio::test]
async fn the_status_is_told_rather_than_what_became_of_its_body() {
    let server = Server::start(|_| {
        Answer::status(503)
            .body("0123456789")
            .retry_after(3)
            .close(At::Body(3))
    })
    .await
    .expect("a server");
    let tried = Rig::new().get(&server.url("/")).await;
    let failure = failed(&tried, ErrorKind::Http);
    assert_eq!(
        (failure.status, failure.retry, failure.retry_after),
        (Some(503), true, Some(Duration::from_secs(3)))
    );
}

#[tokio::test]
async fn nobody_there() {
    let closed = ClosedPort::new().expect("a port");
    let tried = Rig::new().get(&format!("http://{}/", closed.addr())).await;
    let failure = failed(&tried, ErrorKind::Connect);
    assert_eq!(
        (&*failure.message, failure.retry),
        (
            format!("connection refused by {}", closed.addr()).as_str(),
            true
        )
    );
}

#[tokio::test]
async fn a_limit_of_time_covers_every_phase() {
    let stall = |path: &str| match path {
        "/answer" => Answer::ok("0123456789").stall(At::Start),
        "/head" => Answer::ok("0123456789").stall(At::Head),
        "/body" => Answer::ok("0123456789").stall(At::Body(5)),
        "/drip" => Answer::ok("0".repeat(1_000)).drip(Duration::from_millis(20)),
        "/drip-all" => Answer::ok("0".repeat(1_000)).drip_all(Duration::from_millis(20)),
        _ => Answer::endless(),
    };
    let server = Server::start(move |request| stall(request.path()))
        .await
        .expect("a server");
    let rig = Rig::with(|config| config.max_body = u64::MAX);
    let paths = [
        ("/answer", "the answer"),
        ("/head", "the answer"),
        ("/body", "the body"),
        ("/drip", "the body"),
        ("/drip-all", "the answer"),
        ("/endless", "the body"),
    ];
    for (path, phase) in paths {
        let job = rig.job(&server.url(path)).expect("a job");
        let tried = rig.attempt(&job, Duration::from_millis(150)).await;
        let failure = failed(&tried, ErrorKind::Timeout);
        let message = format!("timed out after 150ms waiting for {phase}");
        assert_eq!(
            (&*failure.message, failure.retry),
            (message.as_str(), true),
            "{path}"
        );
    }
    // Every connection is given up together with its try.
    server.wait_until(|log| log.connections.open == 0).await;
    assert_eq!(server.connections().opened, 6);
}

/// Connects, and then nothing comes: neither TLS nor HTTP.
#[tokio::test]
async fn the_connection_has_its_own_limit() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let rig = Rig::with(|config| config.connect.timeout = Duration::from_millis(100));
    let tried = rig
        .get(&format!(
            "https://{}/",
            silent.local_addr().expect("an address")
        ))
        .await;
    let failure = failed(&tried, ErrorKind::Timeout);
    assert_eq!(
        (&*failure.message, failure.retry),
        ("timed out after 100ms waiting for the connection", true)
    );
}

#[tokio::test]
async fn an_abort_ends_the_try_and_its_connection() {
    let server = Server::start(|_| Answer::ok("0123456789").stall(At::Body(3)))
        .await
        .expect("a server");
    let rig = Rig::new();
    let url = server.url("/");
    let (tried, ()) = tokio::join!(rig.get(&url), async {
        server.wait_until(|log| log.requests() == 1).await;
        rig.abort.abort("enough");
    });
    let failure = failed(&tried, ErrorKind::Cancelled);
    assert!(
        !failure.retry && failure.message.contains("enough"),
        "{failure:?}"
    );
    server.wait_until(|log| log.connections.open == 0).await;
    failed(&rig.get(&url).await, ErrorKind::Cancelled);
    assert_eq!(
        server.connections().opened,
        1,
        "what was aborted before is never started"
    );
}

#[tokio::test]
async fn interim_answers_and_trailers_are_passed_over() {
    let server = Server::start(|request| match request.path() {
        "/hints" => Answer::ok("x")
            .informational(103, &[("link", "</a>")])
            .informational(102, &[]),
        _ => Answer::raw(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n1\r\nx\r\n0\r\nx-t: 1\r\n\r\n",
        ),
    });
    let server = server.await.expect("a server");
    for path in ["/hints", "/trailers"] {
        assert_eq!(
            good(&Rig::new().get(&server.url(path)).await).bytes,
            1,
            "{path}"
        );
    }
}
