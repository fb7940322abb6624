//! Ctrl-C as something that a wait returns, so that everything that was started is ended on the way
//! out.

use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::{Doing, Error, Result};

/// INT, TERM and HUP, held back and read from a descriptor. Every wait of the harness also waits
/// for this.
#[derive(Debug)]
pub struct Interrupt(OwnedFd);

impl Interrupt {
    /// Blocks the signals in this thread and those that it starts from now on.
    ///
    /// # Errors
    /// If there is no descriptor left.
    pub fn catch() -> Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset writes the set before it is read; the new descriptor belongs to
        // nobody else.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
            let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                return Err(std::io::Error::last_os_error()).doing("opening a signalfd");
            }
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Waits for `other` to be readable (a pidfd: for its process to end), at most for `limit`.
    /// Whether it is.
    ///
    /// # Errors
    /// [`Error::Interrupted`] as soon as a signal is there.
    pub fn wait(&self, other: Option<BorrowedFd<'_>>, limit: Option<Duration>) -> Result<bool> {
        let limit = limit.map(|limit| {
            Timespec::try_from(limit).unwrap_or(Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0,
            })
        });
        let mut fds = vec![PollFd::new(&self.0, PollFlags::IN)];
        fds.extend(other.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) => {}
            // A stop and continue of the whole job: as if the time had passed.
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(error) => return Err(error).doing("waiting"),
        }
        if !fds[0].revents().is_empty() {
            return Err(Error::Interrupted(self.take()));
        }
        Ok(fds.get(1).is_some_and(|fd| !fd.revents().is_empty()))
    }

    fn take(&self) -> i32 {
        let mut info = [0; size_of::<libc::signalfd_siginfo>()];
        match rustix::io::read(&self.0, &mut info) {
            // The signal's number is the first member of the record.
            Ok(4..) => i32::from_ne_bytes([info[0], info[1], info[2], info[3]]),
            _ => libc::SIGINT,
        }
    }
}
