//! One HTTP/1 connection, driven by whoever uses it: it has no task of its own, and while it lies idle nobody polls it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::unconstrained;

use super::payload::Sending;
use super::stream::Stream;

/// The largest read buffer of a connection, and so also the largest header section that is understood.
const BUFFER: usize = 64 << 10;

/// A connection to a server.
pub(super) struct Conn {
    send: SendRequest<Sending>,
    /// `None` once it has ended.
    http: Option<Connection<TokioIo<Stream>, Sending>>,
    /// It has carried a request before.
    pub(super) used: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum SendError {
    /// The request never left: here it is again.
    Unsent(Box<Request<Sending>>),
    /// It may have left.
    Broken(hyper::Error),
}

impl Conn {
    pub(super) async fn new(stream: Stream) -> hyper::Result<Self> {
        let (send, http) = Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await?;
        Ok(Self {
            send,
            http: Some(http),
            used: false,
        })
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Sending>,
    ) -> Result<Response<Incoming>, SendError> {
        let mut answer = pin!(unconstrained(self.send.try_send_request(request)));
        self.used = true;
        let http = &mut self.http;
        poll_fn(|cx| {
            drive(http, cx);
            // The answer comes out of the line above and from nowhere else, so it need not wake anybody (which would cost a turn
            // of this very task). Unconstrained: out of budget it would ask for a wake-up, and that one would be lost.
            answer
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
        .map_err(|mut error| match error.take_message() {
            Some(request) => SendError::Unsent(Box::new(request)),
            None => SendError::Broken(error.into_error()),
        })
    }

    /// The next piece of the body; `None` at its end.
    pub(super) async fn next(&mut self, body: &mut Incoming) -> Option<hyper::Result<Bytes>> {
        while !body.is_end_stream() {
            match poll_fn(|cx| self.poll_frame(body, cx)).await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some(Ok(data)),
                    Err(_trailers) => {}
                },
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<http_body::Frame<Bytes>>>> {
        let mut noop = Context::from_waker(Waker::noop());
        match Pin::new(&mut *body).poll_frame(&mut noop) {
            Poll::Pending => {
                drive(&mut self.http, cx);
                Pin::new(body).poll_frame(&mut noop)
            }
            ready => ready,
        }
    }

    /// Whether another request can be sent on it, now that an answer was read to its end.
    pub(super) async fn reusable(&mut self) -> bool {
        if !self.send.is_ready() {
            poll_fn(|cx| {
                drive(&mut self.http, cx);
                Poll::Ready(())
            })
            .await;
        }
        self.http.is_some() && self.send.is_ready()
    }
}

/// Asks a proxy for a tunnel (`CONNECT`). If the answer is a success, the byte stream is the tunnel.
pub(super) async fn tunnel(
    stream: Stream,
    request: Request<Sending>,
) -> hyper::Result<(StatusCode, Option<Stream>)> {
    let (mut send, mut http) = Builder::new().handshake(TokioIo::new(stream)).await?;
    let mut answer = pin!(send.send_request(request));
    let mut ended = false;
    let answer = poll_fn(|cx| {
        ended = ended || http.poll_without_shutdown(cx).is_ready();
        answer.as_mut().poll(cx)
    })
    .await?;
    let parts = http.into_parts();
    let tunnel = answer.status().is_success() && parts.read_buf.is_empty();
    Ok((answer.status(), tunnel.then(|| parts.io.into_inner())))
}

/// Lets a connection read and write. One that has ended is dropped at once: that is what hands an unsent request back.
fn drive(http: &mut Option<Connection<TokioIo<Stream>, Sending>>, cx: &mut Context<'_>) {
    if let Some(running) = http
        && Pin::new(running).poll(cx).is_ready()
    {
        *http = None;
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("open", &self.http.is_some())
            .field("used", &self.used)
            .finish()
    }
}
