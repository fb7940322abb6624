//! TLS: who is trusted, and what is said where nobody is.

use std::io::Write;
use std::sync::Arc;

use settled_jobs::ErrorKind;
use settled_jobs::fetch::FetchConfig;
use settled_testserver::tls::{Authority, self_signed};
use settled_testserver::{Answer, At, Server};

use crate::rig::{Rig, failed, good};

/// A core that trusts `authority`.
fn trusting(authority: &Authority) -> Rig {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(authority.pem().as_bytes()).expect("written");
    Rig::with(|config: &mut FetchConfig| config.connect.ca_file = Some(file.path().to_owned()))
}

#[tokio::test]
async fn a_certificate_that_is_trusted_by_file_works() {
    let authority = Authority::new().expect("an authority");
    let server = Server::builder()
        .tls(authority.good().expect("a certificate"))
        .start(|_| Answer::ok("hello"))
        .await
        .expect("a server");
    let rig = trusting(&authority);
    for _ in 0..3 {
        assert_eq!(good(&rig.get(&server.url("/")).await).bytes, 5);
    }
    let by_name = server.url("/").replace("127.0.0.1", "localhost");
    assert_eq!(good(&rig.get(&by_name).await).bytes, 5);
    assert_eq!(
        server.shutdown().await.connections.opened,
        2,
        "one for each origin"
    );
}

#[tokio::test]
async fn a_bad_certificate_is_told_in_words_and_not_tried_again() {
    let authority = Authority::new().expect("an authority");
    let bad = [
        (
            authority.expired(),
            "certificate expired on Sat, 01 Jan 2000",
        ),
        (
            authority.wrong_host(),
            "certificate is for elsewhere.invalid, not for 127.0.0.1",
        ),
        (
            self_signed(),
            "self-signed certificate (unknown issuer); --cacert FILE trusts it",
        ),
    ];
    for (certificate, message) in bad {
        let config = certificate.expect("a certificate");
        let server = Server::builder()
            .tls(Arc::clone(&config))
            .start(|_| Answer::ok("hello"))
            .await
            .expect("a server");
        let tried = trusting(&authority).get(&server.url("/")).await;
        let failure = failed(&tried, ErrorKind::Tls);
        assert!(
            failure.message.starts_with(message) && !failure.retry,
            "{failure:?}"
        );
        let insecure = Rig::with(|config| config.connect.insecure = true);
        assert_eq!(good(&insecure.get(&server.url("/")).await).bytes, 5);
        assert_eq!(
            server.shutdown().await.requests(),
            1,
            "nothing was sent to whom we do not trust"
        );
    }
}

/// As nginx does it: what is no HTTP to it is answered in HTTP.
#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    let rig = Rig::with(|config| config.connect.insecure = true);
    let (tried, _stream) = tokio::join!(rig.get(&url), async {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.writable().await.expect("a connection");
        stream
            .try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .expect("written");
        stream
    });
    let failure = failed(&tried, ErrorKind::Tls);
    assert!(
        failure.message.contains("does not speak TLS") && !failure.retry,
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_handshake_that_is_cut_may_be_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    let rig = Rig::with(|config| config.connect.insecure = true);
    let (tried, _) = tokio::join!(rig.get(&url), async {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.readable().await.expect("a hello");
        let mut hello = [0; 4096];
        let _ = stream.try_read(&mut hello);
    });
    let failure = failed(&tried, ErrorKind::Tls);
    assert!(
        failure.retry
            && failure
                .message
                .contains("closed the connection during the TLS handshake"),
        "{failure:?}"
    );
}

/// Without the `close_notify` of TLS nobody can tell a body that ends with its connection from one that was cut.
#[tokio::test]
async fn a_body_that_ends_without_close_notify_is_cut_short() {
    let authority = Authority::new().expect("an authority");
    let handler = |request: &settled_testserver::Request| match request.path() {
        "/cut" => Answer::status(200).until_close("01234").cut(At::Body(5)),
        _ => Answer::status(200).until_close("01234"),
    };
    let server = Server::builder()
        .tls(authority.good().expect("a certificate"))
        .start(handler)
        .await
        .expect("a server");
    let rig = trusting(&authority);
    assert_eq!(good(&rig.get(&server.url("/whole")).await).bytes, 5);
    assert!(failed(&rig.get(&server.url("/cut")).await, ErrorKind::Body).retry);
}

#[test]
fn a_certificate_file_has_to_have_certificates() {
    let with = |path: &std::path::Path| {
        let mut config = FetchConfig::default();
        config.connect.ca_file = Some(path.to_owned());
        settled_jobs::fetch::FetchWork::new(config)
            .expect_err("no certificates")
            .to_string()
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    assert!(with(file.path()).contains("no certificate in the file"));
    assert!(with(std::path::Path::new("/nowhere.pem")).contains("/nowhere.pem"));
}
