//! What a command's standard streams are made of.

use std::fs::OpenOptions;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_setfl};

/// A pipe from a command to us.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Not blocking.
    pub(super) read: OwnedFd,
    pub(super) write: OwnedFd,
}

impl Pipe {
    pub(super) fn new() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        fcntl_setfl(&read, OFlags::NONBLOCK)?;
        Ok(Self {
            read: read.into(),
            write: high(write.into())?,
        })
    }
}

/// `/dev/null`, for reading and writing.
pub(super) fn null() -> io::Result<OwnedFd> {
    high(
        OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")?
            .into(),
    )
}

/// A file with `content`, to be read from its start. It has no name, so it is gone with its last descriptor; a pipe would need
/// somebody who writes into it while the command runs.
pub(super) fn file_of(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = nameless()?;
    file.write_all(content)?;
    file.rewind()?;
    high(file.into())
}

fn nameless() -> io::Result<std::fs::File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{MemfdFlags, memfd_create};
        use rustix::io::Errno;
        match memfd_create("stdin", MemfdFlags::CLOEXEC) {
            Err(Errno::NOSYS | Errno::PERM | Errno::ACCESS | Errno::INVAL) => {}
            result => return Ok(result?.into()),
        }
    }
    tempfile::tempfile()
}

/// The same file at a descriptor that is not one of the standard streams: those places are taken by the child's own.
fn high(fd: OwnedFd) -> io::Result<OwnedFd> {
    match fd.as_raw_fd() {
        0..=2 => Ok(rustix::io::fcntl_dupfd_cloexec(fd.as_fd(), 3)?),
        _ => Ok(fd),
    }
}
