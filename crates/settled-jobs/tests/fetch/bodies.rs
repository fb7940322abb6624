//! Bodies: content encodings, and limits that hold for bombs too.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use settled_jobs::ErrorKind;
use settled_testserver::{Answer, Server};

use crate::rig::{Rig, alone, answer, failed, good, text};

const HELLO: &str = "hello, hello, hello, hello and once more hello";
/// [`HELLO`] by the reference encoders, which are no libraries of ours.
const BR: &str = "1b2d00f8c56d6c5df9de232838a45a104244994727304214ed78cdf60441e711a4";
const ZSTD: &str =
    "28b52ffd242e0d0100d868656c6c6f2c2020616e64206f6e6365206d6f72652068656c6c6f01004a8a112d05bdd9";
/// Two frames without a length, and one between them that is to be skipped.
const ZSTD_FRAMES: &str = "28b52ffd00586d00003868656c6c6f2c2001003a8a11502a4d180300000061626328b52ffd0058d100002068656c6c6f20616e64206f6e6365206d6f72652068656c6c6f";
/// A window of 128 MiB.
const ZSTD_WINDOW: &str =
    "28b52ffd00880d0100d868656c6c6f2c2020616e64206f6e6365206d6f72652068656c6c6f01004a8a11";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"))
        .collect()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(plain)
        .and_then(|()| gzip.finish())
        .expect("in memory")
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(plain)
        .and_then(|()| zlib.finish())
        .expect("in memory")
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    deflate
        .write_all(plain)
        .and_then(|()| deflate.finish())
        .expect("in memory")
}

/// (content encoding, body that is [`HELLO`])
fn encoded() -> Vec<(&'static str, Vec<u8>)> {
    let hello = HELLO.as_bytes();
    vec![
        ("gzip", gzip(hello)),
        ("X-GZIP", [gzip(&hello[..9]), gzip(&hello[9..])].concat()),
        ("deflate", zlib(hello)),
        ("deflate", deflate(hello)),
        ("br", bytes(BR)),
        ("zstd", bytes(ZSTD)),
        ("zstd", bytes(ZSTD_FRAMES)),
        ("deflate, gzip", gzip(&zlib(hello))),
        (
            "zstd, identity, deflate, gzip",
            gzip(&deflate(&bytes(ZSTD))),
        ),
        ("identity", hello.to_vec()),
    ]
}

