//! A page, with all its tries.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use settled::{AbortSignal, RateLimit, settle};
use tokio::time::{Instant, sleep};
use url::Url;

use super::address::shown;
use super::arrived::{Arrived, Asks};
use super::error::{Cause, PagesError};
use crate::fetch::{FetchCore, FetchWork};
use crate::record::{ErrorKind, Failure, FetchResult, JobResult};
use crate::retrying::{Decision, Rules, Standing};
use crate::work::{Attempt, Core as _, KillAfter, Tried};

/// Gets pages: one thread's connections, and the rules for tries.
#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) work: FetchWork,
    pub(super) core: FetchCore,
    pub(super) rules: Rules,
    pub(super) timeout: Option<Duration>,
    pub(super) rate: Option<RateLimit>,
    pub(super) rng: RefCell<fastrand::Rng>,
    pub(super) asks: Asks,
    pub(super) counters: Arc<Counters>,
}

/// What was done so far: written by one thread, read by whoever looks.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) retries: AtomicU64,
}

impl Fetcher {
    /// Gets a page and reads it. Dropping the future ends its request.
    pub(super) async fn fetch(&self, number: u64, url: &Url) -> Result<Arrived, PagesError> {
        let answer = self.answer(number, url).await;
        answer
            .and_then(|answer| self.asks.read(number, url, &answer))
            .map_err(|cause| PagesError {
                page: number,
                url: shown(url),
                cause,
            })
    }

    async fn answer(&self, number: u64, url: &Url) -> Result<Box<FetchResult>, Cause> {
        let job = self
            .work
            .job(url.as_str(), number)
            .map_err(|failure| Cause::Next(failure.message.into_owned()))?;
        // Who stops a page drops its future.
        let never = AbortSignal::never();
        let mut begun = None;
        let mut done = 0;
        loop {
            if let Some(rate) = &self.rate {
                rate.acquire().await;
            }
            let start = Instant::now();
            let begun = *begun.get_or_insert(start);
            let attempt = Attempt {
                number: done + 1,
                timeout: self.timeout,
                deadline: self.rules.deadline(begun),
                abort: &never,
                kill_after: &KillAfter::new(Duration::ZERO),
            };
            self.counters.requests.fetch_add(1, Relaxed);
            let tried = settle(async { Ok(self.core.attempt(&job, &attempt).await) }).await;
            let tried = Tried::of(tried);
            let standing = Standing {
                done,
                begun,
                took: start.elapsed(),
                abandoned: tried.abandoned,
                stopped: false,
            };
            let decision = self
                .rules
                .decide(standing, tried.error, &mut self.rng.borrow_mut());
            match (decision, tried.result) {
                (Decision::Retry(delay, _), _) => {
                    self.counters.retries.fetch_add(1, Relaxed);
                    sleep(delay).await;
                    done += 1;
                }
                (Decision::Settle(_, None), Some(JobResult::Fetch(answer))) => return Ok(answer),
                (Decision::Settle(_, failure) | Decision::Interrupt(failure), _) => {
                    let failure = failure.unwrap_or_else(|| {
                        Failure::permanent(ErrorKind::Panic, "a success without an answer")
                    });
                    let tries = done + 1;
                    return Err(Cause::Failed { failure, tries });
                }
            }
        }
    }
}
