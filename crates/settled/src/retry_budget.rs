//! How many retries a lot of work may make together: [`RetryBudget`].

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Bounds the retries of many callers together, so that a server in trouble is not buried under retries.
///
/// Each first attempt [deposits](Self::deposit) a share of a token, some tokens come with time, and each retry
/// [withdraws](Self::try_withdraw) one. With a share of 0.2 the retries are at most a fifth of the first attempts, plus what
/// comes with time. As in Finagle's and tower's budgets, all of it counts for ten seconds only: an hour of good health buys no storm.
///
/// - What was deposited is worth something for [ten seconds](Self::WINDOW). Deposits are dated when somebody withdraws, as if
///   they had come evenly since the withdrawal before; that saves each deposit a look at the clock.
/// - With time come `per_second` tokens, of which at most ten seconds' worth (and at least one) is kept; it starts full.
///
/// Shared by reference or in an `Arc`, from any number of threads and runtimes.
///
/// ```
/// use settled::RetryBudget;
/// use tokio::time::Instant;
///
/// # fn main() -> Result<(), settled::InvalidRetryBudget> {
/// let budget = RetryBudget::new(0.2, 0.0)?;
/// let now = Instant::now();
/// assert!(budget.try_withdraw(now).is_err(), "nothing was deposited yet");
/// for _first_attempt in 0..5 {
///     budget.deposit();
/// }
/// assert!(budget.try_withdraw(now).is_ok());
/// assert!(budget.try_withdraw(now).is_err());
/// # Ok(())
/// # }
/// ```
pub struct RetryBudget {
    /// Deposits that are not dated yet. A count, so that it can't overflow.
    deposits: AtomicU64,
    core: Mutex<Core>,
}

/// A share or a rate that is negative, not finite, or more than a thousand (a share), a billion (a rate).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidRetryBudget {
    share: f64,
    per_second: f64,
}

impl fmt::Display for InvalidRetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { share, per_second } = self;
        write!(
            f,
            "a retry budget takes a share of 0 to 1000 and a rate of 0 to 1e9/s, not {share} and {per_second}/s"
        )
    }
}

impl std::error::Error for InvalidRetryBudget {}

/// There is no token for a retry.
///
/// ```
/// # use std::time::Duration;
/// # use settled::RetryBudget;
/// # use tokio::time::Instant;
/// let budget = RetryBudget::new(0.0, 0.1).unwrap();
/// let now = Instant::now();
/// budget.try_withdraw(now).unwrap();
/// let exhausted = budget.try_withdraw(now).unwrap_err();
/// assert_eq!(exhausted.until(), Some(now + Duration::from_secs(10)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetExhausted {
    until: Option<Instant>,
}

impl BudgetExhausted {
    /// When there will be a token from time alone, unless somebody else takes it. `None`: never, only deposits help.
    #[must_use]
    pub const fn until(&self) -> Option<Instant> {
        self.until
    }
}

impl fmt::Display for BudgetExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the retry budget is exhausted")
    }
}

impl std::error::Error for BudgetExhausted {}

impl RetryBudget {
    /// How long a deposit counts, and how much of what comes with time is kept.
    pub const WINDOW: Duration = Duration::from_secs(SLOTS as u64);

    /// A budget of `share` tokens (0.2: a fifth) for each first attempt, and `per_second` tokens a second.
    ///
    /// Both are kept to a millionth of a token. Two zeros allow no retry at all. The budget's time begins now.
    ///
    /// # Errors
    /// If one of them is negative or no number, `share` is above a thousand, or `per_second` above a billion.
    pub fn new(share: f64, per_second: f64) -> Result<Self, InvalidRetryBudget> {
        if !(0.0..=1e3).contains(&share) || !(0.0..=1e9).contains(&per_second) {
            return Err(InvalidRetryBudget { share, per_second });
        }
        let rate = (per_second * TOKEN as f64).round() as u64;
        let cap = if rate == 0 {
            0
        } else {
            (rate * SLOTS as u64).max(TOKEN)
        };
        let now = Instant::now();
        let core = Core {
            share: (share * TOKEN as f64).round() as u64,
            rate,
            cap,
            by_time: cap,
            slots: [0; SLOTS],
            origin: now,
            dated: now,
        };
        Ok(Self {
            deposits: AtomicU64::new(0),
            core: Mutex::new(core),
        })
    }

