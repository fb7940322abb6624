//! One try of a command, from its start to its end.
//!
//! ```text
//!            refused for a limit: wait for room, again
//!              ┌────────┐
//!  launch ─────┴────────┴──> runs ──── ends by itself ────> linger: pipes still open? ──┐
//!                             │                              at most LINGER             │
//!                             └── time is up, or aborted ──> TERM ── kill_after ──> KILL ┴──> reap, close, judge
//! ```

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep};

use super::child::Child;
use super::config::RunConfig;
use super::failure;
use super::spawn::{Launched, Launcher, Refused};
use super::spec::CommandSpec;
use super::stream::Stream;
use super::wait::{Either, Stop, first, stop};
use crate::job::Job;
use crate::keep::Keep;
use crate::record::{Ended, ErrorKind, Failure, JobResult, RunResult};
use crate::work::{Attempt, Core, Tried};

/// A command that ends within this time is not listened to before: its pipes hold what it has to say, and having the kernel tell
/// of each of them costs more than a short command does. One that fills a pipe waits for us that long, once.
const SHORT: Duration = Duration::from_millis(5);

/// How long the rest of a group may keep the pipes open after its leader has ended by itself.
const LINGER: Duration = Duration::from_secs(1);

/// How long pipes stay open after KILL: the killed close them at once, only what left the group (`setsid`) doesn't.
const CLOSING: Duration = Duration::from_millis(100);

/// How long a child may take to end after KILL before it is given up.
const DYING: Duration = Duration::from_secs(5);

/// How long a start is tried again while a limit of the system is reached.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same, while the program's file is being written.
const BUSY: Duration = Duration::from_secs(1);

/// Bounds of the time between two tries to start, which the end of another child cuts short.
const AGAIN: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Runs commands on one thread.
#[derive(Debug)]
pub struct RunCore {
    config: Arc<RunConfig>,
    launcher: RefCell<Launcher>,
    /// What one read takes: as much as a pipe holds.
    buffer: RefCell<Box<[u8]>>,
    /// Told when a child is gone.
    room: Notify,
}

/// A command that runs. Dropped, it is killed and reaped.
#[derive(Debug)]
struct Running<'c> {
    child: Child,
    stdout: Stream,
    stderr: Stream,
    /// The last field, so that pipes are closed and the child is reaped when others hear of it.
    _room: Room<'c>,
}

/// Gives its place to those that wait for one.
#[derive(Debug)]
struct Room<'c>(&'c Notify);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}

impl Core for RunCore {
    type Spec = CommandSpec;

    async fn attempt(&self, job: &Job<CommandSpec>, attempt: &Attempt<'_>) -> Tried {
        let until = attempt.until();
        if until.is_some_and(|until| until <= Instant::now()) {
            return Tried::failed(None, time_is_up(attempt, until));
        }
        let launched = match self.launch(&job.spec, until, attempt).await {
            Ok(launched) => launched,
            Err(failure) => return Tried::failed(None, failure),
        };
        let mut running = self.running(job.seq, launched);
        let stopped = self.to_the_end(&mut running, until, attempt).await;
        let failure = stopped.map(|stopped| match stopped {
            Stop::Abort => cancelled(attempt),
            Stop::Time => time_is_up(attempt, until),
        });
        self.judge(running, failure)
    }
}

impl RunCore {
    pub(super) fn new(config: Arc<RunConfig>, launcher: Launcher) -> Self {
        let buffer = RefCell::new(vec![0; 64 << 10].into());
        Self {
            config,
            launcher: RefCell::new(launcher),
            buffer,
            room: Notify::new(),
        }
    }

    /// Starts the command; while a limit of the system is in the way, it waits for room.
    async fn launch(
        &self,
        spec: &CommandSpec,
        until: Option<Instant>,
        attempt: &Attempt<'_>,
    ) -> Result<Launched, Failure> {
        let (start, mut pause) = (Instant::now(), AGAIN.0);
        loop {
            if attempt.abort.is_aborted() {
                return Err(cancelled(attempt));
            }
            let refused = match self.launcher.borrow_mut().launch(spec) {
                Ok(launched) => return Ok(launched),
                Err(refused) => refused,
            };
            if start.elapsed() >= patience(&refused) {
                return Err(failure::spawn(spec, &refused));
            }
            // No await lies between the refusal and this, so no child of this thread can have ended unheard.
            let again = first(self.room.notified(), sleep(pause));
            match first(stop(until, attempt.abort), again).await {
                Either::Left(Stop::Abort) => return Err(cancelled(attempt)),
                Either::Left(Stop::Time) => return Err(failure::spawn(spec, &refused)),
                Either::Right(_) => pause = (pause * 2).min(AGAIN.1),
            }
        }
    }

