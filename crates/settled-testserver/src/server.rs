//! The scripted server: a handler says what happens, a log says what happened.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::answer::Answer;
use crate::connection::{Rules, Service};
use crate::host::Host;
use crate::log::{Answered, Broken, Connections, Exchange, Log};
use crate::request::Request;
use crate::watched::Watched;

/// A port of the loopback interface that the system chooses.
pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server for a test: `handler` says how each request is answered, [`log`](Self::log) says what came of it.
///
/// Dropping it ends all its connections; [`shutdown`](Self::shutdown) waits until they are gone.
///
/// ```
/// use std::io::{Read, Write};
/// use settled_testserver::{Answer, Server};
///
/// # fn main() -> std::io::Result<()> {
/// // Fails twice, then gives in.
/// let server = Server::start_blocking(|request| match request.attempt {
///     1 | 2 => Answer::status(503).retry_after(0),
///     _ => Answer::ok("at last"),
/// })?;
/// let mut client = std::net::TcpStream::connect(server.addr())?;
/// client.write_all(b"GET /x HTTP/1.1\r\nconnection: close\r\n\r\n")?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert!(answer.starts_with("HTTP/1.1 503 "));
///
/// let log = server.shutdown_blocking();
/// assert_eq!(log.of("/x").count(), 1);
/// assert!(log.exchanges[0].answered.is_some_and(|answered| answered.complete));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    host: Host,
    log: Arc<Watched<Log>>,
    scheme: &'static str,
}

impl Server {
    /// Starts a plain server on a free port of 127.0.0.1, on the caller's runtime.
    ///
    /// # Errors
    /// If the port can't be had.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub async fn start(
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::builder().start(handler).await
    }

    /// Starts a plain server on a free port of 127.0.0.1, on a thread of its own: for tests that block.
    ///
    /// # Errors
    /// If the port or the thread can't be had.
    pub fn start_blocking(
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::builder().start_blocking(handler)
    }

    /// A server with settings.
    pub fn builder() -> Builder {
        Builder {
            addr: ANY_PORT,
            rules: Rules::default(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.host.addr
    }

    /// The URL of a target, which begins with `/`.
    #[must_use]
    pub fn url(&self, target: &str) -> String {
        format!("{}://{}{target}", self.scheme, self.addr())
    }

    /// What it has seen and done so far: a copy.
    ///
    /// A client may have the last byte of an answer a moment before this says so: wait for it with
    /// [`wait_until`](Self::wait_until), or look at what [`shutdown`](Self::shutdown) gives.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log.look(Log::clone)
    }

    /// How many connections there have been, and are.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.log.look(|log| log.connections)
    }

    /// Waits until the log is as the test wants it, and gives a copy. The test is asked at every change; nothing is polled.
    ///
    /// # Cancel safety
    /// Cancel safe: it only looks.
    pub async fn wait_until(&self, mut test: impl FnMut(&Log) -> bool) -> Log {
        self.log.wait(|log| test(log).then(|| log.clone())).await
    }

    /// [`wait_until`](Self::wait_until) that blocks the thread.
    ///
    /// # Panics
    /// If it takes longer than a minute: with the log in the message.
    #[track_caller]
    pub fn wait_until_blocking(&self, mut test: impl FnMut(&Log) -> bool) -> Log {
        match self.log.wait_blocking(|log| test(log).then(|| log.clone())) {
            Some(log) => log,
            None => panic!(
                "a minute passed without what was waited for: {:#?}",
                self.log()
            ),
        }
    }

    /// Ends all connections, waits until they are gone, and gives the final log: nothing in it is under way.
    ///
    /// # Panics
    /// With the panic of a handler, if one did.
    ///
    /// # Cancel safety
    /// If it is dropped midway, the server ends as by a drop.
    pub async fn shutdown(mut self) -> Log {
        self.host.shutdown().await;
        self.log.look(Log::clone)
    }

    /// [`shutdown`](Self::shutdown) that blocks the thread.
    ///
    /// # Panics
    /// With the panic of a handler, if one did; and inside a tokio runtime.
    pub fn shutdown_blocking(self) -> Log {
        self.host.shutdown_blocking();
        self.log.look(Log::clone)
    }
}

