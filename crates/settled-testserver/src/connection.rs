//! One connection: request in, answer out, until one of both is the last.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::answer::{Act, Answer};
use crate::log::Answered;
use crate::request::{Request, header};
use crate::script::{Asked, Script};
use crate::stream::Stream;
use crate::wire::{Broken, Head, Wire};

/// Who answers, and keeps the log.
pub(crate) trait Service: Debug + Send + Sync + 'static {
    /// A request that is being answered.
    type Ticket: Send + Sync;

    /// A connection was opened.
    fn opened(&self);
    /// A connection is gone.
    fn closed(&self);
    /// What came on the connection was no whole request.
    fn broken(&self, connection: u64, why: &str);
    /// A request has arrived.
    fn begin(&self, request: Request) -> Self::Ticket;
    /// What is to be answered; may panic.
    fn answer(&self, ticket: &Self::Ticket) -> Answer;
    /// The request is answered, as far as it will be. Called exactly once for each ticket.
    fn end(&self, ticket: &Self::Ticket, answered: Answered);
}

/// How connections are treated, whatever the answers are.
#[derive(Debug)]
pub(crate) struct Rules {
    /// How long a client may take: for its next request, for the rest of one, to take some of the answer.
    pub(crate) patience: Duration,
    pub(crate) max_connections: usize,
    /// Bodies are read before the answer; otherwise they are left unread and the connection is closed after the answer.
    pub(crate) read_bodies: bool,
    /// `Expect: 100-continue` is answered with 100.
    pub(crate) send_continue: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(60),
            max_connections: 10_000,
            read_bodies: true,
            send_continue: true,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// How a connection goes on after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Keep,
    Close,
    Cut,
    Reset,
    /// The client has left, or nothing may be sent any more.
    Gone,
}

/// Serves one connection to its end.
pub(crate) async fn run<S: Service>(
    tcp: TcpStream,
    connection: u64,
    service: Arc<S>,
    rules: Arc<Rules>,
) {
    service.opened();
    let _open = Open(&*service);
    // A dripped byte must leave at once. It fails only on a connection that is gone already.
    let _ = tcp.set_nodelay(true);
    let stream = match secure(tcp, &rules).await {
        Ok(stream) => stream,
        Err(why) => return service.broken(connection, &why),
    };
    let mut wire = Wire::new(stream);
    let mut nth = 0;
    loop {
        nth += 1;
        let (head, body) = match receive(&mut wire, &rules).await {
            Ok(Some(received)) => received,
            Ok(None) => return,
            Err(broken) => {
                return refuse(wire, &*service, connection, broken, rules.patience).await;
            }
        };
        let asked = Asked {
            head: head.method == "HEAD",
            close: says_close(&head) || !rules.read_bodies,
        };
        let Head {
            method,
            target,
            headers,
            ..
        } = head;
        let at = tokio::time::Instant::now().into_std();
        let request = Request {
            serial: 0,
            connection,
            nth,
            attempt: 0,
            at,
            method,
            target,
            headers,
            body,
        };
        match respond(&mut wire, &*service, request, asked, rules.patience).await {
            After::Keep => {}
            After::Close if rules.read_bodies => return wire.close(rules.patience).await,
            After::Close => return wire.close_unread(rules.patience).await,
            After::Reset => return wire.stream.reset_on_drop(),
            After::Cut | After::Gone => return,
        }
    }
}

#[cfg(not(feature = "tls"))]
async fn secure(tcp: TcpStream, _rules: &Rules) -> Result<Stream, String> {
    Ok(Stream::Plain(tcp))
}

#[cfg(feature = "tls")]
async fn secure(tcp: TcpStream, rules: &Rules) -> Result<Stream, String> {
    let Some(config) = &rules.tls else {
        return Ok(Stream::Plain(tcp));
    };
    match timeout(
        rules.patience,
        tokio_rustls::TlsAcceptor::from(config.clone()).accept(tcp),
    )
    .await
    {
        Ok(Ok(tls)) => Ok(Stream::Tls(Box::new(tls))),
        Ok(Err(error)) => Err(format!("TLS handshake: {error}")),
        Err(_) => Err("TLS handshake: took too long".to_owned()),
    }
}

/// The next request; `None`: the client has left, or has been silent for too long, between requests.
async fn receive(wire: &mut Wire, rules: &Rules) -> Result<Option<(Head, Vec<u8>)>, Broken> {
    let Ok(head) = timeout(rules.patience, wire.head()).await else {
        return Ok(None);
    };
    let Some(head) = head? else { return Ok(None) };
    if !rules.read_bodies {
        return Ok(Some((head, Vec::new())));
    }
    let expects = header(&head.headers, "expect")
        .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
    if expects && rules.send_continue {
        let sent = wire
            .write(b"HTTP/1.1 100 Continue\r\n\r\n", rules.patience, &mut 0)
            .await;
        sent.map_err(|_| Broken::Left)?;
    }
    match timeout(rules.patience, wire.body(&head)).await {
        Ok(body) => Ok(Some((head, body?))),
        Err(_) => Err(Broken::Left),
    }
}

