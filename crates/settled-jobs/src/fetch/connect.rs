//! A new connection: name, address, TCP, proxy, TLS.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::dns::{Dns, LookupError, interleaved};
use super::public::is_public;
use super::stream::Stream;
use crate::record::{ErrorKind, Failure};

/// How long an address may keep the next one waiting (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum DialError {
    Failed(Failure),
    /// No file descriptor was to be had: no fault of the job, it has to wait.
    NoFds,
}

impl From<Failure> for DialError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The process, or the system, has no file descriptor left.
pub(super) fn no_fds(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Connects to `host:port` over TCP: every address that there is is tried, the later ones while the earlier ones are slow.
pub(super) async fn tcp(
    dns: &Dns,
    host_port: &str,
    deny_private: bool,
) -> Result<Stream, DialError> {
    let (host, port) = split(host_port);
    let mut addresses = match host.parse::<IpAddr>() {
        Ok(literal) => vec![literal],
        Err(_) => match dns.lookup(host).await {
            Ok(found) => interleaved(&found),
            Err(LookupError::NoFds) => return Err(DialError::NoFds),
            Err(LookupError::Failed(failure)) => return Err(failure.into()),
        },
    };
    if deny_private {
        // Here and nowhere earlier: these very addresses are connected to, whatever a name server says the next time.
        let first = addresses.first().copied();
        addresses.retain(|address| is_public(*address));
        if let (Some(address), true) = (first, addresses.is_empty()) {
            let message = format!(
                "{address} is no public address, and only those are allowed (deny_private)"
            );
            return Err(Failure::permanent(ErrorKind::Connect, message).into());
        }
    }
    let race = Race::new(
        addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect(),
    );
    let stream = race.run().await?;
    stream
        .set_nodelay(true)
        .map_err(|error| Failure::transient(ErrorKind::Connect, format!("TCP_NODELAY: {error}")))?;
    Ok(Stream::Tcp(stream))
}

/// `host:port` apart; an IPv6 address loses its brackets.
pub(super) fn split(host_port: &str) -> (&str, u16) {
    let (host, port) = host_port.rsplit_once(':').unwrap_or((host_port, ""));
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    (bare, port.parse().unwrap_or_default())
}

type Connecting = Pin<Box<dyn Future<Output = (SocketAddr, io::Result<TcpStream>)>>>;

/// Addresses that race each other: the next one starts when one has failed, or when all that run are slow.
struct Race {
    addresses: std::vec::IntoIter<SocketAddr>,
    running: Vec<Connecting>,
    next: Pin<Box<Sleep>>,
    error: Option<(SocketAddr, io::Error)>,
}

impl Race {
    fn new(addresses: Vec<SocketAddr>) -> Self {
        let next = Box::pin(sleep_until(Instant::now()));
        Self {
            addresses: addresses.into_iter(),
            running: Vec::new(),
            next,
            error: None,
        }
    }

    /// The first connection that comes about; the others are dropped. If there is none, the first error.
    async fn run(mut self) -> Result<TcpStream, DialError> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<TcpStream, DialError>> {
        loop {
            let before = self.running.len();
            let mut nth = 0;
            while let Some(one) = self.running.get_mut(nth) {
                match one.as_mut().poll(cx) {
                    Poll::Pending => nth += 1,
                    Poll::Ready((_, Ok(stream))) => return Poll::Ready(Ok(stream)),
                    Poll::Ready((_, Err(error))) if no_fds(&error) => {
                        return Poll::Ready(Err(DialError::NoFds));
                    }
                    Poll::Ready((address, Err(error))) => {
                        self.error.get_or_insert((address, error));
                        drop(self.running.swap_remove(nth));
                    }
                }
            }
            let failed = self.running.len() < before;
            if !failed && !self.running.is_empty() && self.next.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            match self.addresses.next() {
                Some(address) => {
                    self.running.push(Box::pin(async move {
                        (address, TcpStream::connect(address).await)
                    }));
                    self.next.as_mut().reset(Instant::now() + STAGGER);
                }
                None if self.running.is_empty() => {
                    return Poll::Ready(Err(refused(self.error.take()).into()));
                }
                None => return Poll::Pending,
            }
        }
    }
}

fn refused(error: Option<(SocketAddr, io::Error)>) -> Failure {
    use io::ErrorKind as Io;
    let Some((address, error)) = error else {
        return Failure::permanent(ErrorKind::Dns, "no address to connect to");
    };
    let message = match error.kind() {
        Io::ConnectionRefused => format!("connection refused by {address}"),
        Io::TimedOut => format!("no answer from {address}"),
        Io::HostUnreachable | Io::NetworkUnreachable => {
            format!("{address} can't be reached: {error}")
        }
        Io::ConnectionReset => format!("connection reset by {address}"),
        _ => format!("no connection to {address}: {error}"),
    };
    Failure::transient(ErrorKind::Connect, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_come_apart() {
        assert_eq!(split("a.example:81"), ("a.example", 81));
        assert_eq!(split("[::1]:443"), ("::1", 443));
    }

    #[test]
    fn address_families_take_turns() {
        let ips = |text: &str| {
            text.split(' ')
                .map(|ip| ip.parse().expect("an address"))
                .collect::<Vec<IpAddr>>()
        };
        assert_eq!(
            interleaved(&ips("::1 ::2 ::3 1.1.1.1 2.2.2.2")),
            ips("::1 1.1.1.1 ::2 2.2.2.2 ::3")
        );
    }

    /// The first address never answers (its backlog is full), so the second one starts after the stagger and wins.
    #[tokio::test]
    async fn a_slow_address_does_not_hold_up_the_next() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let slow = silent.local_addr().expect("an address");
        let mut filling = Vec::new();
        while let Ok(Ok(stream)) =
            tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(slow)).await
        {
            filling.push(stream);
        }
        let good = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let good = good.local_addr().expect("an address");
        let stream = Race::new(vec![slow, good])
            .run()
            .await
            .expect("a connection");
        assert_eq!(stream.peer_addr().expect("a peer"), good);
    }

    #[tokio::test]
    async fn if_all_fail_the_first_error_is_told() {
        let closed = |listener: std::net::TcpListener| listener.local_addr().expect("an address");
        let all: Vec<_> = (0..3)
            .map(|_| closed(std::net::TcpListener::bind("127.0.0.1:0").expect("a port")))
            .collect();
        let first = all[0];
        match Race::new(all).run().await {
            Err(DialError::Failed(failure)) => {
                assert_eq!(failure.message, format!("connection refused by {first}"))
            }
            other => panic!("{other:?}"),
        }
    }
}