/// A server whose target `/n` has the nth body, whole at once and byte by byte.
async fn serving(bodies: &[(&'static str, Vec<u8>)]) -> Server {
    let bodies = bodies.to_vec();
    let handler = move |request: &settled_testserver::Request| {
        let (encoding, body) = &bodies[request.path()[1..].parse::<usize>().expect("a number")];
        match request.query("pieces") {
            Some(_) => Answer::status(200)
                .header("content-encoding", *encoding)
                .chunked(body.iter().map(|byte| [*byte])),
            None => Answer::ok(body.clone()).header("content-encoding", *encoding),
        }
    };
    Server::start(handler).await.expect("a server")
}

#[tokio::test]
async fn encoded_bodies_are_decoded() {
    let server = serving(&encoded()).await;
    let rig = Rig::new();
    for (nth, (encoding, _)) in encoded().iter().enumerate() {
        for pieces in ["", "?pieces=1"] {
            let tried = rig.get(&server.url(&format!("/{nth}{pieces}"))).await;
            assert_eq!(
                (text(good(&tried)), good(&tried).bytes),
                (HELLO, HELLO.len() as u64),
                "{encoding}{pieces}"
            );
        }
    }
}

#[tokio::test]
async fn who_asks_for_an_encoding_gets_it_as_it_came() {
    let server = serving(&encoded()).await;
    let url = server.url("/0");
    let own = format!(r#"{{"url": "{url}", "headers": {{"accept-encoding": "gzip"}}}}"#);
    let raw = gzip(HELLO.as_bytes());
    let kept =
        |tried: &settled_jobs::Tried| good(tried).body.as_ref().expect("a body").bytes.clone();
    assert_eq!(kept(&Rig::new().json(&own).await), raw);
    assert_eq!(
        kept(
            &Rig::with(|config| config.compression = false)
                .get(&url)
                .await
        ),
        raw
    );
    let run = Rig::with(|config| {
        config
            .header("Accept-Encoding: gzip", false)
            .expect("a header")
    });
    assert_eq!(kept(&run.get(&url).await), raw);
    let asked = |at: usize| {
        server.log().exchanges[at]
            .request
            .header("accept-encoding")
            .map(str::to_owned)
    };
    assert_eq!(
        (asked(0).as_deref(), asked(1), asked(2).as_deref()),
        (Some("gzip"), None, Some("gzip"))
    );
}

/// Every encoding cut at every byte, and with a byte of it turned over: never a success with other bytes, never a panic.
#[tokio::test]
async fn a_broken_encoding_is_an_error() {
    let mut broken = Vec::new();
    for (encoding, body) in encoded()
        .into_iter()
        .filter(|(encoding, _)| *encoding != "identity")
    {
        broken.extend((1..body.len()).map(|end| (encoding, body[..end].to_vec())));
    }
    let count = broken.len();
    let server = serving(&broken).await;
    let rig = Rig::new();
    let mut whole = 0;
    for (nth, (encoding, body)) in broken.iter().enumerate() {
        let tried = rig.get(&server.url(&format!("/{nth}"))).await;
        if tried.error.is_none() {
            // Cut between two gzip members, or two zstd frames: nothing is missing that anybody could miss.
            assert!(
                matches!(*encoding, "X-GZIP" | "zstd") && HELLO.starts_with(text(good(&tried))),
                "{encoding} {body:x?}"
            );
            whole += 1;
            continue;
        }
        let failure = failed(&tried, ErrorKind::Decode);
        assert!(
            !failure.retry && failure.status == Some(200),
            "{encoding}: {failure:?}"
        );
        assert_eq!(answer(&tried).body, None);
    }
    assert!(whole <= 3 && count > 300, "{whole} of {count}");
}

#[tokio::test]
async fn an_encoding_that_can_not_be_read_is_named() {
    let many = "gzip, gzip, gzip, gzip, gzip";
    let bodies = [
        ("bzip9", b"x".to_vec()),
        (many, b"x".to_vec()),
        ("zstd", bytes(ZSTD_WINDOW)),
        ("br", Vec::new()),
        ("gzip", b"no gzip".to_vec()),
    ];
    let server = serving(&bodies).await;
    let rig = Rig::new();
    for (nth, message) in [
        (0, "unknown content encoding \"bzip9\""),
        (1, "5 content encodings"),
        (2, "window of 134217728"),
        (4, "broken"),
    ] {
        let tried = rig.get(&server.url(&format!("/{nth}"))).await;
        assert!(
            failed(&tried, ErrorKind::Decode).message.contains(message),
            "{:?}",
            tried.error
        );
    }
    assert_eq!(
        good(&rig.get(&server.url("/3")).await).bytes,
        0,
        "no content is no broken content"
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_downloaded() {
    let server = Server::start(|request| match request.path() {
        "/announced" => Answer::fill(1 << 40),
        "/exact" => Answer::fill(100_000),
        "/one-more" => Answer::fill(100_001),
        _ => Answer::endless(),
    });
    let server = server.await.expect("a server");
    let rig = Rig::with(|config| config.max_body = 100_000);
    assert_eq!(good(&rig.get(&server.url("/exact")).await).bytes, 100_000);
    for path in ["/announced", "/one-more", "/endless"] {
        let tried = rig.get(&server.url(path)).await;
        let failure = failed(&tried, ErrorKind::TooLarge);
        assert_eq!(
            (&*failure.message, failure.retry, failure.status),
            ("the body is larger than 100000 bytes", false, Some(200))
        );
    }
    let log = server.wait_until(|log| log.connections.open == 0).await;
    for exchange in &log.exchanges {
        // What the kernel's buffers took besides is no download of ours.
        assert!(
            exchange.answered.expect("answered").bytes < 20_000_000,
            "{exchange:?}"
        );
    }
}

/// Bodies that stand for a gigabyte or have no end at all cost no memory: one process alone, its peak before and after.
#[tokio::test]
async fn memory_stays_flat() {
    if alone("bodies::memory_stays_flat", "").is_none() {
        return;
    }
    const MEMBER: usize = 1 << 20;
    let mut zstd = bytes("28b52ffd0058");
    let block = ((128_u32 << 10) << 3 | 1 << 1).to_le_bytes();
    for _ in 0..8192 {
        zstd.extend_from_slice(&[block[0], block[1], block[2], 0]);
    }
    let bombs = [
        ("gzip", gzip(&vec![0; MEMBER]).repeat(512)),
        ("br", include_bytes!("bomb.br").to_vec()),
        ("zstd", zstd),
    ];
    let server = serving(&bombs).await;
    let endless = Server::start(|_| Answer::endless())
        .await
        .expect("a server");
    let rig = Rig::with(|config| {
        config.max_body = 48 << 20;
        config.keep.inline = 1 << 10;
    });
    let mut urls: Vec<_> = (0..bombs.len())
        .map(|nth| server.url(&format!("/{nth}")))
        .collect();
    urls.push(endless.url("/"));
    let before = peak();
    for url in &urls {
        let tried = rig.get(url).await;
        failed(&tried, ErrorKind::TooLarge);
        assert!(
            answer(&tried).bytes > 40 << 20,
            "{url}: {} bytes",
            answer(&tried).bytes
        );
    }
    let grown = peak() - before;
    assert!(grown < 20 << 10, "{grown} KiB");
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("VmHWM");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}
