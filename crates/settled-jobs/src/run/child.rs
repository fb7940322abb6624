//! A running child and its process group: told to end, watched, and always reaped.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use crate::record::Ended;

/// How long a drop waits for a killed child. It normally takes microseconds; only a child inside a system call that can't be
/// interrupted (a dead disk or file server) takes longer, and is then left to a thread that waits for it.
const DROP_WAITS: Duration = Duration::from_secs(1);

/// A child that leads a process group.
///
/// 1. The child is reaped by this type alone, and only after its whole group was killed: as long as it is not reaped, its
///    process id, which is its group's id too, can't be given to somebody else, so a signal never goes to a stranger.
/// 2. Dropping a child that is not reaped kills its group and reaps it.
#[derive(Debug)]
pub(super) struct Child {
    pid: Pid,
    exit: Option<Exit>,
    state: State,
}

/// How we hear that a child has ended.
#[derive(Debug)]
pub(super) enum Exit {
    /// Readable from then on.
    Pidfd(AsyncFd<OwnedFd>),
    /// Closed by a thread that waits.
    Thread(oneshot::Receiver<()>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// A zombie. `None`: somebody else has taken its status.
    Ended(Option<Ended>),
    Reaped,
}

impl Child {
    pub(super) fn new(pid: Pid) -> Self {
        Self {
            pid,
            exit: None,
            state: State::Running,
        }
    }

    /// Says how to hear of the child's end.
    pub(super) fn watch(&mut self, exit: Exit) {
        self.exit = Some(exit);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state != State::Running
    }

    /// Waits for the child's own end; others of its group may live on.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.state == State::Running {
            match &mut self.exit {
                Some(Exit::Pidfd(fd)) => {
                    let Ok(mut ready) = ready!(fd.poll_read_ready(cx)) else {
                        return Poll::Pending;
                    };
                    match peek(self.pid) {
                        Some(state) => self.state = state,
                        None => ready.clear_ready(),
                    }
                }
                Some(Exit::Thread(ended)) => {
                    let _ = ready!(Pin::new(ended).poll(cx));
                    self.state = peek(self.pid).unwrap_or(State::Ended(None));
                }
                None => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    /// Asks the whole group to end. Whoever of it is stopped goes on, so that it can.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    /// Ends the whole group, as far as we are allowed to.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if self.state != State::Reaped {
            // Whom we may not signal (it changed its user) we can't end; it shows by not ending.
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Kills what is left of the group, and takes the status of the child, which has ended.
    pub(super) fn reap(mut self) -> Option<Ended> {
        let State::Ended(ended) = self.state else {
            return None;
        };
        self.kill();
        self.collect();
        ended
    }

    /// Leaves a child that even KILL doesn't end to a thread that waits for it.
    /// It has no status yet.
    pub(super) fn leave_behind(mut self) -> Option<Ended> {
        self.leave();
        None
    }

    /// The zombie is there, so this doesn't wait.
    fn collect(&mut self) {
        while let Err(Errno::INTR) = waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED) {}
        self.state = State::Reaped;
    }

    fn leave(&mut self) {
        let pid = self.pid;
        self.state = State::Reaped;
        let wait =
            move || while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED) {};
        // Where not even a thread can be had, the zombie stays until we end.
        let _ = thread::Builder::new()
            .name("settled-reap".to_owned())
            .spawn(wait);
    }

    /// Waits on this thread.
    fn ends_within(&mut self, limit: Duration) -> bool {
        let start = Instant::now();
        loop {
            if let Some(state) = peek(self.pid) {
                self.state = state;
                return true;
            }
            let Some(left) = limit.checked_sub(start.elapsed()) else {
                return false;
            };
            match &self.exit {
                Some(Exit::Pidfd(fd)) => {
                    let limit = Timespec {
                        tv_sec: 0,
                        tv_nsec: left.subsec_nanos().into(),
                    };
                    let _ = poll(
                        &mut [PollFd::new(fd.get_ref(), PollFlags::IN)],
                        Some(&limit),
                    );
                }
                _ => thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

impl Drop for Child {
    /// It waits, since nobody else could: after KILL that is a matter of microseconds, see [`DROP_WAITS`].
    fn drop(&mut self) {
        if self.state == State::Reaped {
            return;
        }
        self.kill();
        if self.has_ended() || self.ends_within(DROP_WAITS) {
            self.collect()
        } else {
            self.leave()
        }
    }
}

/// How the child ended, if it has; it stays a zombie.
fn peek(pid: Pid) -> Option<State> {
    loop {
        match waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT,
        ) {
            Ok(status) => return status.map(|status| State::Ended(ended(&status))),
            Err(Errno::INTR) => {}
            Err(_) => return Some(State::Ended(None)),
        }
    }
}

fn ended(status: &WaitIdStatus) -> Option<Ended> {
    status
        .exit_status()
        .map(Ended::Exit)
        .or_else(|| status.terminating_signal().map(Ended::Signal))
}

/// Waits on this thread until the child has ended.
pub(super) fn wait_without_reaping(pid: Pid) {
    while let Err(Errno::INTR) = waitid(
        WaitId::Pid(pid),
        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
    ) {}
}
