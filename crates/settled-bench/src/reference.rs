//! What the reference programs share: the list, the head of an answer, slots and pipes.
//!
//! Everything here is on the fast path of a program that other figures are divided by, so it is as
//! plain as it gets.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rustix::pipe::{PipeFlags, pipe_with};

type Failure = Box<dyn Error + Send + Sync>;

/// A core's outcome lines are written out when there are this many bytes of them.
pub const FLUSH_AT: usize = 64_000;

/// How many jobs a thread takes from the list at once.
const BATCH: usize = 64;

/// The program's `N` arguments; with more or fewer it prints its usage and exits with status 2.
#[must_use]
pub fn arguments<const N: usize>(usage: &str) -> [String; N] {
    let given: Vec<String> = std::env::args().skip(1).collect();
    given.try_into().unwrap_or_else(|_| {
        eprintln!("usage: {usage}");
        std::process::exit(2)
    })
}

/// The cores this process may run on, at least 1.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The part of `total` that the `index`-th of `parts` gets; the parts add up to `total`.
///
/// # Panics
/// If `parts` is 0.
#[must_use]
pub fn share(total: usize, parts: usize, index: usize) -> usize {
    total / parts + usize::from(index < total % parts)
}

/// The list of URLs, read by all threads through one buffer.
#[derive(Debug)]
pub struct List(Mutex<(usize, BufReader<File>)>);

impl List {
    /// Opens the file.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let reader = BufReader::with_capacity(1 << 16, File::open(path)?);
        Ok(Self(Mutex::new((0, reader))))
    }
}

/// A thread's own few jobs of the list, so that it takes the lock once for many of them.
#[derive(Debug)]
pub struct Batch<'a> {
    list: &'a List,
    jobs: Vec<(usize, String)>,
}

impl<'a> Batch<'a> {
    /// An empty batch that fills itself from `list`.
    #[must_use]
    pub fn of(list: &'a List) -> Self {
        Self {
            list,
            jobs: Vec::with_capacity(BATCH),
        }
    }

    /// The next job: its number from 0, and its URL. `None` at the end of the list.
    ///
    /// # Errors
    /// If the list can't be read.
    pub fn pop(&mut self) -> io::Result<Option<(usize, String)>> {
        if self.jobs.is_empty() {
            self.fill()?;
        }
        Ok(self.jobs.pop())
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut list = self.list.0.lock().expect("no thread panicked");
        let (number, reader) = &mut *list;
        for _ in 0..BATCH {
            let mut url = String::new();
            if reader.read_line(&mut url)? == 0 {
                break;
            }
            url.truncate(url.trim_end().len());
            self.jobs.push((*number, url));
            *number += 1;
        }
        self.jobs.reverse();
        Ok(())
    }
}

/// The host with its port, and the path, of an `http://` URL.
///
/// # Errors
/// If it is not one, or has no path.
#[inline]
pub fn split_url(url: &str) -> Result<(&str, &str), Failure> {
    let rest = url.strip_prefix("http://").ok_or("not an http:// URL")?;
    let slash = rest.find('/').ok_or("a URL without a path")?;
    Ok(rest.split_at(slash))
}

/// What a response's head says.
#[derive(Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The three digits of the status.
    pub status: &'a str,
    /// The body's length in bytes.
    pub length: usize,
    /// Where the body starts.
    pub end: usize,
}

/// Reads a response's head; `None` if it is not complete yet.
///
/// # Errors
/// If it has no `Content-Length`, or is not an HTTP head at all.
#[inline]
pub fn read_head(bytes: &[u8]) -> Result<Option<Head<'_>>, Failure> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end])?;
    let length = text
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .ok_or("an answer without Content-Length")?
        .1
        .trim()
        .parse()?;
    let status = text.get(9..12).ok_or("an answer without a status")?;
    Ok(Some(Head {
        status,
        length,
        end: end + 4,
    }))
}

/// Runs jobs `0..count` on `slots` threads. Each thread calls `make` once for the function that
/// runs one job and says whether it succeeded.
///
/// # Errors
/// If a job did not succeed.
///
/// # Panics
/// If a job panics.
pub fn in_slots<F>(
    count: usize,
    slots: usize,
    make: impl Fn() -> F + Sync,
) -> Result<(), Box<dyn Error>>
where
    F: FnMut(usize) -> bool,
{
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let slot = || {
        let mut run = make();
        loop {
            let i = next.fetch_add(1, Relaxed);
            if i >= count {
                break;
            }
            done.fetch_add(usize::from(run(i)), Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..slots {
            scope.spawn(slot);
        }
    });
    match count - done.load(Relaxed) {
        0 => Ok(()),
        failed => Err(format!("{failed} of {count} failed").into()),
    }
}

/// Captures a child's output, if wanted at all. One per slot: the buffer is used again.
#[derive(Debug)]
pub struct Capture(Option<Vec<u8>>);

/// A pipe for one child; both ends close on exec.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    /// The end that the child writes to.
    #[must_use]
    pub fn write_end(&self) -> RawFd {
        self.write.as_raw_fd()
    }
}

impl Capture {
    /// Captures if `piped`, else does nothing.
    #[must_use]
    pub fn new(piped: bool) -> Self {
        Self(piped.then(|| vec![0; 64 * 1024]))
    }

    /// A pipe for the next child.
    ///
    /// # Panics
    /// If there are no descriptors left.
    #[must_use]
    pub fn open(&self) -> Option<Pipe> {
        let (read, write) = self
            .0
            .as_ref()
            .map(|_| pipe_with(PipeFlags::CLOEXEC).expect("pipe"))?;
        Some(Pipe { read, write })
    }

    /// Reads what the child wrote, to its end.
    pub fn read(&mut self, pipe: Option<Pipe>) {
        let (Some(buffer), Some(pipe)) = (&mut self.0, pipe) else {
            return;
        };
        drop(pipe.write);
        while rustix::io::read(&pipe.read, &mut buffer[..]).is_ok_and(|got| got > 0) {}
    }
}

/// Waits for the child; whether it exited with status 0.
#[must_use]
pub fn succeeded(pid: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: waitpid writes the status, which lives longer than the call.
    let waited = unsafe { libc::waitpid(pid, &mut status, 0) };
    waited == pid && status == 0
}

#[cfg(test)]
mod tests {
    use super::{Head, read_head, share, split_url};

    #[test]
    fn shares_add_up() {
        for (total, parts) in [(64, 2), (7, 3), (1, 4), (0, 2)] {
            assert_eq!(
                (0..parts)
                    .map(|index| share(total, parts, index))
                    .sum::<usize>(),
                total
            );
        }
    }

    #[test]
    fn a_head_is_read_when_it_is_complete() {
        let answer = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-LENGTH: 3\r\n\r\nabc";
        let head = Head {
            status: "200",
            length: 3,
            end: answer.len() - 3,
        };
        assert_eq!(read_head(answer).unwrap(), Some(head));
        assert_eq!(read_head(&answer[..40]).unwrap(), None);
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn a_url_splits_into_host_and_path() {
        assert_eq!(split_url("http://h:1/i/2").unwrap(), ("h:1", "/i/2"));
        assert!(split_url("http://h").is_err());
    }
}
