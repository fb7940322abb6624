//! The loopback server that every tool asks, and that counts what it really served.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::child::{Child, Start};
use crate::error::{Doing, Error, Result};
use crate::interrupt::Interrupt;
use crate::nginx;
use crate::options::ServerKind;
use crate::peer::{NGINX, Toolbox, reference};
use crate::reference::read_head;

/// How long a server may take until it answers, or until it has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server of our own on a free port; ended when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    kind: ServerKind,
    address: String,
    line: TcpStream,
    /// How often nginx was asked for its count: it counts these, too.
    asked: u64,
}

impl Server {
    /// Starts the server; where there is no nginx, the small one of this crate, and says so. Its
    /// files are in `dir`.
    ///
    /// # Errors
    /// If neither can be started, or a signal arrived.
    pub fn start(
        kind: ServerKind,
        toolbox: &Toolbox,
        dir: &Path,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let address = free_address()?;
        let (kind, mut command) = match kind {
            ServerKind::Hyper => (kind, hyper(toolbox, &address)?),
            ServerKind::Nginx => match toolbox.find(&NGINX) {
                Ok(program) => (kind, nginx::command(&program, dir, &address)?),
                Err(why) => {
                    eprintln!("no nginx, so the bench's own server answers: {why}");
                    (ServerKind::Hyper, hyper(toolbox, &address)?)
                }
            },
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // nginx is several processes: only TERM makes its master end them all.
        let how = Start {
            orphaned: Signal::TERM,
            ..Start::default()
        };
        let mut child = Child::start(&mut command, how).doing("starting the server")?;
        let line = connect(&address, &mut child, interrupt)?;
        Ok(Self {
            child,
            kind,
            address,
            line,
            asked: 0,
        })
    }

    /// `http://HOST:PORT`.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Which server it is, as a version line names it.
    #[must_use]
    pub fn kind(&self) -> ServerKind {
        self.kind
    }

    /// The requests that it has answered so far, these questions not counted.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn served(&mut self) -> Result<u64> {
        let body = self.ask().doing("asking the server for its count")?;
        self.asked += 1;
        let count = match self.kind {
            ServerKind::Hyper => body.trim().parse().ok(),
            ServerKind::Nginx => nginx::requests(&body).map(|all| all - self.asked),
        };
        count.ok_or_else(|| Error::Refused(format!("the server's count makes no sense: {body}")))
    }

    /// Ends it.
    ///
    /// # Errors
    /// If a signal arrived meanwhile.
    pub fn stop(self, interrupt: &Interrupt) -> Result<()> {
        self.child.stop(PATIENCE, interrupt)
    }

    fn ask(&mut self) -> std::io::Result<String> {
        self.line
            .write_all(b"GET /count HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            let head = read_head(&answer).map_err(std::io::Error::other)?;
            if let Some(head) = head
                && let Some(body) = answer.get(head.end..head.end + head.length)
            {
                return Ok(String::from_utf8_lossy(body).into_owned());
            }
            match self.line.read(&mut chunk)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                got => answer.extend_from_slice(&chunk[..got]),
            }
        }
    }
}

fn hyper(toolbox: &Toolbox, address: &str) -> Result<Command> {
    let program = toolbox.find(&reference("server")).map_err(Error::Refused)?;
    let mut command = Command::new(program);
    command.arg(address);
    Ok(command)
}

/// An address that was free a moment ago.
fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").doing("looking for a free port")?;
    Ok(listener
        .local_addr()
        .doing("looking for a free port")?
        .to_string())
}

fn connect(address: &str, child: &mut Child, interrupt: &Interrupt) -> Result<TcpStream> {
    loop {
        if let Ok(line) = TcpStream::connect(address) {
            line.set_nodelay(true).doing("connecting to the server")?;
            line.set_read_timeout(Some(PATIENCE))
                .doing("connecting to the server")?;
            return Ok(line);
        }
        if child.wait(Duration::from_millis(5), interrupt)?.is_some() || child.age() > PATIENCE {
            return Err(Error::Refused(format!(
                "the server on {address} does not start"
            )));
        }
    }
}