    /// Counts a first attempt. It takes no lock and reads no clock.
    pub fn deposit(&self) {
        // Relaxed: it is a count, and nothing else is read on the strength of it.
        self.deposits.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the token for one retry.
    ///
    /// # Errors
    /// If there is none; the error says when time alone will bring one.
    pub fn try_withdraw(&self, now: Instant) -> Result<(), BudgetExhausted> {
        let mut core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        core.turn(now, self.deposits.swap(0, Ordering::Relaxed));
        core.withdraw().map_err(|wait| BudgetExhausted {
            until: wait.and_then(|wait| now.checked_add(wait)),
        })
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("RetryBudget")
            .field("share", &(core.share as f64 / TOKEN as f64))
            .field("per_second", &(core.rate as f64 / TOKEN as f64))
            .finish_non_exhaustive()
    }
}

/// Amounts are in millionths of a token.
const TOKEN: u64 = 1_000_000;
/// One slot is one second of deposits.
const SLOTS: usize = 10;

/// The budget itself; what is now is an argument.
#[derive(Debug)]
struct Core {
    share: u64,
    rate: u64,
    cap: u64,
    by_time: u64,
    /// Deposits by the second in which they came; the last slot is the current second.
    slots: [u64; SLOTS],
    origin: Instant,
    /// Up to when deposits and time are accounted for.
    dated: Instant,
}

impl Core {
    /// Accounts for the time since the last turn, and for `deposits` that came in it. A `now` before the last one counts as that.
    fn turn(&mut self, now: Instant, deposits: u64) {
        let amount =
            u64::try_from(u128::from(deposits) * u128::from(self.share)).unwrap_or(u64::MAX);
        let from = nanos(self.dated - self.origin);
        self.dated = self.dated.max(now);
        let to = nanos(self.dated - self.origin);
        self.by_time = self.cap.min(
            self.by_time
                .saturating_add(self.earned(to) - self.earned(from)),
        );
        self.shift(to / SECOND - from / SECOND);
        self.spread(amount, from, to);
    }

    /// What time has brought up to `at`. Taking differences of this, instead of rounding each gain, loses nothing.
    fn earned(&self, at: u64) -> u64 {
        u64::try_from(u128::from(self.rate) * u128::from(at) / u128::from(SECOND))
            .unwrap_or(u64::MAX)
    }

    fn shift(&mut self, seconds: u64) {
        let gone = usize::try_from(seconds).unwrap_or(SLOTS).min(SLOTS);
        self.slots.rotate_left(gone);
        self.slots[SLOTS - gone..].fill(0);
    }

    /// Spreads `amount` evenly over the time between; what falls before the window is lost.
    fn spread(&mut self, amount: u64, from: u64, to: u64) {
        let newest = to / SECOND;
        // The part of `amount` that belongs to the time from `at` on.
        let since = |at: u64| match to - from {
            0 => u128::from(amount),
            whole => u128::from(amount) * u128::from(to - at.clamp(from, to)) / u128::from(whole),
        };
        let mut later = 0;
        for (age, slot) in (0u64..).zip(self.slots.iter_mut().rev()) {
            let Some(second) = newest.checked_sub(age) else {
                return;
            };
            let here = since(second * SECOND) - later;
            later += here;
            *slot = slot.saturating_add(u64::try_from(here).unwrap_or(u64::MAX));
        }
    }

    /// Takes a token, or says how long time alone needs to bring it. Deposits go first, the oldest before the others, since
    /// those are the next to be worth nothing.
    fn withdraw(&mut self) -> Result<(), Option<Duration>> {
        let deposited = self
            .slots
            .iter()
            .fold(0u64, |sum, slot| sum.saturating_add(*slot));
        if deposited.saturating_add(self.by_time) < TOKEN {
            return Err(self.wait());
        }
        let mut due = TOKEN;
        for source in self.slots.iter_mut().chain([&mut self.by_time]) {
            let part = due.min(*source);
            *source -= part;
            due -= part;
        }
        Ok(())
    }

    fn wait(&self) -> Option<Duration> {
        let missing = u128::from(TOKEN - self.by_time) * u128::from(SECOND);
        // Rounded up: at that time the token is there.
        let wait = if self.rate == 0 {
            None
        } else {
            Some(missing.div_ceil(u128::from(self.rate)))
        };
        wait.and_then(|wait| u64::try_from(wait).ok())
            .map(Duration::from_nanos)
    }
}

const SECOND: u64 = 1_000_000_000;

/// 584 years are enough.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
