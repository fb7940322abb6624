//! What a handler answers with: an HTTP answer, and how it goes wrong on its way.

use std::time::{Duration, SystemTime};

use crate::gate::Gate;
use crate::json;
use crate::request::Request;

/// A place in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before the first byte.
    Start,
    /// In the middle of the head.
    Head,
    /// After the head and this many bytes of the body's content (the framing of chunks doesn't count). A number past the end
    /// is the end of the content: of a chunked body everything but the final chunk has been sent then.
    Body(u64),
    /// After the last byte.
    End,
}

/// What happens at a place of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Pause(Duration),
    Hold(Gate),
    Stall,
    Reset,
    Close,
    Cut,
}

/// The body of an answer, and how its end is told.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Fixed(Vec<u8>),
    Chunked(Vec<Vec<u8>>),
    UntilClose(Vec<u8>),
    Fill {
        bytes: u64,
        chunked: bool,
    },
    /// The whole answer, head included, is this.
    Raw(Vec<u8>),
}

/// An HTTP answer, and how it goes wrong on its way.
///
/// ```
/// use std::time::Duration;
/// use settled_testserver::{Answer, At};
///
/// let busy = Answer::status(503).retry_after(1);
/// let slow = Answer::json(r#"{"n":1}"#).pause(At::Start, Duration::from_millis(300));
/// let torn = Answer::ok("hello").reset(At::Body(3));
/// let never = Answer::ok("hello").stall(At::Body(0));
/// # drop((busy, slow, torn, never));
/// ```
///
/// The connection is kept alive after an answer whose end the client can tell, unless the client or one of the methods here
/// says otherwise. Answers to HEAD, and 1xx, 204 and 304, go without a body.
#[derive(Clone, Debug)]
#[must_use]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Body,
    pub(crate) announced: Option<u64>,
    pub(crate) hints: Vec<u8>,
    pub(crate) acts: Vec<(At, Act)>,
    pub(crate) drip: Option<(At, Duration)>,
}

