//! The body of an answer, on its way from the connection into what is kept of it.

use std::io::{self, Write};

use http::HeaderMap;
use hyper::body::Incoming;

use super::conn::Conn;
use super::encoding::decoder;
use super::judge;
use crate::keep::Keep;
use crate::record::{ErrorKind, Failure};

/// How much of a body is decoded before other slots get a turn.
const PIECE: usize = 8 << 10;

/// Where the decoded bytes end: counted, limited, kept.
struct Sink<'a> {
    keep: &'a mut Keep,
    max: u64,
    /// What went wrong here, and not in a decoder before it.
    fault: Option<Failure>,
}

impl Sink<'_> {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.keep.total() + bytes.len() as u64 > self.max {
            return Err(too_large(self.max));
        }
        self.keep.push(bytes).map_err(not_saved)
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.push(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(fault) => {
                self.fault.get_or_insert(fault);
                Err(io::Error::other("the sink is closed"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes have nowhere to go.
pub(super) fn not_saved(error: io::Error) -> Failure {
    Failure::permanent(
        ErrorKind::Io,
        format!("the body could not be saved: {error}"),
    )
}

fn too_large(max: u64) -> Failure {
    Failure::permanent(
        ErrorKind::TooLarge,
        format!("the body is larger than {max} bytes"),
    )
}

/// Reads a body to its end, decodes it if it is to be, and keeps what there is to keep.
///
/// `max` counts on the wire and decoded alike. A body that announces itself as too large is not read at all.
pub(super) async fn read(
    conn: &mut Conn,
    mut body: Incoming,
    headers: &HeaderMap,
    decode: bool,
    max: u64,
    keep: &mut Keep,
) -> Result<(), Failure> {
    use http_body::Body as _;
    if body.size_hint().lower() > max {
        return Err(too_large(max));
    }
    let mut sink = Sink {
        keep,
        max,
        fault: None,
    };
    // Most bodies are not encoded: those go the short way.
    if !(decode && headers.contains_key(http::header::CONTENT_ENCODING)) || body.is_end_stream() {
        return plain(conn, &mut body, &mut sink).await;
    }
    let decoded = Box::pin(decoded(conn, &mut body, headers, max, &mut sink)).await;
    match sink.fault {
        Some(fault) => Err(fault),
        None => decoded,
    }
}

async fn plain(conn: &mut Conn, body: &mut Incoming, sink: &mut Sink<'_>) -> Result<(), Failure> {
    while let Some(bytes) = conn.next(body).await {
        sink.push(&bytes.map_err(judge::body)?)?;
    }
    Ok(())
}

async fn decoded(
    conn: &mut Conn,
    body: &mut Incoming,
    headers: &HeaderMap,
    max: u64,
    sink: &mut Sink<'_>,
) -> Result<(), Failure> {
    let Some(mut decoder) = decoder(headers, sink)? else {
        return plain(conn, body, sink).await;
    };
    let mut wire = 0;
    while let Some(bytes) = conn.next(body).await {
        let bytes = bytes.map_err(judge::body)?;
        wire += bytes.len() as u64;
        if wire > max {
            return Err(too_large(max));
        }
        for piece in bytes.chunks(PIECE) {
            decoder.write_all(piece).map_err(broken)?;
            tokio::task::coop::consume_budget().await;
        }
    }
    // Nothing at all is what servers send that mean "no content", whatever they say of its encoding.
    if wire == 0 {
        Ok(())
    } else {
        decoder.finish().map_err(broken)
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::permanent(
        ErrorKind::Decode,
        format!("the body's content encoding is broken: {error}"),
    )
}
