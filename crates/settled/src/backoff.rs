//! How long to wait before the next try: [`Backoff`].

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// A schedule of growing delays between tries.
///
/// The delay before retry *n* is drawn below a *ceiling* of `min * factor^(n - 1)`, at most `max`. What is drawn is at most
/// `max` as well: the cap comes after the jitter, whatever the kind of jitter.
///
/// It is plain data: it neither sleeps nor reads a clock, and equal seeds give equal delays.
///
/// ```
/// # use std::time::Duration;
/// use settled::{Backoff, Jitter};
///
/// # fn main() -> Result<(), settled::InvalidBackoff> {
/// let backoff = Backoff::exponential(Duration::from_millis(100))
///     .max(Duration::from_millis(250))
///     .jitter(Jitter::None)
///     .factor(2.0)?;
/// let delays: Vec<_> = backoff.delays(0).take(4).map(|delay| delay.as_millis()).collect();
/// assert_eq!(delays, [100, 200, 250, 250]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    factor: f64,
    jitter: Jitter,
}

/// How chance spreads the delays, so that those who failed together do not come back together.
///
/// The kinds and their names are those of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
///
/// ```
/// assert_eq!(settled::Jitter::default(), settled::Jitter::Full);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Jitter {
    /// Anything from zero to the ceiling, all alike likely. It needs the fewest calls of all under contention.
    #[default]
    Full,
    /// Half of the ceiling, and anything up to the whole: never very short.
    Equal,
    /// Anything from `min` to three times the delay before, at most `max`; the factor has no part in it.
    Decorrelated,
    /// The ceiling itself. Those who failed together come back together.
    None,
}

/// A factor that is no number, is not finite, or is below one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InvalidBackoff {
    factor: f64,
}

impl fmt::Display for InvalidBackoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a back-off grows by a finite factor of at least 1, not by {}",
            self.factor
        )
    }
}

impl std::error::Error for InvalidBackoff {}

impl Backoff {
    /// A back-off that starts at `min` and doubles, up to 30 seconds, with full jitter.
    ///
    /// A `min` of zero gives delays of zero.
    #[must_use]
    pub const fn exponential(min: Duration) -> Self {
        Self {
            min,
            max: Duration::from_secs(30),
            factor: 2.0,
            jitter: Jitter::Full,
        }
    }

    /// No delay is longer than `max`, also where `min` is. 30 seconds unless set.
    #[must_use]
    pub const fn max(self, max: Duration) -> Self {
        Self { max, ..self }
    }

    /// The kind of jitter. [`Jitter::Full`] unless set.
    #[must_use]
    pub const fn jitter(self, jitter: Jitter) -> Self {
        Self { jitter, ..self }
    }

    /// By how much the ceiling grows with each retry; 1 is a constant one. 2 unless set.
    ///
    /// # Errors
    /// If `factor` is below 1, infinite or not a number.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let backoff = settled::Backoff::exponential(Duration::from_secs(1));
    /// assert!(backoff.factor(1.0).is_ok());
    /// assert!(backoff.factor(0.5).is_err());
    /// assert!(backoff.factor(f64::NAN).is_err());
    /// ```
    pub fn factor(self, factor: f64) -> Result<Self, InvalidBackoff> {
        match factor.is_finite() && factor >= 1.0 {
            true => Ok(Self { factor, ..self }),
            false => Err(InvalidBackoff { factor }),
        }
    }

    /// The delays before the first retry, the second, and so on without end. Equal seeds give equal delays.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let backoff = settled::Backoff::exponential(Duration::from_millis(200));
    /// assert!(backoff.delays(7).take(5).eq(backoff.delays(7).take(5)));
    /// assert!(backoff.delays(7).take(1000).all(|delay| delay <= Duration::from_secs(30)));
    /// ```
    pub fn delays(&self, seed: u64) -> Delays {
        Delays {
            backoff: *self,
            retry: 0,
            last: self.min,
            rng: Rng::with_seed(seed),
        }
    }

    /// The delay before retry number `retry` (1 is the first; 0 counts as 1), for those who keep nothing but the count.
    ///
    /// [`Jitter::Decorrelated`] needs the delay before, which is not kept here. So the whole walk up to `retry` is drawn
    /// anew: each delay by itself is as likely as in [`delays`](Self::delays), but two delays in a row have nothing to do with
    /// each other. That takes `retry` draws, at most 1,000 (some microseconds); the walk has long forgotten its start by then.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let backoff = settled::Backoff::exponential(Duration::from_millis(200));
    /// let mut rng = fastrand::Rng::new();
    /// assert!(backoff.delay(1, &mut rng) <= Duration::from_millis(200));
    /// assert!(backoff.delay(u32::MAX, &mut rng) <= Duration::from_secs(30));
    /// ```
    #[must_use]
    pub fn delay(&self, retry: u32, rng: &mut Rng) -> Duration {
        match self.jitter {
            Jitter::None => self.ceiling(retry),
            Jitter::Full => between(Duration::ZERO, self.ceiling(retry), rng),
            Jitter::Equal => {
                let ceiling = self.ceiling(retry);
                between(ceiling / 2, ceiling, rng)
            }
            Jitter::Decorrelated => {
                let walk = 0..retry.clamp(1, 1000);
                walk.fold(self.min, |last, _| self.decorrelated(last, rng))
            }
        }
    }

    fn ceiling(&self, retry: u32) -> Duration {
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        // Doubles of nanoseconds are exact up to 104 days; infinity is one more number above `max`, and the only product that is
        // no number is zero times infinity.
        let ceiling = self.min.as_nanos() as f64 * self.factor.powi(exponent);
        match ceiling < self.max.as_nanos() as f64 {
            true => nanos(ceiling as u128),
            false if self.min.is_zero() => Duration::ZERO,
            false => self.max,
        }
    }

    fn decorrelated(&self, last: Duration, rng: &mut Rng) -> Duration {
        let low = self.min.min(self.max);
        between(low, last.saturating_mul(3).max(low), rng).min(self.max)
    }
}

/// All alike likely, both ends included.
fn between(low: Duration, high: Duration, rng: &mut Rng) -> Duration {
    match (
        u64::try_from(low.as_nanos()),
        u64::try_from(high.as_nanos()),
    ) {
        (Ok(low), Ok(high)) => Duration::from_nanos(rng.u64(low..=high)),
        _ => nanos(rng.u128(low.as_nanos()..=high.as_nanos())),
    }
}

/// Of at most `Duration::MAX`, as all callers have it from a duration.
fn nanos(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let rest = u32::try_from(nanos % SECOND).unwrap_or(0);
    Duration::new(u64::try_from(nanos / SECOND).unwrap_or(u64::MAX), rest)
}

/// The delays of a [`Backoff`], without end.
#[derive(Clone, Debug)]
#[must_use = "iterators do nothing unless asked for their items"]
pub struct Delays {
    backoff: Backoff,
    retry: u32,
    last: Duration,
    rng: Rng,
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.retry = self.retry.saturating_add(1);
        self.last = match self.backoff.jitter {
            Jitter::Decorrelated => self.backoff.decorrelated(self.last, &mut self.rng),
            _ => self.backoff.delay(self.retry, &mut self.rng),
        };
        Some(self.last)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

impl std::iter::FusedIterator for Delays {}
