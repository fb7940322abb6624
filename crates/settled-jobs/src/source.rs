//! The source: the list as it comes, from a file, a pipe or the command line.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, fstat};

/// How the list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The first line that is not blank decides: one that begins with `{` makes it JSON lines.
    #[default]
    Auto,
    /// A job a line.
    Lines,
    /// A JSON object a line.
    Jsonl,
}

/// Where the list comes from, and how it is to be read.
#[derive(Debug)]
pub struct Source {
    pub(crate) bytes: Bytes,
    pub(crate) format: Format,
    /// Records end with NUL and not with a line end.
    pub(crate) nul: bool,
    /// Longer lines settle as rejected.
    pub(crate) max_line: usize,
}

#[derive(Debug)]
pub(crate) enum Bytes {
    /// Its length is known.
    File(File, u64),
    /// A pipe or a terminal: reading may have to wait.
    Pipe(File),
    /// Arguments, a line each.
    Memory(Cursor<Vec<u8>>, u64),
}

impl Source {
    /// The list in a file.
    ///
    /// # Errors
    /// If it can't be opened, or is a directory.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of(File::open(path)?)
    }

    /// The list on standard input.
    ///
    /// # Errors
    /// If there is none (it is closed).
    pub fn stdin() -> io::Result<Self> {
        Self::of(File::from(io::stdin().as_fd().try_clone_to_owned()?))
    }

    /// A list that is already there; entries must not contain line ends.
    #[must_use]
    pub fn of_entries(entries: &[String]) -> Self {
        let text = entries
            .iter()
            .flat_map(|entry| [entry.as_str(), "\n"])
            .collect::<String>();
        let length = text.len() as u64;
        Self::new(Bytes::Memory(Cursor::new(text.into_bytes()), length))
    }

    fn of(file: File) -> io::Result<Self> {
        let stat = fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Self::new(Bytes::File(
                file,
                u64::try_from(stat.st_size).unwrap_or(0),
            ))),
            FileType::Directory => Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a directory",
            )),
            _ => Ok(Self::new(Bytes::Pipe(file))),
        }
    }

    fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            format: Format::Auto,
            nul: false,
            max_line: 8 << 20,
        }
    }

    /// Sets how the list is written.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Records end with NUL and not with a line end.
    #[must_use]
    pub fn nul_separated(mut self, nul: bool) -> Self {
        self.nul = nul;
        self
    }

    /// Lines longer than this settle as rejected; at least 64 bytes.
    #[must_use]
    pub fn max_line(mut self, bytes: usize) -> Self {
        self.max_line = bytes.max(64);
        self
    }

    /// The length of the list in bytes, where it is known before it is read.
    pub(crate) fn length(&self) -> Option<u64> {
        match self.bytes {
            Bytes::File(_, length) | Bytes::Memory(_, length) => Some(length),
            Bytes::Pipe(_) => None,
        }
    }
}

/// Reads the list, and can be told to stop while it waits for a pipe.
#[derive(Debug)]
pub(crate) struct Input {
    bytes: Bytes,
    /// Readable (or closed) when reading is to stop.
    stop: OwnedFd,
}

impl Input {
    pub(crate) fn new(bytes: Bytes, stop: OwnedFd) -> Self {
        Self { bytes, stop }
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.bytes {
            Bytes::File(file, _) => file.read(into),
            Bytes::Memory(text, _) => text.read(into),
            Bytes::Pipe(pipe) => {
                let mut either = [
                    PollFd::new(&*pipe, PollFlags::IN),
                    PollFd::new(&self.stop, PollFlags::IN),
                ];
                poll(&mut either, None)?;
                if !either[1].revents().is_empty() {
                    return Ok(0);
                }
                pipe.read(into)
            }
        }
    }
}
