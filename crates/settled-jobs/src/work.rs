//! What the engine asks of a command (`fetch`, `run`): to decode a line, and to make one try.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use settled::{AbortSignal, Outcome};
use tokio::time::Instant;

use crate::job::{Job, Line};
use crate::record::{ErrorKind, Failure, JobResult};

/// What a list is made of: how a line becomes a job, and who makes its tries. Shared by all threads.
pub trait Work: Debug + Send + Sync + 'static {
    /// What a job asks for.
    type Spec: Debug + Send + 'static;
    /// The part that lives on one core's thread and owns its connections, timers and buffers.
    type Core: Core<Spec = Self::Spec>;

    /// Reads a line as a job. The key of a plain line is [`Key::of`](crate::Key::of) its bytes.
    ///
    /// # Errors
    /// A permanent [`Failure`] (kind `input` or `url`) that says what is wrong with the line. The line settles with it, the run
    /// goes on.
    fn decode(&self, line: Line<'_>) -> Result<Job<Self::Spec>, Failure>;

    /// The host that a job goes to (`host:port`), for per-host limits. `None`: no limit applies.
    fn host<'a>(&self, spec: &'a Self::Spec) -> Option<&'a str>;

    /// Makes the part for one core; called on that core's thread, inside its runtime.
    ///
    /// # Errors
    /// If it can't be set up at all (no certificates, no pipe).
    fn core(&self) -> io::Result<Self::Core>;
}

/// Makes tries, on one thread.
pub trait Core: Debug + 'static {
    /// What a job asks for.
    type Spec;

    /// Makes one try of `job`, to its end: when this returns, nothing of the try is still running.
    ///
    /// It keeps `attempt.timeout` and `attempt.deadline` itself (kind `timeout`) and ends early when `attempt.abort` is aborted
    /// (kind `cancelled`).
    fn attempt(&self, job: &Job<Self::Spec>, attempt: &Attempt<'_>) -> impl Future<Output = Tried>;
}

/// The circumstances of one try.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// 1 for the first try.
    pub number: u32,
    /// How long this try may take.
    pub timeout: Option<Duration>,
    /// When the job's total time is up.
    pub deadline: Option<Instant>,
    /// Stops the try.
    pub abort: &'a AbortSignal,
    /// How long a command that was told to end (TERM) has before it is killed (KILL).
    pub kill_after: &'a KillAfter,
}

impl Attempt<'_> {
    /// When this try has to be over: its own timeout or the job's deadline, whichever comes first. `None`: never.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        let own = self
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        match (own, self.deadline) {
            (Some(own), Some(total)) => Some(own.min(total)),
            (own, total) => own.or(total),
        }
    }
}

/// How long a command that was told to end (TERM) has before it is killed (KILL). It may change while commands run.
#[derive(Debug)]
pub struct KillAfter(AtomicU64);

impl KillAfter {
    /// This long, to the millisecond.
    #[must_use]
    pub const fn new(time: Duration) -> Self {
        Self(AtomicU64::new(millis(time)))
    }

    /// How long it is now.
    #[must_use]
    pub fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, time: Duration) {
        self.0.store(millis(time), Ordering::Relaxed);
    }
}

const fn millis(time: Duration) -> u64 {
    let millis = time.as_millis();
    if millis > u64::MAX as u128 {
        u64::MAX
    } else {
        millis as u64
    }
}

/// What one try came to.
#[derive(Debug)]
pub struct Tried {
    /// What came back, also where that is a failure.
    pub result: Option<JobResult>,
    /// Why it is no success; `None` is a success.
    pub error: Option<Failure>,
    /// Something of the try could not be ended and may still be running (a process that survives KILL).
    pub abandoned: bool,
}

impl Tried {
    /// A success.
    #[must_use]
    pub fn fulfilled(result: JobResult) -> Self {
        Self {
            result: Some(result),
            error: None,
            abandoned: false,
        }
    }

    /// What a try that was settled came to: a panic of its code is a failure like any other.
    pub(crate) fn of(outcome: Outcome<Self, Failure>) -> Self {
        let (kind, message) = match outcome {
            Outcome::Fulfilled(tried) => return tried,
            Outcome::Rejected(failure) => return Self::failed(None, failure),
            Outcome::Panicked(panic) => (ErrorKind::Panic, panic.message().to_owned()),
            other => (ErrorKind::Panic, format!("unexpected: {}", other.kind())),
        };
        Self::failed(None, Failure::permanent(kind, message))
    }

    /// A failure.
    #[must_use]
    pub fn failed(result: Option<JobResult>, error: Failure) -> Self {
        Self {
            result,
            error: Some(error),
            abandoned: false,
        }
    }
}
