//! Servers that speak TLS: who is believed, and how a connection ends.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore, ServerConfig};
use settled_testserver::tls::{Authority, self_signed};
use settled_testserver::{Answer, At, Request, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What one request gives to a client that trusts `authority`, and how the connection ended.
async fn get(
    authority: &Authority,
    server: &Server,
    name: &'static str,
) -> io::Result<(String, io::Result<usize>)> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(server.addr()).await?;
    let mut tls = TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name).unwrap(), tcp)
        .await?;
    tls.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        .await?;
    let mut all = Vec::new();
    let end = tls.read_to_end(&mut all).await;
    Ok((String::from_utf8(all).unwrap(), end))
}

async fn start(
    config: Arc<ServerConfig>,
    handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> Server {
    Server::builder().tls(config).start(handler).await.unwrap()
}

/// Why a client that trusts the authority refuses such a server.
async fn refusal(authority: &Authority, config: Arc<ServerConfig>) -> CertificateError {
    let server = start(config, |_| Answer::ok("never")).await;
    let error = get(authority, &server, "localhost").await.unwrap_err();
    let log = server.wait_until(|log| log.connections.open == 0).await;
    assert_eq!((log.requests(), log.broken.len()), (0, 1));
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(Error::InvalidCertificate(why)) => why.clone(),
        _ => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_good_certificate_is_believed_by_name_and_address() {
    let authority = Authority::new().unwrap();
    assert!(authority.pem().starts_with("-----BEGIN CERTIFICATE-----"));
    let server = start(authority.good().unwrap(), |_| Answer::ok("hello")).await;
    assert!(server.url("/").starts_with("https://127.0.0.1:"));
    for name in ["localhost", "127.0.0.1"] {
        let (all, end) = get(&authority, &server, name).await.unwrap();
        assert!(
            all.ends_with("\r\n\r\nhello") && end.is_ok(),
            "{all} {end:?}"
        );
    }
    assert_eq!(server.shutdown().await.complete(), 2);
}

#[tokio::test]
async fn bad_certificates_are_bad_in_their_way() {
    let authority = Authority::new().unwrap();
    let why = refusal(&authority, authority.expired().unwrap()).await;
    assert!(
        matches!(
            why,
            CertificateError::Expired | CertificateError::ExpiredContext { .. }
        ),
        "{why:?}"
    );
    let why = refusal(&authority, authority.wrong_host().unwrap()).await;
    assert!(
        matches!(
            why,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        ),
        "{why:?}"
    );
    let why = refusal(&authority, self_signed().unwrap()).await;
    assert!(matches!(why, CertificateError::UnknownIssuer), "{why:?}");
    let stranger = Authority::new().unwrap();
    let why = refusal(&stranger, authority.good().unwrap()).await;
    assert!(
        matches!(
            why,
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        ),
        "{why:?}"
    );
}

#[tokio::test]
async fn an_end_in_good_order_a_cut_and_a_reset_differ() {
    let authority = Authority::new().unwrap();
    for (answer, expected) in [
        (Answer::ok("").until_close("hello"), None),
        (
            Answer::ok("").until_close("hello").cut(At::End),
            Some(io::ErrorKind::UnexpectedEof),
        ),
        (
            Answer::ok("").until_close("hello").reset(At::End),
            Some(io::ErrorKind::ConnectionReset),
        ),
    ] {
        let server = start(authority.good().unwrap(), move |_| answer.clone()).await;
        let (all, end) = get(&authority, &server, "localhost").await.unwrap();
        assert!(all.ends_with("hello"), "{all}");
        assert_eq!(end.map_err(|error| error.kind()).err(), expected);
        // The end of the connection is the end of such a body: torn, it is not complete.
        assert_eq!(
            server.shutdown().await.complete(),
            usize::from(expected.is_none())
        );
    }
}

#[test]
fn a_tls_server_on_its_own_thread() {
    let authority = Authority::new().unwrap();
    let server = Server::builder()
        .tls(authority.good().unwrap())
        .start_blocking(|_| Answer::ok("hello"))
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (all, _) = runtime
        .block_on(get(&authority, &server, "localhost"))
        .unwrap();
    assert!(all.ends_with("hello"), "{all}");
    server.shutdown_blocking();
}
