//! Content encodings: a body is decoded while it comes in, and no more of it is in memory than a window.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::zstd::Zstd;
use crate::record::{ErrorKind, Failure};

/// What a server may use.
pub(super) const ACCEPTED: &str = "gzip, br, zstd";
/// More than this, one upon the other, is no honest body.
const MOST: usize = 4;
const BUFFER: usize = 16 << 10;

/// Decodes what is written to it and writes that on.
pub(super) trait Decode: Write {
    /// The body is at its end.
    ///
    /// # Errors
    /// If it is cut short, here or further on.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

type Next<'a> = Box<dyn Decode + 'a>;

/// The decoders for a body with these headers, which end in `sink`; `None` if it is not encoded.
pub(super) fn decoder<'a>(
    headers: &HeaderMap,
    sink: &'a mut dyn Write,
) -> Result<Option<Next<'a>>, Failure> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(None);
    }
    let failed = |message: String| Failure::permanent(ErrorKind::Decode, message);
    let mut codings: Vec<String> = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let names = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        let names = names
            .split(',')
            .map(str::trim)
            .filter(|name| !matches!(*name, "" | "identity"));
        codings.extend(names.map(str::to_owned));
    }
    if codings.len() > MOST {
        return Err(failed(format!(
            "{} content encodings, one upon the other",
            codings.len()
        )));
    }
    let mut next: Next<'a> = Box::new(End(sink));
    for name in &codings {
        // The first coding was applied first, so it is undone last: nearest to the sink.
        next = match name.as_str() {
            "gzip" | "x-gzip" => Box::new(MultiGzDecoder::new(next)),
            "deflate" => Box::new(Deflate {
                inflate: None,
                done: false,
                next,
            }),
            "br" => Box::new(DecompressorWriter::new(next, BUFFER)),
            "zstd" => Box::new(Zstd::new(next)),
            other => return Err(failed(format!("unknown content encoding {other:?}"))),
        };
    }
    Ok((!codings.is_empty()).then_some(next))
}

/// The body was cut short.
pub(super) fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the encoded body ends early")
}

struct End<'a>(&'a mut dyn Write);

impl Write for End<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decode for End<'_> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

impl Decode for MultiGzDecoder<Next<'_>> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        MultiGzDecoder::finish(*self)?.finish()
    }
}

impl Decode for DecompressorWriter<Next<'_>> {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.close()?;
        match (*self).into_inner() {
            Ok(next) => next.finish(),
            Err(_) => Err(cut()),
        }
    }
}

/// `deflate`: zlib by the standard, but the bare stream is met with too. Done by hand because flate2's own writers take a stream
/// that is cut short for a whole one.
struct Deflate<'a> {
    inflate: Option<Decompress>,
    done: bool,
    next: Next<'a>,
}

impl Write for Deflate<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(first) = bytes.first() else {
            return Ok(0);
        };
        let zlib = first & 0x0f == 8 && first >> 4 <= 7;
        let inflate = self.inflate.get_or_insert_with(|| Decompress::new(zlib));
        let mut buffer = [0; BUFFER];
        let mut rest = bytes;
        while !self.done {
            let (read, written) = (inflate.total_in(), inflate.total_out());
            let status = inflate
                .decompress(rest, &mut buffer, FlushDecompress::None)
                .map_err(io::Error::other)?;
            let read = usize::try_from(inflate.total_in() - read).unwrap_or_default();
            let written = usize::try_from(inflate.total_out() - written).unwrap_or_default();
            rest = &rest[read..];
            self.next.write_all(&buffer[..written])?;
            self.done = status == Status::StreamEnd;
            if rest.is_empty() && written < BUFFER || read == 0 && written == 0 {
                break;
            }
        }
        // What follows the end of the stream is ignored, as browsers do.
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decode for Deflate<'_> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        if self.done {
            self.next.finish()
        } else {
            Err(cut())
        }
    }
}
