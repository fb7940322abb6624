//! What can be said to a run from outside: stop, abort; and what it says of its own end.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use settled::{AbortController, AbortSignal, Reason, ReasonKind};

use crate::work::KillAfter;

/// When a run gives up on the rest of its list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Halt {
    /// Running tries are ended too; otherwise they may finish.
    pub now: bool,
    /// How much has to fail.
    pub limit: HaltLimit,
}

/// How many failed jobs are too many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HaltLimit {
    /// This many.
    Jobs(u64),
    /// This share of the settled jobs, in percent; judged from the 20th settled job on.
    Percent(f64),
}

/// How long commands have between TERM and KILL.
const KILL_AFTER: Duration = Duration::from_secs(2);

/// A share of fewer settled jobs than this says nothing.
const PERCENT_FROM: u64 = 20;

impl HaltLimit {
    fn reached(self, failed: u64, settled: u64) -> bool {
        match self {
            Self::Jobs(limit) => failed >= limit,
            Self::Percent(limit) => {
                settled >= PERCENT_FROM && failed as f64 * 100.0 >= limit * settled as f64
            }
        }
    }
}

/// The handle by which a run is told to end early. Shared by everybody who takes part in it.
#[derive(Debug)]
pub struct Control {
    stop: AbortController,
    abort: AbortController,
    kill_after: KillAfter,
    halt: Option<Halt>,
    settled: AtomicU64,
    failed: AtomicU64,
    broken: Mutex<Option<Broken>>,
}

/// The run can't go on.
#[derive(Debug)]
pub enum Broken {
    /// Outcome lines can't be written any more.
    Output(io::Error),
    /// The list can't be read any more.
    Input(io::Error),
    /// A core could not be set up.
    Setup(io::Error),
}

impl Control {
    pub(crate) fn new(halt: Option<Halt>) -> Self {
        let stop = AbortController::new();
        let abort = AbortController::new();
        Self {
            stop,
            abort,
            kill_after: KillAfter::new(KILL_AFTER),
            halt,
            settled: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            broken: Mutex::new(None),
        }
    }

    /// Nothing new starts; running tries finish. What waits for a retry is written as interrupted.
    pub fn stop(&self, reason: Reason) {
        self.stop.abort(reason);
    }

    /// Running tries are ended as well: requests are dropped, commands get TERM and, `kill_after` later, KILL.
    pub fn abort(&self, reason: Reason, kill_after: Duration) {
        self.kill_after.set(kill_after);
        self.stop.abort(reason.clone());
        self.abort.abort(reason);
    }

    /// Aborted when nothing new may start.
    #[must_use]
    pub fn stopped(&self) -> AbortSignal {
        self.stop.signal()
    }

    /// Aborted when running tries have to end.
    #[must_use]
    pub fn aborted(&self) -> AbortSignal {
        self.abort.signal()
    }

    pub(crate) fn kill_after(&self) -> &KillAfter {
        &self.kill_after
    }

    /// Counts a settled job, and halts the run if that was one failure too many.
    pub(crate) fn settled(&self, fulfilled: bool) {
        let Some(halt) = self.halt else { return };
        let settled = self.settled.fetch_add(1, Ordering::Relaxed) + 1;
        let failed = self
            .failed
            .fetch_add(u64::from(!fulfilled), Ordering::Relaxed)
            + u64::from(!fulfilled);
        if !fulfilled && halt.limit.reached(failed, settled) {
            let reason = Reason::new(ReasonKind::Closed)
                .message(format!("halted: {failed} of {settled} jobs failed"));
            if halt.now {
                self.abort(reason, self.kill_after.get());
            } else {
                self.stop(reason);
            }
        }
    }

    /// Something is broken for good: everything ends.
    pub(crate) fn fail(&self, broken: Broken) {
        let reason = Reason::new(ReasonKind::Closed).message("the run can't go on");
        let mut first = self
            .broken
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        first.get_or_insert(broken);
        drop(first);
        self.abort(reason, self.kill_after.get());
    }

    pub(crate) fn take_broken(&self) -> Option<Broken> {
        self.broken
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
    }
}
