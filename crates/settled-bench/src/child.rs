//! A child process that can't be forgotten: with its own process group, limits, and an end on every
//! path.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, kill_process, kill_process_group, pidfd_open,
    set_parent_process_death_signal, setrlimit,
};

use crate::error::{Doing, Result};
use crate::interrupt::Interrupt;

/// How a child is started.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// At most this much address space, in bytes.
    pub address_space: Option<u64>,
    /// What the child gets if the harness dies: a server of several processes needs TERM to end
    /// them all.
    pub orphaned: Signal,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            address_space: None,
            orphaned: Signal::KILL,
        }
    }
}

/// What a child and all children that it waited for have cost.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// From just before the start to the end.
    pub elapsed: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// The peak resident memory of the largest single process, in KiB.
    pub peak_kib: u64,
    /// The exit status, or minus the number of the signal that ended it.
    pub status: i32,
}

/// A child that is ended, with its whole process group, when this is dropped.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    started: Instant,
    reaped: bool,
}

impl Child {
    /// Starts it as the leader of a new process group, with no signal blocked.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start(command: &mut Command, how: Start) -> io::Result<Self> {
        command.process_group(0);
        // SAFETY: only system calls are made between fork and exec, nothing is allocated.
        unsafe { command.pre_exec(move || before_exec(how)) };
        let started = Instant::now();
        // The handle neither waits nor kills when it is dropped: from here on the child is ours to
        // reap.
        let pid = Pid::from_child(&command.spawn()?);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self {
                pid,
                pidfd,
                started,
                reaped: false,
            }),
            Err(error) => {
                let _ = kill_process_group(pid, Signal::KILL);
                let _ = reap(pid);
                Err(error.into())
            }
        }
    }

    /// The child's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// How long ago it was started.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits for the child to end, at most for `limit`. What is left of its process group then is
    /// killed.
    ///
    /// # Errors
    /// If a signal arrived, or the child can't be waited for.
    pub fn wait(&mut self, limit: Duration, interrupt: &Interrupt) -> Result<Option<Ended>> {
        if !interrupt.wait(Some(self.pidfd.as_fd()), Some(limit))? {
            return Ok(None);
        }
        let elapsed = self.started.elapsed();
        self.collect(elapsed).doing("waiting for a child").map(Some)
    }

    /// Asks the child with TERM to end, and kills its group after `grace`.
    ///
    /// # Errors
    /// If a signal arrived meanwhile, or the child can't be waited for.
    pub fn stop(mut self, grace: Duration, interrupt: &Interrupt) -> Result<()> {
        let _ = kill_process(self.pid, Signal::TERM);
        self.wait(grace, interrupt).map(drop)
    }

    /// Kills the child and its group at once, as a crash would.
    ///
    /// # Errors
    /// If the child can't be waited for.
    pub fn kill(mut self) -> Result<Ended> {
        let elapsed = self.started.elapsed();
        self.collect(elapsed).doing("waiting for a child")
    }

    /// Kills the group while its leader can't have been replaced by another process, then reaps the
    /// leader.
    fn collect(&mut self, elapsed: Duration) -> io::Result<Ended> {
        let _ = kill_process_group(self.pid, Signal::KILL);
        let (status, usage) = reap(self.pid)?;
        self.reaped = true;
        let status = if libc::WIFSIGNALED(status) {
            -libc::WTERMSIG(status)
        } else {
            libc::WEXITSTATUS(status)
        };
        let cpu = duration(usage.ru_utime) + duration(usage.ru_stime);
        let peak_kib = u64::try_from(usage.ru_maxrss).unwrap_or(0);
        Ok(Ended {
            elapsed,
            cpu,
            peak_kib,
            status,
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.collect(Duration::ZERO);
        }
    }
}

/// Runs in the child, between fork and exec.
fn before_exec(how: Start) -> io::Result<()> {
    set_parent_process_death_signal(Some(how.orphaned))?;
    if let Some(bytes) = how.address_space {
        setrlimit(
            Resource::As,
            Rlimit {
                current: Some(bytes),
                maximum: Some(bytes),
            },
        )?;
    }
    // SAFETY: the set is written before it is read.
    unsafe {
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
    Ok(())
}

/// Waits for the process; its status and what it and its own reaped children used.
fn reap(pid: Pid) -> io::Result<(i32, libc::rusage)> {
    let (mut status, mut usage) = (0, MaybeUninit::uninit());
    loop {
        // SAFETY: wait4 writes the status and, when it returns the pid, the whole usage.
        unsafe {
            if libc::wait4(
                pid.as_raw_nonzero().get(),
                &mut status,
                0,
                usage.as_mut_ptr(),
            ) >= 0
            {
                return Ok((status, usage.assume_init()));
            }
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    let (seconds, micros) = (time.tv_sec.unsigned_abs(), time.tv_usec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
