//! What is sent, and what is kept of the answer.

use std::fs;
use std::sync::Arc;

use settled_testserver::{Answer, Server};

use crate::rig::{Rig, answer, good, text};

#[tokio::test]
async fn a_plain_line_is_a_get() {
    let server = Server::start(|_| Answer::ok("hello"))
        .await
        .expect("a server");
    let host = server.addr().to_string();
    let tried = Rig::new().get(&server.url("/a?b=c")).await;
    assert_eq!(
        (good(&tried).status, good(&tried).bytes, text(good(&tried))),
        (200, 5, "hello")
    );
    assert_eq!((&good(&tried).headers, &good(&tried).url), (&None, &None));
    let log = server.shutdown().await;
    let request = &log.exchanges[0].request;
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("GET", "/a?b=c")
    );
    assert_eq!(request.header("host"), Some(host.as_str()));
    assert_eq!(
        request.header("user-agent"),
        Some(concat!("settled/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(request.header("accept"), Some("*/*"));
    assert_eq!(request.header("accept-encoding"), Some("gzip, br, zstd"));
    assert_eq!(request.headers.len(), 4, "{:?}", request.headers);
}

/// A line of a request-batch file as providers of language models define it runs as it is.
#[tokio::test]
async fn a_batch_file_runs_unchanged() {
    let server = Server::start(|request| Answer::json(request.body.clone()))
        .await
        .expect("a server");
    let rig = Rig::with(|config| {
        config.base_url = Some(server.url("/"));
        config
            .header("Authorization: Bearer sk-1", true)
            .expect("a header");
    });
    let line = r#"{"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "Hello \u00e9!"}]}}"#;
    let tried = rig.json(line).await;
    let body = r#"{"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "Hello \u00e9!"}]}"#;
    assert_eq!(text(good(&tried)), body, "byte for byte");
    let log = server.shutdown().await;
    let request = &log.exchanges[0].request;
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/v1/chat/completions")
    );
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.header("content-length"),
        Some(body.len().to_string().as_str())
    );
    assert_eq!(request.header("authorization"), Some("Bearer sk-1"));
}

#[tokio::test]
async fn a_job_goes_before_the_run() {
    let server = Server::start(Answer::echo).await.expect("a server");
    let rig = Rig::with(|config| {
        config.method = Some(http::Method::PUT);
        config.body = Some("the run's".into());
        config.header("X-One: run", false).expect("a header");
        config.header("X-Two: run", false).expect("a header");
    });
    let url = server.url("/");
    rig.get(&url).await;
    rig.json(&format!(r#"{{"url": "{url}", "method": "patch", "body": "its own", "headers": {{"x-one": ["a", "b"], "Accept-Encoding": "identity"}}}}"#)).await;
    let log = server.shutdown().await;
    let [run, own] = [0, 1].map(|nth| &*log.exchanges[nth].request);
    let ones = |request: &settled_testserver::Request| {
        let ones = request.headers.iter().filter(|(name, _)| name == "x-one");
        ones.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (run.method.as_str(), run.body.as_slice(), ones(run)),
        ("PUT", &b"the run's"[..], vec!["run".to_owned()])
    );
    assert_eq!(
        (own.method.as_str(), own.body.as_slice(), ones(own)),
        (
            "PATCH",
            &b"its own"[..],
            vec!["a".to_owned(), "b".to_owned()]
        )
    );
    assert_eq!(
        (own.header("x-two"), own.header("accept-encoding")),
        (Some("run"), Some("identity"))
    );
}

#[tokio::test]
async fn a_body_makes_a_post_and_may_come_from_a_file() {
    let server = Server::start(|_| Answer::status(204))
        .await
        .expect("a server");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("body");
    let content: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(&path, &content).expect("a file");
    let rig = Rig::new();
    let line = format!(r#"{{"url": "{}", "body_file": {path:?}}}"#, server.url("/"));
    assert_eq!(good(&rig.json(&line).await).status, 204);
    fs::remove_file(&path).expect("removed");
    let gone = rig.json(&line).await;
    assert!(!crate::rig::failed(&gone, settled_jobs::ErrorKind::Io).retry);
    let log = server.shutdown().await;
    assert_eq!(log.requests(), 1);
    assert_eq!(
        (
            log.exchanges[0].request.method.as_str(),
            &log.exchanges[0].request.body
        ),
        ("POST", &content)
    );
}

#[tokio::test]
async fn headers_and_body_are_kept_as_asked() {
    let server = Server::start(|_| {
        Answer::ok("0123456789")
            .header("x-a", "1")
            .header("x-a", "2")
    })
    .await
    .expect("a server");
    let rig = Rig::with(|config| {
        config.keep.headers = true;
        config.keep.inline = 4;
    });
    let tried = rig.get(&server.url("/")).await;
    let kept = good(&tried).body.as_ref().expect("a body");
    assert!(kept.truncated() && kept.bytes == b"0123" && kept.total == 10);
    let headers = good(&tried).headers.as_ref().expect("headers");
    assert_eq!(
        headers.get_all("x-a").iter().collect::<Vec<_>>(),
        ["1", "2"]
    );

    let rig = Rig::with(|config| config.keep.body = false);
    let tried = rig.get(&server.url("/")).await;
    assert_eq!((&good(&tried).body, good(&tried).bytes), (&None, 10));

    let dir = tempfile::tempdir().expect("a directory");
    let rig = Rig::with(|config| {
        config.keep.inline = 4;
        config.keep.save_dir = Some(Arc::from(dir.path()));
    });
    let tried = rig
        .json(&format!(r#"{{"url": "{}"}}"#, server.url("/")))
        .await;
    let file = good(&tried)
        .body
        .as_ref()
        .and_then(|body| body.file.clone())
        .expect("a file");
    assert_eq!(
        (file.clone(), fs::read(file).expect("its bytes")),
        (dir.path().join("7.body"), b"0123456789".to_vec())
    );
}

#[tokio::test]
async fn head_204_and_304_have_no_body() {
    let server = Server::start(|request| match request.path() {
        "/head" => Answer::ok("not sent"),
        path => Answer::status(path[1..].parse().expect("a status")),
    });
    let server = server.await.expect("a server");
    let rig = Rig::with(|config| config.ok_status = "200-399".parse().expect("statuses"));
    let head = rig
        .json(&format!(
            r#"{{"url": "{}", "method": "HEAD"}}"#,
            server.url("/head")
        ))
        .await;
    assert_eq!(good(&head).bytes, 0);
    for status in [204, 304] {
        assert_eq!(
            (
                good(&rig.get(&server.url(&format!("/{status}"))).await).status,
                0
            ),
            (status, 0)
        );
    }
    assert_eq!(server.shutdown().await.connections.opened, 1);
}

#[tokio::test]
async fn user_name_and_password_are_sent_and_never_shown() {
    let server = Server::start(|request| match request.path() {
        "/moved" => Answer::redirect(302, "/here"),
        _ => Answer::status(404),
    });
    let server = server.await.expect("a server");
    let rig = Rig::new();
    let url = server.url("/moved").replace("://", "://us%40er:s3cret@");
    let job = rig.job(&url).expect("a job");
    let tried = rig.attempt(&job, std::time::Duration::from_secs(60)).await;
    let shown = server.url("/here").replace("://", "://***@");
    assert_eq!(answer(&tried).url.as_deref(), Some(shown.as_str()));
    assert!(
        !format!("{job:?} {tried:?} {rig:?}").contains("s3cret"),
        "{job:?} {tried:?}"
    );
    let log = server.shutdown().await;
    for exchange in &log.exchanges {
        assert_eq!(
            exchange.request.header("authorization"),
            Some("Basic dXNAZXI6czNjcmV0"),
            "also where it was redirected to"
        );
    }
}

#[tokio::test]
async fn secrets_are_shown_nowhere() {
    let rig = Rig::with(|config| {
        config
            .header("Authorization: Bearer s3cret", false)
            .expect("a header");
        config.header("X-Api-Key: s3cret", true).expect("a header");
        let bad = config.header("X-Api-Key: s3cret\n", true);
        assert!(bad.is_ok(), "a line end at the end is only white space");
        let bad = config
            .header("X-Api-Key: s3c\nret", true)
            .expect_err("no header");
        assert!(!bad.to_string().contains("s3c"), "{bad}");
    });
    let job = rig
        .job(r#"{"url": "http://127.0.0.1:1/", "headers": {"Cookie": "s3cret"}}"#)
        .expect("a job");
    let tried = rig.attempt(&job, std::time::Duration::from_secs(60)).await;
    assert!(!format!("{rig:?} {job:?} {tried:?}").contains("s3cret"));
}

#[tokio::test]
async fn the_idempotency_key_is_the_jobs() {
    let server = Server::start(|_| Answer::status(503))
        .await
        .expect("a server");
    let rig = |seed: &str| Rig::with(|config| config.idempotency_key = Some(seed.to_owned()));
    let line = |id: &str| {
        format!(
            r#"{{"id": "{id}", "url": "{}", "body": "x"}}"#,
            server.url("/")
        )
    };
    let one = rig("ledger");
    for tried in [
        one.json(&line("a")).await,
        one.json(&line("a")).await,
        one.json(&line("b")).await,
        rig("other").json(&line("a")).await,
    ] {
        assert!(
            tried.error.expect("a failure").retry,
            "a key makes a POST repeatable"
        );
    }
    let log = server.shutdown().await;
    let keys: Vec<_> = log
        .exchanges
        .iter()
        .map(|exchange| exchange.request.header("idempotency-key").expect("a key"))
        .collect();
    assert!(
        keys[0] == keys[1] && keys[0] != keys[2] && keys[0] != keys[3],
        "{keys:?}"
    );
    assert_eq!(keys[0].len(), 32);
}
