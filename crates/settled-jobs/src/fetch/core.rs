//! What lives on one core: its connections, timers and known names.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::conn::Conn;
use super::connect::DialError;
use super::dns::Dns;
use super::exchange::Exchange;
use super::guard::{Cut, Timers};
use super::origin::{Origin, Origins};
use super::pool::{Lease, Pool};
use super::spec::FetchSpec;
use super::target::Target;
use super::work::Shared;
use crate::job::Job;
use crate::record::{ErrorKind, Failure, FetchResult, JobResult};
use crate::work::{Attempt, Core, Tried};

/// Makes HTTP requests on one thread.
///
/// It has no tasks of its own: whoever awaits [`attempt`](Core::attempt) drives the connection that is used for it. Idle connections
/// are closed when the core is dropped.
#[derive(Debug)]
pub struct FetchCore {
    pub(super) shared: Arc<Shared>,
    pub(super) dns: Dns,
    pool: Pool,
    origins: RefCell<Origins>,
    timers: Timers,
}

/// How far a try has come.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) phase: Cell<Phase>,
    /// A server may have processed a request of this try that is not idempotent.
    pub(super) processed: Cell<bool>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    Connection,
    Descriptor,
    Answer,
    Body,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Connection => "the connection",
            Self::Descriptor => "a free file descriptor (the limit of open files is reached)",
            Self::Answer => "the answer",
            Self::Body => "the body",
        }
    }
}

/// A try that did not succeed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) result: Option<Box<FetchResult>>,
    pub(super) failure: Failure,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            result: None,
            failure,
        }
    }
}

impl FetchCore {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let connect = &shared.config.connect;
        let pool = Pool::new(connect.idle, connect.idle_for);
        Self {
            pool,
            shared,
            dns: Dns::default(),
            origins: RefCell::default(),
            timers: Timers::default(),
        }
    }

    pub(super) fn origin(&self, target: &Target) -> Rc<Origin> {
        self.origins
            .borrow_mut()
            .of(target, &self.shared.headers, self.shared.proxies.as_ref())
    }

    /// A connection to `origin`: an idle one, unless it has to be `fresh`, or a new one.
    ///
    /// If there are no file descriptors left it waits: for the connection of another slot, or until one can be opened.
    pub(super) async fn lease(
        &self,
        origin: &Rc<Origin>,
        fresh: bool,
        progress: &Progress,
    ) -> Result<Lease<'_>, Failure> {
        let lease = Lease::new(&self.pool, Rc::clone(origin));
        if !fresh && let Some(conn) = self.pool.take(origin) {
            return Ok(lease.with(conn));
        }
        let mut queue = self.pool.crowded();
        loop {
            if queue {
                progress.phase.set(Phase::Descriptor);
                if let Some(conn) = self.pool.wait(origin).await {
                    return Ok(lease.with(conn));
                }
            }
            progress.phase.set(Phase::Connection);
            self.pool.make_room();
            // Boxed: it is rare and large, and would make the future of every request large.
            match Box::pin(self.dial(origin)).await {
                Ok(conn) => return Ok(lease.with(conn)),
                Err(DialError::NoFds) => queue = true,
                Err(DialError::Failed(failure)) => return Err(failure),
            }
        }
    }

    async fn dial(&self, origin: &Origin) -> Result<Box<Conn>, DialError> {
        let limit = self.shared.config.connect.timeout;
        settled::timeout(limit, origin.connect(self))
            .await
            .unwrap_or_else(|_| {
                let message = format!(
                    "timed out after {} waiting for the connection",
                    humantime::format_duration(limit)
                );
                Err(Failure::transient(ErrorKind::Timeout, message).into())
            })
    }

    /// Whether another try can do no harm.
    fn repeatable(&self, progress: &Progress) -> bool {
        let config = &self.shared.config;
        config.retry_unsafe || config.idempotency_key.is_some() || !progress.processed.get()
    }
}

impl Core for FetchCore {
    type Spec = FetchSpec;

    async fn attempt(&self, job: &Job<FetchSpec>, attempt: &Attempt<'_>) -> Tried {
        let started = Instant::now();
        let progress = Progress {
            phase: Cell::new(Phase::Connection),
            processed: Cell::new(false),
        };
        let exchange = Exchange {
            core: self,
            job,
            progress: &progress,
        };
        let work = pin!(exchange.run());
        let failed = match self
            .timers
            .within(started, attempt.until(), attempt.abort, work)
            .await
        {
            Ok(Ok(result)) => return Tried::fulfilled(JobResult::Fetch(result)),
            Ok(Err(failed)) => failed,
            Err(Cut::Aborted(reason)) => {
                Failure::permanent(ErrorKind::Cancelled, reason.to_string()).into()
            }
            Err(Cut::Late(limit)) => late(limit, progress.phase.get()).into(),
        };
        let Failed {
            result,
            mut failure,
        } = failed;
        failure.retry &= self.repeatable(&progress);
        Tried::failed(result.map(JobResult::Fetch), failure)
    }
}

/// What it had, not what it took: a core that is busy is a little late to say so.
fn late(limit: Duration, phase: Phase) -> Failure {
    let limit = Duration::from_millis(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    let message = format!(
        "timed out after {} waiting for {}",
        humantime::format_duration(limit),
        phase.name()
    );
    Failure::transient(ErrorKind::Timeout, message)
}
