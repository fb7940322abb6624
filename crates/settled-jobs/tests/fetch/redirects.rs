//! Redirects: where they lead, what goes along, and which are refused.

use std::sync::Arc;

use settled_jobs::ErrorKind;
use settled_testserver::tls::Authority;
use settled_testserver::{Answer, Log, Server};

use crate::rig::{Rig, answer, failed, good, text};

fn asked(log: &Log) -> Vec<String> {
    log.exchanges
        .iter()
        .map(|exchange| {
            format!(
                "{} {} {}",
                exchange.request.method,
                exchange.request.target,
                exchange.request.body.len()
            )
        })
        .collect()
}

#[tokio::test]
async fn methods_and_bodies_follow_as_browsers_do() {
    let moved = |path: &str| {
        path[1..].parse().map_or_else(
            |_| Answer::ok("there"),
            |status| Answer::redirect(status, "/there"),
        )
    };
    let server = Server::start(move |request| moved(request.path()))
        .await
        .expect("a server");
    let rig = Rig::new();
    for status in [301, 302, 303, 307, 308] {
        for method in ["GET", "HEAD", "POST", "PUT"] {
            let line = format!(
                r#"{{"url": "{}", "method": "{method}", "body": "{{}}", "headers": {{"content-type": "application/json"}}}}"#,
                server.url(&format!("/{status}"))
            );
            let tried = rig.json(&line.replace("\"{}\"", "\"xy\"")).await;
            assert_eq!(
                good(&tried).url.as_deref(),
                Some(server.url("/there").as_str())
            );
        }
    }
    let log = server.shutdown().await;
    let followed: Vec<_> = log.of("/there").collect();
    let sent = |exchange: &settled_testserver::Exchange| {
        (exchange.request.method.clone(), exchange.request.body.len())
    };
    let expected = [
        ("GET", 2),
        ("HEAD", 2),
        ("GET", 0),
        ("PUT", 2), // 301
        ("GET", 2),
        ("HEAD", 2),
        ("GET", 0),
        ("PUT", 2), // 302
        ("GET", 0),
        ("HEAD", 2),
        ("GET", 0),
        ("GET", 0), // 303
        ("GET", 2),
        ("HEAD", 2),
        ("POST", 2),
        ("PUT", 2), // 307
        ("GET", 2),
        ("HEAD", 2),
        ("POST", 2),
        ("PUT", 2), // 308
    ];
    assert_eq!(
        followed.iter().map(|one| sent(one)).collect::<Vec<_>>(),
        expected.map(|(method, body)| (method.to_owned(), body))
    );
    for one in followed {
        assert_eq!(
            one.request.header("content-type").is_some(),
            !one.request.body.is_empty(),
            "what is about the body goes with the body"
        );
    }
    assert_eq!(log.connections.opened, 1);
}

#[tokio::test]
async fn a_loop_ends() {
    let server = Server::start(|_| Answer::redirect(302, "/again"))
        .await
        .expect("a server");
    let tried = Rig::new().get(&server.url("/")).await;
    let failure = failed(&tried, ErrorKind::Redirect);
    assert_eq!(
        (&*failure.message, failure.status, failure.retry),
        ("more than 10 redirects", Some(302), false)
    );
    assert_eq!(server.shutdown().await.requests(), 11);
}

#[tokio::test]
async fn a_location_has_to_lead_somewhere() {
    let server = Server::start(|request| match request.path() {
        "/none" => Answer::status(302),
        "/ftp" => Answer::redirect(302, "ftp://a.example/"),
        "/broken" => Answer::redirect(302, "http://[::1/"),
        "/relative" => Answer::redirect(302, "../x/./there?a=ä#f"),
        _ => Answer::ok("there"),
    });
    let server = server.await.expect("a server");
    let rig = Rig::new();
    for (path, message) in [
        ("/none", "without a Location"),
        ("/ftp", "only http and https"),
        ("/broken", "invalid IPv6"),
    ] {
        let tried = rig.get(&server.url(path)).await;
        let failure = failed(&tried, ErrorKind::Redirect);
        assert!(
            failure.message.contains(message) && !failure.retry,
            "{failure:?}"
        );
    }
    let tried = rig.get(&server.url("/relative")).await;
    assert_eq!(good(&tried).url, Some(server.url("/x/there?a=%C3%A4")));
}

