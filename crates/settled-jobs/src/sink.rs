//! Where outcome lines go: the one place that writes, so that lines never mix and a failed write is the last one.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, fdatasync, fstat, ftruncate};

use crate::ledger::Ledger;

/// When lines that were handed to the operating system are forced onto the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// With every batch, before its jobs' slots are used again.
    Always,
    /// Once a second, if there was something new.
    #[default]
    Interval,
    /// The operating system decides.
    Never,
}

/// The outcome file, shared by all cores.
#[derive(Debug)]
pub(crate) struct Sink {
    file: File,
    /// `Some`: a ledger, whose length it is; a write that failed half-way is taken back. `None`: a stream.
    state: Mutex<State>,
    fsync: Fsync,
    unsynced: AtomicBool,
    /// Writing may have to wait for a reader.
    pub(crate) may_block: bool,
    /// Lines carry checksums.
    pub(crate) checksums: bool,
}

#[derive(Debug)]
struct State {
    length: Option<u64>,
    /// Why a write failed: no other one is made, and all cores hear the same.
    failed: Option<io::Error>,
}

impl Sink {
    pub(crate) fn ledger(ledger: Ledger, fsync: Fsync) -> Self {
        Self {
            state: Mutex::new(State {
                length: Some(ledger.length),
                failed: None,
            }),
            file: ledger.file,
            fsync,
            unsynced: AtomicBool::new(true),
            may_block: fsync == Fsync::Always,
            checksums: true,
        }
    }

    /// Standard output, a pipe, a device: lines only, no plan, nothing to resume.
    pub(crate) fn stream(file: File) -> Self {
        let regular = fstat(&file)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Self {
            state: Mutex::new(State {
                length: None,
                failed: None,
            }),
            file,
            fsync: Fsync::Never,
            unsynced: AtomicBool::new(false),
            may_block: !regular,
            checksums: false,
        }
    }

    /// Writes whole lines. When this returns, the operating system has them.
    pub(crate) fn write(&self, lines: &[u8]) -> io::Result<()> {
        // A panic between lock and unlock is not possible here; a poisoned lock is as good as a sound one.
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(error) = &state.failed {
            return Err(again(error));
        }
        let written = (&self.file)
            .write_all(lines)
            .and_then(|()| match self.fsync {
                Fsync::Always => Ok(fdatasync(&self.file)?),
                _ => Ok(()),
            });
        match (&written, &mut state.length) {
            (Ok(()), Some(length)) => *length += lines.len() as u64,
            (Ok(()), None) => {}
            (Err(error), length) => {
                let error = again(error);
                // Half a line must not stay: the next run would have to cut it off.
                if let Some(length) = length {
                    let _ = ftruncate(self.file.as_fd(), *length);
                }
                state.failed = Some(error);
            }
        }
        drop(state);
        if self.fsync == Fsync::Interval {
            self.unsynced.store(true, Ordering::Relaxed);
        }
        written
    }

    /// Forces what was written onto the disk, if the policy asks for it and there is something new.
    pub(crate) fn sync(&self) -> io::Result<()> {
        if self.fsync == Fsync::Interval && self.unsynced.swap(false, Ordering::Relaxed) {
            fdatasync(&self.file)?;
        }
        Ok(())
    }
}

/// The same error once more: whoever tells of it first, what is told is why.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_write_that_failed_every_core_hears_why() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let sink = Sink::stream(File::from(std::os::fd::OwnedFd::from(writer)));
        for _ in 0..2 {
            let error = sink.write(b"a line\n").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
    }
}
