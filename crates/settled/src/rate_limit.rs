//! Holding a rate, with a queue: [`RateLimit`].

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::gcra::{Gcra, InvalidRate};
use crate::semaphore::Semaphore;

/// At most so many in so much time, evenly spaced unless a [burst](Self::burst) is allowed, first come, first served.
///
/// Within any stretch of time of length *t* it admits at most `burst + (t + SLACK) * count / per`. The
/// [slack](Self::SLACK) makes up for timers, which tick in milliseconds and are late: whoever waited counts as of when it might have
/// gone, at most that long ago, and so does who comes right after. Without it a rate of thousands a second would never be
/// reached. A limiter that was idle for longer has its burst, and no more.
///
/// Only the first in line sleeps; when it wakes, all who are due go one after the other without a timer of their own. It may be shared
/// by reference or in an `Arc`, between any number of threads and runtimes. As with every fair queue, a task that keeps an `acquire`
/// without polling it keeps all behind it waiting.
///
/// ```
/// # use std::time::Duration;
/// # use tokio::time::Instant;
/// use settled::RateLimit;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let limit = RateLimit::new(10, Duration::from_secs(1)).unwrap().burst(3).unwrap();
/// let start = Instant::now();
/// for _ in 0..5 {
///     limit.acquire().await;
/// }
/// assert_eq!(start.elapsed(), Duration::from_millis(200), "three at once, then every 100 ms");
/// # });
/// ```
pub struct RateLimit {
    core: Mutex<Gcra>,
    /// Nanoseconds of the core count from here.
    origin: Instant,
    /// Whose turn it is. One permit; never closed.
    turn: Semaphore,
    /// Tells the first in line that what it waits for may have moved.
    changed: Notify,
}

impl RateLimit {
    /// By how much a waiter that was woken late may be dated back.
    pub const SLACK: Duration = Duration::from_millis(2);

    /// `count` per `per`, evenly spaced. The count is kept to a millionth.
    ///
    /// # Errors
    /// If `count` is not from a millionth to a million million (zero, negative, no number), or `per` is zero or longer than 584 years.
    pub fn new(count: impl Into<f64>, per: Duration) -> Result<Self, InvalidRate> {
        Ok(Self {
            core: Mutex::new(Gcra::new(count, per)?),
            origin: Instant::now(),
            turn: Semaphore::new(1),
            changed: Notify::new(),
        })
    }

    /// Allows `burst` at once after a pause. 1 unless set.
    ///
    /// # Errors
    /// If `burst` is zero.
    pub fn burst(self, burst: u32) -> Result<Self, InvalidRate> {
        let core = self
            .core
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .burst(burst)?;
        Ok(Self {
            core: Mutex::new(core),
            ..self
        })
    }

    /// Changes the rate from now on, for those who wait as well. What was admitted before still counts.
    ///
    /// # Errors
    /// As [`new`](Self::new); the old rate stays then.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use settled::RateLimit;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let limit = RateLimit::new(1, Duration::from_secs(3600)).unwrap();
    /// limit.acquire().await;
    /// limit.set_rate(1, Duration::from_secs(1)).unwrap();
    /// limit.acquire().await; // a second, not an hour
    /// # });
    /// ```
    pub fn set_rate(&self, count: impl Into<f64>, per: Duration) -> Result<(), InvalidRate> {
        let now = self.now();
        self.core().set_rate(now, count, per)?;
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for its turn, and until the rate allows it.
    ///
    /// # Fairness
    /// First polled, first served.
    ///
    /// # Cancel safety
    /// Dropping the future uses nothing up; those behind move up.
    ///
    /// # Panics
    /// If it has to wait and there is no tokio runtime with timers.
    pub async fn acquire(&self) {
        let asked = self.now();
        let _turn = self
            .turn
            .acquire(1)
            .await
            .expect("the turnstile has one permit, and is never closed");
        while let Err(ready) = self.take(asked) {
            self.sleep_until(ready).await;
        }
    }

    /// Goes on only if the rate allows it right now and nobody waits.
    ///
    /// # Errors
    /// When it will be allowed, if all who wait stay and nobody else comes first. In 30 years, if it is past what the clock can say.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let limit = settled::RateLimit::new(1, Duration::from_secs(60)).unwrap();
    /// assert!(limit.try_acquire().is_ok());
    /// assert!(limit.try_acquire().is_err());
    /// ```
    pub fn try_acquire(&self) -> Result<(), Instant> {
        match self.turn.try_acquire(1) {
            Ok(_turn) => self.take(self.now()),
            Err(_) => {
                // The one whose turn it is, those behind it, and this one.
                let ahead = self.turn.waiting() as u64 + 2;
                let now = self.now();
                Err(self.instant(self.core().peek_behind(now, ahead)))
            }
        }
    }

    /// Gives back one that was acquired and not used.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let limit = settled::RateLimit::new(1, Duration::from_secs(60)).unwrap();
    /// limit.try_acquire().unwrap();
    /// limit.refund();
    /// assert!(limit.try_acquire().is_ok());
    /// ```
    pub fn refund(&self) {
        self.core().refund(1);
        self.changed.notify_one();
    }

    /// How many wait behind the one whose turn it is: a snapshot.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.turn.waiting()
    }

    /// Only for who has the turn. `asked` is when it got in line.
    fn take(&self, asked: u64) -> Result<(), Instant> {
        let now = self.now();
        let earliest = now.saturating_sub(SLACK);
        let mut core = self.core();
        // A limiter that was busy up to just now goes on where it was, as if whoever comes now had been in line: somebody who
        // acquires in a loop is as late as its timer was. One that was idle starts anew.
        let busy = core.free_since() >= earliest;
        let since = if busy { earliest } else { asked.max(earliest) };
        let taken = core.take_since(since, now, 1);
        drop(core);
        taken.map_err(|not_yet| self.instant(not_yet.ready()))
    }

    async fn sleep_until(&self, ready: Instant) {
        // A change after the look at the core and before this line is not missed: it left a permit in `changed`.
        let mut changed = pin!(self.changed.notified());
        let mut timer = pin!(tokio::time::sleep_until(ready));
        poll_fn(|cx| match changed.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => timer.as_mut().poll(cx),
        })
        .await;
    }

    fn core(&self) -> MutexGuard<'_, Gcra> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn instant(&self, nanos: Option<u64>) -> Instant {
        const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
        let at = nanos.and_then(|nanos| self.origin.checked_add(Duration::from_nanos(nanos)));
        at.unwrap_or_else(|| Instant::now() + FAR)
    }
}

const SLACK: u64 = RateLimit::SLACK.as_nanos() as u64;

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("core", &*self.core())
            .field("waiting", &self.waiting())
            .finish()
    }
}
