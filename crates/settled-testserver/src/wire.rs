//! A connection with a read buffer: requests come out of it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use crate::request::header;
use crate::stream::Stream;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 1 << 20;
/// The longest body of a request, in bytes.
const MAX_BODY: u64 = 256 << 20;
/// How much is read at a time, and how much of a next request is taken in while an answer is under way, in bytes.
const READ: usize = 16 * 1024;

/// The head of a request.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The client speaks HTTP/1.0.
    pub(crate) old: bool,
}

/// Why no request came out.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The connection ended in the middle of a request.
    Left,
    /// These are not the bytes of a request.
    Invalid(&'static str),
}

/// A connection with a read buffer.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: Stream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The head of the next request; `None` if the client has left instead.
    pub(crate) async fn head(&mut self) -> Result<Option<Head>, Broken> {
        let mut searched = 0;
        loop {
            if let Some(end) = find(&self.buffer[searched..], b"\r\n\r\n") {
                let end = searched + end;
                let head = parse(&self.buffer[..end]).map_err(Broken::Invalid);
                self.buffer.drain(..end + 4);
                return head.map(Some);
            }
            searched = self.buffer.len().saturating_sub(3);
            if self.buffer.len() > MAX_HEAD {
                return Err(Broken::Invalid("the head is too long"));
            }
            match self.more().await {
                Err(Broken::Left) if self.buffer.is_empty() => return Ok(None),
                read => read?,
            }
        }
    }

    /// The body that belongs to `head`, without framing.
    pub(crate) async fn body(&mut self, head: &Head) -> Result<Vec<u8>, Broken> {
        if header(&head.headers, "transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
        {
            return self.chunks().await;
        }
        match header(&head.headers, "content-length") {
            None => Ok(Vec::new()),
            Some(length) => {
                let length = length
                    .trim()
                    .parse()
                    .map_err(|_| Broken::Invalid("Content-Length is no number"))?;
                self.take(length).await
            }
        }
    }

    /// Writes all of `bytes`, if the client takes some within `patience`, again and again.
    pub(crate) async fn write(
        &mut self,
        mut bytes: &[u8],
        patience: Duration,
        written: &mut u64,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = timeout(patience, self.stream.write(bytes)).await??;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            *written += count as u64;
            bytes = &bytes[count..];
        }
        timeout(patience, self.stream.flush()).await?
    }

    /// Waits for something else than the client. `false`: the client left first.
    pub(crate) async fn wait(&mut self, event: impl Future<Output = ()>) -> bool {
        let mut event = pin!(event);
        poll_fn(|cx| {
            if event.as_mut().poll(cx).is_ready() {
                return Poll::Ready(true);
            }
            // A client that sends its next request early is not asked for more than one buffer of it.
            while self.buffer.len() < READ {
                let mut chunk = [0; 4096];
                let mut chunk = ReadBuf::new(&mut chunk);
                match Pin::new(&mut self.stream).poll_read(cx, &mut chunk) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) if !chunk.filled().is_empty() => {
                        self.buffer.extend_from_slice(chunk.filled())
                    }
                    Poll::Ready(_) => return Poll::Ready(false),
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Closes in good order.
    pub(crate) async fn close(mut self, patience: Duration) {
        // Both can only fail because the client has left, which is as good.
        let _ = timeout(patience, self.stream.shutdown()).await;
    }

    /// Closes in good order while the client may still be sending: a plain close would turn into a reset that can overtake the
    /// answer.
    pub(crate) async fn close_unread(mut self, patience: Duration) {
        let _ = timeout(patience, async {
            self.stream.shutdown().await?;
            let mut sink = [0; READ];
            while self.stream.read(&mut sink).await? > 0 {}
            io::Result::Ok(())
        })
        .await;
    }

    async fn more(&mut self) -> Result<(), Broken> {
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => Err(Broken::Left),
            Ok(_) => Ok(()),
        }
    }

    async fn take(&mut self, length: u64) -> Result<Vec<u8>, Broken> {
        if length > MAX_BODY {
            return Err(Broken::Invalid("the body is too long"));
        }
        let length =
            usize::try_from(length).map_err(|_| Broken::Invalid("the body is too long"))?;
        while self.buffer.len() < length {
            self.more().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Broken> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16)
                .map_err(|_| Broken::Invalid("a chunk's size is no number"))?;
            if size == 0 {
                // Trailers, up to an empty line.
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            if body.len() as u64 + size > MAX_BODY {
                return Err(Broken::Invalid("the body is too long"));
            }
            body.extend_from_slice(&self.take(size).await?);
            if !self.line().await?.is_empty() {
                return Err(Broken::Invalid("a chunk is longer than its size"));
            }
        }
    }

    async fn line(&mut self) -> Result<String, Broken> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 2);
                return Ok(line);
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Broken::Invalid("a line is too long"));
            }
            self.more().await?;
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn parse(head: &[u8]) -> Result<Head, &'static str> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("the request line has not three words");
    };
    if !matches!(version, "HTTP/1.0" | "HTTP/1.1") {
        return Err("the version is neither HTTP/1.0 nor HTTP/1.1");
    }
    let headers = lines
        .map(|line| {
            line.split_once(':')
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        })
        .collect::<Option<_>>()
        .ok_or("a header has no colon")?;
    Ok(Head {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        old: version == "HTTP/1.0",
    })
}