    fn running(&self, seq: u64, launched: Launched) -> Running<'_> {
        let keep = |name| {
            let config = &self.config;
            move || {
                Keep::new(config.inline, config.save_dir.clone(), || {
                    format!("{seq}.{name}")
                })
            }
        };
        Running {
            child: launched.child,
            stdout: Stream::new(launched.stdout, keep("stdout"), false),
            stderr: Stream::new(launched.stderr, keep("stderr"), true),
            _room: Room(&self.room),
        }
    }

    /// Until the child has ended, or can't be ended, and the pipes are closed. Tells what stopped it if it did not end by itself.
    async fn to_the_end(
        &self,
        running: &mut Running<'_>,
        until: Option<Instant>,
        attempt: &Attempt<'_>,
    ) -> Option<Stop> {
        let mut stop = pin!(stop(until, attempt.abort));
        let mut stopped = {
            let short = pin!(first(stop.as_mut(), sleep(SHORT)));
            let limit = self.pump(running, Running::child_has_ended, short).await;
            limit.and_then(|limit| match limit {
                Either::Left(stop) => Some(stop),
                Either::Right(()) => None,
            })
        };
        running.watch(&mut self.buffer.borrow_mut());
        if stopped.is_none() {
            stopped = self
                .pump(running, Running::child_has_ended, stop.as_mut())
                .await;
        }
        if stopped.is_none() && !running.is_done() {
            self.pump(running, Running::is_done, pin!(first(sleep(LINGER), stop)))
                .await;
        }
        if !running.is_done() {
            running.child.terminate();
            self.pump(
                running,
                Running::is_done,
                pin!(sleep(attempt.kill_after.get())),
            )
            .await;
        }
        if !running.is_done() {
            running.child.kill();
            self.pump(running, Running::child_has_ended, pin!(sleep(DYING)))
                .await;
            self.pump(running, Running::is_done, pin!(sleep(CLOSING)))
                .await;
        }
        stopped
    }

    /// Reads and watches until `done`, or until `limit` is over: then with its value.
    ///
    /// It is not under tokio's cooperative budget, since reading could use that up and so keep the timers from firing; reading has
    /// a bound of its own.
    async fn pump<'c, T>(
        &self,
        running: &mut Running<'c>,
        done: impl Fn(&Running<'c>) -> bool,
        mut limit: Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        let step = poll_fn(|cx| {
            let buffer = &mut self.buffer.borrow_mut();
            let _ = running.stdout.poll(cx, buffer);
            let _ = running.stderr.poll(cx, buffer);
            let _ = running.child.poll_ended(cx);
            if done(running) {
                std::task::Poll::Ready(None)
            } else {
                limit.as_mut().poll(cx).map(Some)
            }
        });
        unconstrained(step).await
    }

    /// Ends what is left, and says what the try came to. `stopped`: why it was stopped.
    fn judge(&self, running: Running<'_>, stopped: Option<Failure>) -> Tried {
        let Running {
            child,
            mut stdout,
            mut stderr,
            _room,
        } = running;
        let gone = child.has_ended();
        let ended = if gone {
            child.reap()
        } else {
            child.leave_behind()
        };
        stdout.close(&mut self.buffer.borrow_mut());
        stderr.close(&mut self.buffer.borrow_mut());
        let ((stdout, _), (stderr, last_line)) = (stdout.finish(), stderr.finish());
        let lost = [&stdout, &stderr]
            .into_iter()
            .find_map(|kept| kept.as_ref().err())
            .map(failure::output);
        let judged = match ended {
            Some(Ended::Exit(status)) if self.config.ok_exit.contains(status) => None,
            Some(Ended::Exit(status)) => Some(failure::exit(
                status,
                &last_line,
                self.config.retries(status),
            )),
            Some(Ended::Signal(number)) => {
                Some(failure::signal(number, self.config.retries(128 + number)))
            }
            None => Some(failure::no_status()),
        };
        let result = ended.map(|ended| {
            let (stdout, stderr) = (stdout.unwrap_or_default(), stderr.unwrap_or_default());
            JobResult::Run(Box::new(RunResult {
                ended,
                stdout,
                stderr,
            }))
        });
        Tried {
            result,
            error: stopped.or(judged).or(lost),
            abandoned: !gone,
        }
    }
}

impl Running<'_> {
    fn watch(&mut self, buffer: &mut [u8]) {
        self.stdout.watch(buffer);
        self.stderr.watch(buffer);
    }

    fn child_has_ended(&self) -> bool {
        self.child.has_ended()
    }

    /// Nothing more will come.
    fn is_done(&self) -> bool {
        self.child.has_ended() && self.stdout.is_closed() && self.stderr.is_closed()
    }
}

fn patience(refused: &Refused) -> Duration {
    match &refused.error {
        error if failure::is_pressure(error) => PATIENCE,
        error if failure::is_busy(error) => BUSY,
        _ => Duration::ZERO,
    }
}

fn cancelled(attempt: &Attempt<'_>) -> Failure {
    let message = match attempt.abort.reason() {
        Some(reason) => reason.to_string(),
        None => "stopped".to_owned(),
    };
    Failure::permanent(ErrorKind::Cancelled, message)
}

/// Says whose time it was: the try's own, or all of the job's.
fn time_is_up(attempt: &Attempt<'_>, until: Option<Instant>) -> Failure {
    let own = attempt.deadline.is_none() || attempt.deadline != until;
    failure::timeout(attempt.timeout.filter(|_| own))
}