async fn refuse<S: Service>(
    mut wire: Wire,
    service: &S,
    connection: u64,
    broken: Broken,
    patience: Duration,
) {
    match broken {
        Broken::Left => service.broken(
            connection,
            "the connection ended in the middle of a request",
        ),
        Broken::Invalid(why) => {
            service.broken(connection, why);
            let answer =
                b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            if wire.write(answer, patience, &mut 0).await.is_ok() {
                wire.close_unread(patience).await;
            }
        }
    }
}

async fn respond<S: Service>(
    wire: &mut Wire,
    service: &S,
    request: Request,
    asked: Asked,
    patience: Duration,
) -> After {
    let ticket = service.begin(request);
    let mut exchange = Exchange {
        service,
        ticket,
        answered: Answered::default(),
        recorded: false,
    };
    let script = Script::of(&service.answer(&exchange.ticket), asked);
    play(wire, &script, &mut exchange, patience).await
}

/// Sends the script, and records it as soon as it is known to be complete: what comes after the last byte may take for ever.
async fn play<S: Service>(
    wire: &mut Wire,
    script: &Script,
    exchange: &mut Exchange<'_, S>,
    patience: Duration,
) -> After {
    let total = script.total();
    for (at, act) in &script.acts {
        if !send(wire, script, *at, &mut exchange.answered, patience).await {
            return After::Gone;
        }
        if *at == total && !script.until_close {
            exchange.sent_all(script.honest);
        }
        let there = match act {
            Act::Pause(time) => wire.wait(sleep(*time)).await,
            Act::Hold(gate) => wire.wait(gate.opened()).await,
            Act::Stall => wire.wait(std::future::pending()).await,
            Act::Reset => return After::Reset,
            Act::Close | Act::Cut => {
                let close = matches!(act, Act::Close);
                if *at == total && (close || wire.stream.is_plain()) {
                    exchange.sent_all(script.honest);
                }
                return if close { After::Close } else { After::Cut };
            }
        };
        if !there {
            return After::Gone;
        }
    }
    if !send(wire, script, total, &mut exchange.answered, patience).await {
        return After::Gone;
    }
    exchange.sent_all(script.honest);
    if script.keep {
        After::Keep
    } else {
        After::Close
    }
}

/// Sends the script up to an offset. `false`: the client has left.
async fn send(
    wire: &mut Wire,
    script: &Script,
    to: u64,
    answered: &mut Answered,
    patience: Duration,
) -> bool {
    let mut there = true;
    while there && answered.bytes < to {
        let from = answered.bytes;
        let drip = script.drip.filter(|drip| drip.0 <= from).map(|drip| drip.1);
        let end = match (drip, script.drip) {
            (Some(_), _) => from + 1,
            (None, Some((starts, _))) => to.min(starts),
            (None, None) => to,
        };
        let piece = script.bytes_from(from);
        let piece = &piece[..usize::try_from(end - from)
            .unwrap_or(usize::MAX)
            .min(piece.len())];
        there = match drip {
            Some(every) => wire.wait(sleep(every)).await,
            None => true,
        };
        there = there
            && wire
                .write(piece, patience, &mut answered.bytes)
                .await
                .is_ok();
        if let Some((_, status)) = script.head.filter(|head| head.0 <= answered.bytes) {
            answered.status = Some(status);
        }
    }
    there
}

/// A request that is being answered: recorded exactly once, also when its task is aborted or its handler panics.
struct Exchange<'a, S: Service> {
    service: &'a S,
    ticket: S::Ticket,
    answered: Answered,
    recorded: bool,
}

impl<S: Service> Exchange<'_, S> {
    /// Every byte was handed to the system.
    fn sent_all(&mut self, honest: bool) {
        if !self.recorded {
            self.answered.complete = honest;
            self.record();
        }
    }

    fn record(&mut self) {
        self.recorded = true;
        self.service.end(&self.ticket, self.answered);
    }
}

impl<S: Service> Drop for Exchange<'_, S> {
    fn drop(&mut self) {
        if !self.recorded {
            self.record();
        }
    }
}

/// A connection that is open.
struct Open<'a, S: Service>(&'a S);

impl<S: Service> Drop for Open<'_, S> {
    fn drop(&mut self) {
        self.0.closed();
    }
}

fn says_close(head: &Head) -> bool {
    let close = |value: &str| {
        value
            .split(',')
            .any(|token| token.trim().eq_ignore_ascii_case("close"))
    };
    head.old || header(&head.headers, "connection").is_some_and(close)
}
