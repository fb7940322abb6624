//! `deny_private`: lists that are not trusted reach nothing that is not public.

use settled_jobs::ErrorKind;
use settled_testserver::{Answer, Server};

use crate::rig::{Rig, failed};

#[tokio::test]
async fn no_way_of_writing_an_address_gets_through() {
    let server = Server::start(|_| Answer::ok("secret"))
        .await
        .expect("a server");
    let port = server.addr().port();
    let rig = Rig::with(|config| config.connect.deny_private = true);
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "[::]",
        "127.0.0.1.",
    ] {
        let tried = rig.get(&format!("http://{host}:{port}/")).await;
        let failure = failed(&tried, ErrorKind::Connect);
        assert!(
            !failure.retry && failure.message.contains("is no public address"),
            "{host}: {failure:?}"
        );
    }
    for host in [
        "169.254.169.254",
        "10.0.0.1",
        "[fd00:ec2::254]",
        "[64:ff9b::a9fe:a9fe]",
    ] {
        failed(
            &rig.get(&format!("http://{host}/latest/meta-data/")).await,
            ErrorKind::Connect,
        );
    }
    assert_eq!(server.shutdown().await.connections.opened, 0);
}

/// A proxy would resolve names itself, behind our back.
#[tokio::test]
async fn no_proxy_and_no_file_is_used() {
    let rig = Rig::with(|config| {
        config.connect.deny_private = true;
        config.connect.proxies = true;
    });
    assert!(format!("{:?}", rig.work).contains("proxies: None"));
    let failure = rig
        .job(r#"{"url": "http://a.example/", "body_file": "/etc/passwd"}"#)
        .expect_err("refused");
    assert!(
        failure.kind == ErrorKind::Input && failure.message.contains("body_file"),
        "{failure:?}"
    );
}
