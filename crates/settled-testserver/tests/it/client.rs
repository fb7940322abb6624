//! A raw client: what it reads is what was on the wire.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than this is a hang.
const HANG: Duration = Duration::from_secs(60);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// In good order (FIN).
    Closed,
    /// RST.
    Reset,
}

/// A raw connection.
#[derive(Debug)]
pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn new(addr: SocketAddr) -> Self {
        let tcp = TcpStream::connect(addr).unwrap();
        tcp.set_read_timeout(Some(HANG)).unwrap();
        tcp.set_nodelay(true).unwrap();
        Self(tcp)
    }

    /// A new connection on which `target` has been asked for.
    pub(crate) fn get(addr: SocketAddr, target: &str) -> Self {
        let mut client = Self::new(addr);
        client.ask(target);
        client
    }

    pub(crate) fn ask(&mut self, target: &str) {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads up to and with the empty line.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// An answer with a `Content-Length`: its head and body.
    pub(crate) fn answer(&mut self) -> (String, String) {
        let head = self.head();
        let length = header(&head, "content-length").unwrap().parse().unwrap();
        (head, self.bytes(length))
    }

    /// Everything up to the connection's end, and how it ended.
    pub(crate) fn rest(&mut self) -> (String, End) {
        let mut all = Vec::new();
        let end = match self.0.read_to_end(&mut all) {
            Ok(_) => End::Closed,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => End::Reset,
            Err(error) => panic!("after {:?}: {error}", String::from_utf8_lossy(&all)),
        };
        (String::from_utf8(all).unwrap(), end)
    }

    /// Nothing is there to be read, and the connection is open.
    pub(crate) fn is_silent(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    pub(crate) fn finish_sending(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }
}

/// The value of a header of a head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// One request on a connection of its own: all that came, and how it ended.
pub(crate) fn once(addr: SocketAddr, target: &str) -> (String, End) {
    let mut client = Client::new(addr);
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    ));
    client.rest()
}
