//! A port at which nobody listens.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpSocket;

use crate::server::ANY_PORT;

/// A port of 127.0.0.1 at which nobody listens: connecting is refused. It is held, so that nobody else gets it.
#[derive(Debug)]
pub struct ClosedPort {
    _socket: TcpSocket,
    addr: SocketAddr,
}

impl ClosedPort {
    /// Takes a free port, and does not listen. Needs no runtime.
    ///
    /// # Errors
    /// If no port can be had.
    pub fn new() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(ANY_PORT)?;
        let addr = socket.local_addr()?;
        Ok(Self {
            _socket: socket,
            addr,
        })
    }

    /// The address that refuses.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
