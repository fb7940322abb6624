//! One output stream of a command, read into what is kept of it.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use tokio::net::unix::pipe::Receiver;

use crate::keep::{Keep, Kept};

/// After so many reads it is somebody else's turn: a command that floods its output must not keep timers from firing.
const READS: usize = 16;

/// How much of a stream's end is remembered to find its last line in.
const TAIL: usize = 1024;

/// Our end of a pipe.
#[derive(Debug)]
enum Pipe {
    /// Nobody looks at it yet: a command that is soon over needs no more than one look, when it has ended.
    Unwatched(OwnedFd),
    Watched(Receiver),
}

/// An output stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// `None`: at its end, or given up.
    pipe: Option<Pipe>,
    /// `None`: not kept, or its file can't be written.
    keep: Option<Keep>,
    error: Option<io::Error>,
    tail: Option<Vec<u8>>,
}

impl Stream {
    /// `tail`: the last line will be asked for.
    pub(super) fn new(pipe: Option<OwnedFd>, keep: impl FnOnce() -> Keep, tail: bool) -> Self {
        Self {
            keep: pipe.is_some().then(keep),
            pipe: pipe.map(Pipe::Unwatched),
            error: None,
            tail: tail.then(Vec::new),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.pipe.is_none()
    }

    /// Reads what is there. What is not at its end then is watched from now on.
    pub(super) fn watch(&mut self, buffer: &mut [u8]) {
        for _ in 0..READS {
            let Some(Pipe::Unwatched(pipe)) = &self.pipe else {
                return;
            };
            match rustix::io::read(pipe, &mut *buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => self.take(&buffer[..count]),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => self.fail(error.into()),
            }
        }
        if let Some(Pipe::Unwatched(pipe)) = self.pipe.take() {
            match Receiver::from_owned_fd_unchecked(pipe) {
                Ok(pipe) => self.pipe = Some(Pipe::Watched(pipe)),
                Err(error) => self.fail(error),
            }
        }
    }

    /// Reads what is there, if the stream is watched. Ready at its end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<()> {
        for _ in 0..READS {
            let pipe = match &self.pipe {
                None => return Poll::Ready(()),
                Some(Pipe::Unwatched(_)) => return Poll::Pending,
                Some(Pipe::Watched(pipe)) => pipe,
            };
            match ready!(pipe.poll_read_ready(cx)).and_then(|()| pipe.try_read(buffer)) {
                Ok(0) => self.pipe = None,
                Ok(count) => self.take(&buffer[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => self.fail(error),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes what is in the pipe at this moment, and closes it although somebody may still write.
    pub(super) fn close(&mut self, buffer: &mut [u8]) {
        for _ in 0..READS {
            let pipe = match &self.pipe {
                None => return,
                Some(Pipe::Unwatched(pipe)) => pipe.as_fd(),
                Some(Pipe::Watched(pipe)) => pipe.as_fd(),
            };
            match rustix::io::read(pipe, &mut *buffer) {
                Ok(0) | Err(Errno::AGAIN) => self.pipe = None,
                Ok(count) if count < buffer.len() => {
                    self.take(&buffer[..count]);
                    self.pipe = None;
                }
                Ok(count) => self.take(&buffer[..count]),
                Err(Errno::INTR) => {}
                Err(error) => self.fail(error.into()),
            }
        }
        self.pipe = None;
    }

    fn take(&mut self, bytes: &[u8]) {
        if let Some(tail) = &mut self.tail {
            let new = &bytes[bytes.len().saturating_sub(TAIL)..];
            let old = tail.len().min(TAIL - new.len());
            tail.drain(..tail.len() - old);
            tail.extend_from_slice(new);
        }
        // A stream that can't be kept is still read: the command must not be stopped, or killed by SIGPIPE, for our disk.
        if let Err(error) = self.keep.as_mut().map_or(Ok(()), |keep| keep.push(bytes)) {
            self.keep = None;
            self.error = Some(error);
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.pipe = None;
        self.error = Some(error);
    }

    /// What was kept, and the last line.
    pub(super) fn finish(self) -> (io::Result<Option<Kept>>, Vec<u8>) {
        let kept = match self.error {
            Some(error) => Err(error),
            None => self.keep.map(Keep::finish).transpose(),
        };
        (
            kept,
            last_line(self.tail.as_deref().unwrap_or_default()).to_vec(),
        )
    }
}

/// The last line that is not blank.
fn last_line(text: &[u8]) -> &[u8] {
    text.rsplit(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_found_in_the_remembered_end() {
        let mut stream = Stream::new(None, || Keep::new(0, None, String::new), true);
        stream.take(&[b'x'; 5000]);
        stream.take(b"\nfirst\nsec");
        stream.take(b"ond \r\n\n");
        assert_eq!(stream.tail.as_ref().map(Vec::len), Some(TAIL));
        assert_eq!(stream.finish().1, b"second");
        assert_eq!(last_line(b"\n \n"), b"");
    }
}