#[tokio::test]
async fn secrets_stay_with_their_origin() {
    let second = Server::start(|request| match request.path() {
        "/back" => Answer::redirect(302, request.query("to").expect("where to").as_bytes()),
        _ => Answer::ok("there"),
    });
    let second = second.await.expect("a server");
    let elsewhere = second.url("/there");
    let first = Server::start(move |request| match request.path() {
        "/same" => Answer::redirect(302, "/here"),
        "/other" => Answer::redirect(302, elsewhere.as_bytes()),
        _ => Answer::ok("here"),
    });
    let first = first.await.expect("a server");
    let rig = Rig::with(|config| config.header("X-Api-Key: k", true).expect("a header"));
    let line = |url: &str| {
        format!(
            r#"{{"url": "{url}", "headers": {{"Authorization": "Bearer x", "Cookie": "a=b", "X-Plain": "1", "Host": "set.example"}}}}"#
        )
    };
    rig.json(&line(&first.url("/same"))).await;
    rig.json(&line(&first.url("/other"))).await;
    rig.get(&first.url("/other").replace("://", "://user:pass@"))
        .await;
    // There and back again: what was dropped is not picked up again.
    rig.json(&line(&format!(
        "{}?to={}",
        second.url("/back"),
        first.url("/here")
    )))
    .await;
    let (host, there) = (second.addr().to_string(), second.shutdown().await);
    let here = first.shutdown().await;
    let secret = |request: &settled_testserver::Request| {
        ["authorization", "cookie", "x-api-key"].map(|name| request.header(name).is_some())
    };
    let at: Vec<_> = here
        .of("/here")
        .map(|one| {
            (
                secret(&one.request),
                one.request.header("x-plain").is_some(),
            )
        })
        .collect();
    assert_eq!(at, [([true; 3], true), ([false; 3], true)]);
    assert_eq!(there.of("/there").count(), 2);
    for one in there.of("/there") {
        assert_eq!(
            (secret(&one.request), one.request.header("host")),
            ([false; 3], Some(host.as_str())),
            "{:?}",
            one.request.headers
        );
    }
}

#[tokio::test]
async fn https_does_not_become_http() {
    let authority = Authority::new().expect("an authority");
    let plain = Server::start(|_| Answer::ok("in the clear"))
        .await
        .expect("a server");
    let (to, config) = (plain.url("/"), authority.good().expect("a certificate"));
    let secure = Server::builder()
        .tls(Arc::clone(&config))
        .start(move |_| Answer::redirect(301, to.as_bytes()))
        .await
        .expect("a server");
    let rig = Rig::with(|config| config.connect.insecure = true);
    let tried = rig.get(&secure.url("/")).await;
    let failure = failed(&tried, ErrorKind::Redirect);
    assert_eq!(
        (&*failure.message, failure.retry),
        (
            format!("redirect from https to {} refused", plain.url("/")).as_str(),
            false
        )
    );
    assert_eq!(plain.shutdown().await.requests(), 0);
}

#[tokio::test]
async fn redirects_may_be_left_alone() {
    let server = Server::start(|_| Answer::redirect(302, "/there").body("over there"))
        .await
        .expect("a server");
    let tried = Rig::with(|config| config.max_redirects = None)
        .get(&server.url("/"))
        .await;
    assert_eq!(failed(&tried, ErrorKind::Http).status, Some(302));
    assert_eq!(text(answer(&tried)), "over there");
    let rig = Rig::with(|config| config.max_redirects = Some(0));
    assert_eq!(
        &*failed(&rig.get(&server.url("/")).await, ErrorKind::Redirect).message,
        "more than 0 redirects"
    );
    assert_eq!(asked(&server.shutdown().await), ["GET / 0", "GET / 0"]);
}

/// A large body of a redirect is not read for the sake of the connection.
#[tokio::test]
async fn nobody_reads_what_a_redirect_has_to_say() {
    let server = Server::start(|request| match request.path() {
        "/small" => Answer::redirect(302, "/there").body("x".repeat(100)),
        "/large" => Answer::redirect(302, "/there").body("x".repeat(1_000_000)),
        "/endless" => Answer::endless()
            .with_status(302)
            .header("location", "/there"),
        _ => Answer::ok("there"),
    });
    let server = server.await.expect("a server");
    let rig = Rig::new();
    for (path, connections) in [("/small", 1), ("/large", 2), ("/endless", 3)] {
        assert_eq!(text(good(&rig.get(&server.url(path)).await)), "there");
        assert_eq!(server.connections().opened, connections, "{path}");
    }
}