/// Settings of a [`Server`].
#[derive(Debug)]
#[must_use]
pub struct Builder {
    addr: SocketAddr,
    rules: Rules,
}

impl Builder {
    /// Listens at this address. Default: a free port of 127.0.0.1.
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// How long a client may take for its next request, for the rest of one, or to take some of an answer, before the connection
    /// is closed. Default: a minute. A short one makes stale connections.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.rules.patience = patience;
        self
    }

    /// How many connections are served at once; further ones wait to be accepted. Default: 10,000.
    pub fn max_connections(mut self, max: usize) -> Self {
        self.rules.max_connections = max.max(1);
        self
    }

    /// Answers as soon as the head is there, leaves the body unread, and closes the connection after the answer.
    pub fn ignore_bodies(mut self) -> Self {
        self.rules.read_bodies = false;
        self
    }

    /// Lets a client that sent `Expect: 100-continue` wait: no 100 comes.
    pub fn no_continue(mut self) -> Self {
        self.rules.send_continue = false;
        self
    }

    /// Speaks TLS; [`Authority`](crate::tls::Authority) has good and bad certificates.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: Arc<rustls::ServerConfig>) -> Self {
        self.rules.tls = Some(config);
        self
    }

    /// Starts it on the caller's runtime.
    ///
    /// # Errors
    /// If the address can't be had.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub async fn start(
        self,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Server> {
        let (log, scheme, service) = self.parts(handler);
        let host = Host::start(self.addr, service, self.rules).await?;
        Ok(Server { host, log, scheme })
    }

    /// Starts it on a thread of its own.
    ///
    /// # Errors
    /// If the address or the thread can't be had.
    pub fn start_blocking(
        self,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Server> {
        let (log, scheme, service) = self.parts(handler);
        let host = Host::start_blocking(self.addr, service, self.rules)?;
        Ok(Server { host, log, scheme })
    }

    fn parts<H>(&self, handler: H) -> (Arc<Watched<Log>>, &'static str, Arc<Scripted<H>>) {
        #[cfg(feature = "tls")]
        let secure = self.rules.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let secure = false;
        let log = Arc::new(Watched::new(Log::default()));
        (
            log.clone(),
            if secure { "https" } else { "http" },
            Arc::new(Scripted { handler, log }),
        )
    }
}

struct Scripted<H> {
    handler: H,
    log: Arc<Watched<Log>>,
}

impl<H> fmt::Debug for Scripted<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted")
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

impl<H: Fn(&Request) -> Answer + Send + Sync + 'static> Service for Scripted<H> {
    type Ticket = Arc<Request>;

    fn opened(&self) {
        self.log.update(|log| {
            log.connections.opened += 1;
            log.connections.open += 1;
        });
    }

    fn closed(&self) {
        self.log.update(|log| log.connections.open -= 1);
    }

    fn broken(&self, connection: u64, why: &str) {
        self.log.update(|log| {
            log.broken.push(Broken {
                connection,
                why: why.to_owned(),
            })
        });
    }

    fn begin(&self, mut request: Request) -> Arc<Request> {
        self.log.update(|log| {
            let attempts = log.attempts.entry(request.target.clone()).or_default();
            *attempts += 1;
            request.attempt = *attempts;
            request.serial = log.exchanges.len() as u64 + 1;
            let request = Arc::new(request);
            log.exchanges.push(Exchange {
                request: request.clone(),
                answered: None,
            });
            request
        })
    }

    fn answer(&self, request: &Arc<Request>) -> Answer {
        (self.handler)(request)
    }

    fn end(&self, request: &Arc<Request>, answered: Answered) {
        let index = usize::try_from(request.serial - 1).unwrap_or(usize::MAX);
        self.log
            .update(|log| log.exchanges[index].answered = Some(answered));
    }
}