impl Answer {
    /// An answer with this status and an empty body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Fixed(Vec::new()),
            announced: None,
            hints: Vec::new(),
            acts: Vec::new(),
            drip: None,
        }
    }

    /// 200 with this body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).body(body)
    }

    /// 200 with this JSON text.
    pub fn json(text: impl Into<Vec<u8>>) -> Self {
        Self::ok(text).header("content-type", "application/json")
    }

    /// These bytes and nothing else, in the place of a head and a body; then the connection is closed. For garbage.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Body::Raw(bytes.into()),
            ..Self::status(0)
        }
    }

    /// A redirect: the location as it is given, relative or absolute. `Answer::status(302)` is one without a location.
    pub fn redirect(status: u16, location: impl Into<Vec<u8>>) -> Self {
        Self::status(status).header("location", location)
    }

    /// 200 with what was asked, as JSON: `{"method","target","headers":[[name,value],..],"body"}`; a body that is no UTF-8
    /// stands as hexadecimal digits under `body_hex`.
    pub fn echo(request: &Request) -> Self {
        Self::json(json::echo(request))
    }

    /// A page of a list: `{"data":[..],"next":..,"hasMore":..}`, and a `Link` header with the next page. `data` is JSON values,
    /// as they are; `next` is a URL.
    pub fn page<T: AsRef<str>>(data: &[T], next: Option<&str>) -> Self {
        let answer = Self::json(json::page(data, next));
        match next {
            Some(next) => answer.header("link", format!("<{next}>; rel=\"next\"")),
            None => answer,
        }
    }

    /// 200 with a body of `bytes` zeros and a true `Content-Length`; made while it is sent, so that it costs no memory.
    pub fn fill(bytes: u64) -> Self {
        Self {
            body: Body::Fill {
                bytes,
                chunked: false,
            },
            ..Self::status(200)
        }
    }

    /// 200 with a chunked body of zeros that never ends.
    pub fn endless() -> Self {
        Self {
            body: Body::Fill {
                bytes: u64::MAX / 4,
                chunked: true,
            },
            ..Self::status(200)
        }
    }

    /// Another status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header, as it is: nothing is checked or escaped. A `Content-Length`, `Transfer-Encoding` or `Connection` given
    /// here goes in the place of the server's own.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds `count` headers of `bytes` bytes of value each: more than a client should take.
    pub fn many_headers(mut self, count: usize, bytes: usize) -> Self {
        self.headers
            .extend((0..count).map(|n| (format!("x-filler-{n}"), vec![b'f'; bytes])));
        self
    }

    /// `Retry-After` in seconds.
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("retry-after", seconds.to_string())
    }

    /// `Retry-After` as an HTTP date, which has whole seconds.
    pub fn retry_after_date(self, at: SystemTime) -> Self {
        self.header("retry-after", httpdate::fmt_http_date(at))
    }

    /// The body, with its length told by `Content-Length`.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Fixed(body.into());
        self
    }

    /// The body in these chunks. An empty one is left out: it would end the body.
    pub fn chunked<T: Into<Vec<u8>>>(mut self, chunks: impl IntoIterator<Item = T>) -> Self {
        self.body = Body::Chunked(
            chunks
                .into_iter()
                .map(Into::into)
                .filter(|chunk| !chunk.is_empty())
                .collect(),
        );
        self
    }

    /// The body, ended by the end of the connection.
    pub fn until_close(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::UntilClose(body.into());
        self
    }

    /// The body as the bytes of a content encoding (`gzip`, `br`, ..); the test encodes them, or breaks them.
    pub fn encoded(self, encoding: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.header("content-encoding", encoding).body(bytes)
    }

    /// Announces this `Content-Length`, whatever the body has. If that is more than what is sent, the connection is closed
    /// after the body; if less, the rest of the body follows the answer on a connection that stays open.
    pub fn content_length(mut self, bytes: u64) -> Self {
        self.announced = Some(bytes);
        self
    }

    /// Sends an informational answer first: 103 with `Link` headers, or 100, or 102.
    pub fn informational(mut self, status: u16, headers: &[(&str, &str)]) -> Self {
        let mut head = format!("HTTP/1.1 {status} Informational\r\n");
        headers
            .iter()
            .for_each(|(name, value)| head.extend([name, ": ", value, "\r\n"]));
        head.push_str("\r\n");
        self.hints.extend_from_slice(head.as_bytes());
        self
    }

    /// Waits this long there, then goes on.
    pub fn pause(self, at: At, time: Duration) -> Self {
        self.act(at, Act::Pause(time))
    }

    /// Waits there until the test opens the gate, then goes on.
    pub fn hold(self, at: At, gate: &Gate) -> Self {
        self.act(at, Act::Hold(gate.clone()))
    }

    /// Sends nothing more from there on; the connection stays open until the client leaves or the server is shut down.
    pub fn stall(self, at: At) -> Self {
        self.act(at, Act::Stall)
    }

    /// Resets the connection there (RST). At the end: the answer is whole, and the connection is gone.
    pub fn reset(self, at: At) -> Self {
        self.act(at, Act::Reset)
    }

    /// Closes the connection there, in good order (TLS `close_notify`, FIN) but unannounced. At the start: the request is read
    /// and not answered. At the end: the answer is whole, and the kept-alive connection turns out to be stale.
    pub fn close(self, at: At) -> Self {
        self.act(at, Act::Close)
    }

    /// As [`close`](Self::close), but a TLS connection ends without `close_notify`, as if somebody had cut it.
    pub fn cut(self, at: At) -> Self {
        self.act(at, Act::Cut)
    }

    /// Sends the body a byte at a time, this long apart.
    pub fn drip(mut self, every: Duration) -> Self {
        self.drip = Some((At::Body(0), every));
        self
    }

    /// Sends everything, the head too, a byte at a time, this long apart.
    pub fn drip_all(mut self, every: Duration) -> Self {
        self.drip = Some((At::Start, every));
        self
    }

    fn act(mut self, at: At, act: Act) -> Self {
        self.acts.push((at, act));
        self
    }
}
