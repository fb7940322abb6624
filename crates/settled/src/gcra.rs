//! The arithmetic of a rate limit, without a clock and without waiting: [`Gcra`].

use std::fmt;
use std::time::Duration;

/// The generic cell rate algorithm: at most `burst` at once, and `count` per `per` in the long run.
///
/// It is plain data. What is now is an argument: nanoseconds since any moment that the caller keeps to. A time before one that it
/// has seen is no harm.
///
/// The state is one number, the *theoretical arrival time*: when everything admitted so far would have arrived, had it come evenly.
/// It is kept in fractions of a nanosecond such that the rate has no rounding error: a third of a second three million times
/// over is a million seconds, and not a nanosecond less.
///
/// ```
/// use std::time::Duration;
/// use settled::Gcra;
///
/// # fn main() -> Result<(), settled::InvalidRate> {
/// const SECOND: u64 = 1_000_000_000;
/// let mut rate = Gcra::new(2, Duration::from_secs(1))?;
/// assert!(rate.take(0, 1).is_ok());
/// assert_eq!(rate.take(0, 1).unwrap_err().ready(), Some(SECOND / 2));
/// assert!(rate.take(SECOND / 2, 1).is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    rate: Rate,
    burst: u32,
    /// The theoretical arrival time, in units of `1 / rate.scale` nanoseconds.
    arrival: u128,
}

/// `count` per `per`, as integers: one cell takes `cell` units of time, `scale` of which are a nanosecond.
///
/// `scale` is at most 1e18 and a time at most 2^64 ns, `cell` at most 2^64 * 1e6 and a burst below 2^32: every sum and product of
/// them that is made here is below 1e38, so nothing in a `u128` overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    scale: u64,
    cell: u128,
}

/// The rate is kept to a millionth of a `count`.
const FRACTION: u32 = 1_000_000;

/// A rate that can't be kept: see the variants.
///
/// ```
/// use settled::InvalidRate;
/// use std::time::Duration;
///
/// let second = Duration::from_secs(1);
/// assert_eq!(settled::RateLimit::new(0, second).unwrap_err(), InvalidRate::Count);
/// assert_eq!(settled::RateLimit::new(f64::NAN, second).unwrap_err(), InvalidRate::Count);
/// assert_eq!(settled::RateLimit::new(1, Duration::ZERO).unwrap_err(), InvalidRate::Period);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidRate {
    /// The count is not from a millionth to a million million.
    Count,
    /// The period is zero, or longer than 584 years.
    Period,
    /// The burst is zero: nothing would ever be admitted.
    Burst,
}

impl fmt::Display for InvalidRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count => "a rate's count is at least 0.000001 and at most 1e12",
            Self::Period => "a rate's period is more than zero and at most 584 years",
            Self::Burst => "a rate's burst is at least 1",
        })
    }
}

impl std::error::Error for InvalidRate {}

/// Not now: it would be more than the rate allows.
///
/// ```
/// # use std::time::Duration;
/// let mut rate = settled::Gcra::new(1, Duration::from_secs(1)).unwrap();
/// rate.take(0, 1).unwrap();
/// assert_eq!(rate.take(0, 1).unwrap_err().ready(), Some(1_000_000_000));
/// assert_eq!(rate.take(0, 2).unwrap_err().ready(), None, "more than the burst");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotYet {
    ready: Option<u64>,
}

impl NotYet {
    /// When it will be allowed, if nothing else is admitted before. `None`: never, as the weight is above the burst, or
    /// past what the clock can say.
    #[must_use]
    pub const fn ready(&self) -> Option<u64> {
        self.ready
    }
}

impl fmt::Display for NotYet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not yet: the rate does not allow it")
    }
}

impl std::error::Error for NotYet {}

impl Rate {
    fn new(count: f64, per: Duration) -> Result<Self, InvalidRate> {
        if !(1e-6..=1e12).contains(&count) {
            return Err(InvalidRate::Count);
        }
        match u64::try_from(per.as_nanos()) {
            Ok(0) | Err(_) => Err(InvalidRate::Period),
            Ok(per) => Ok(Self {
                scale: (count * f64::from(FRACTION)).round() as u64,
                cell: u128::from(per) * u128::from(FRACTION),
            }),
        }
    }

    fn units(self, nanos: u64) -> u128 {
        u128::from(nanos) * u128::from(self.scale)
    }
}

impl Gcra {
    /// `count` per `per`, evenly spaced: the burst is 1.
    ///
    /// # Errors
    /// If `count` is not from a millionth to a million million, or `per` is zero or longer than 584 years.
    pub fn new(count: impl Into<f64>, per: Duration) -> Result<Self, InvalidRate> {
        Ok(Self {
            rate: Rate::new(count.into(), per)?,
            burst: 1,
            arrival: 0,
        })
    }

    /// Allows `burst` at once after a pause.
    ///
    /// # Errors
    /// If `burst` is zero.
    pub fn burst(self, burst: u32) -> Result<Self, InvalidRate> {
        match burst {
            0 => Err(InvalidRate::Burst),
            _ => Ok(Self { burst, ..self }),
        }
    }

    /// How much is allowed at once after a pause.
    #[must_use]
    pub const fn max_burst(&self) -> u32 {
        self.burst
    }

    /// Changes the rate from `now` on. What was admitted before is not forgotten: a debt of three stays a debt of three,
    /// and is worked off at the new rate.
    ///
    /// # Errors
    /// As [`new`](Self::new); the old rate stays then.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let mut rate = settled::Gcra::new(1, Duration::from_secs(60)).unwrap();
    /// rate.take(0, 1).unwrap();
    /// rate.set_rate(0, 1, Duration::from_secs(1)).unwrap();
    /// assert_eq!(rate.peek(0, 1), Some(1_000_000_000), "a second after the last one, not a minute");
    /// ```
    pub fn set_rate(
        &mut self,
        now: u64,
        count: impl Into<f64>,
        per: Duration,
    ) -> Result<(), InvalidRate> {
        let (old, new) = (self.rate, Rate::new(count.into(), per)?);
        let debt = self.arrival.saturating_sub(old.units(now));
        let (cells, rest) = (debt / old.cell, debt % old.cell);
        // What is rounded here is a part of one cell, and once for each change; up, so that never too much is admitted.
        let rest = (rest as f64 / old.cell as f64 * new.cell as f64).ceil() as u128;
        self.arrival = new.units(now) + cells * new.cell + rest.min(new.cell);
        self.rate = new;
        Ok(())
    }

    /// When `weight` will be allowed at the earliest, should nothing else be admitted before; `now` if it is allowed now.
    /// `None`: never, see [`NotYet::ready`].
    #[must_use]
    pub fn peek(&self, now: u64, weight: u32) -> Option<u64> {
        (weight <= self.burst)
            .then(|| self.ready(weight.into()))?
            .map(|ready| ready.max(now))
    }

    /// When the last of `cells` more will be allowed if they come one by one.
    #[must_use]
    pub(crate) fn peek_behind(&self, now: u64, cells: u64) -> Option<u64> {
        let arrival = self.arrival.max(self.rate.units(now));
        Self { arrival, ..*self }
            .ready(cells)
            .map(|ready| ready.max(now))
    }

    /// Up to when what was admitted so far takes, rounded up.
    pub(crate) fn free_since(&self) -> u64 {
        let nanos = self.arrival.div_ceil(self.rate.scale.into());
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    fn ready(&self, cells: u64) -> Option<u64> {
        let end = self
            .arrival
            .checked_add(self.rate.cell.checked_mul(cells.into())?)?;
        let start = end.saturating_sub(self.rate.cell * u128::from(self.burst));
        u64::try_from(start.div_ceil(self.rate.scale.into())).ok()
    }

    /// Admits `weight` now. A weight of zero is always allowed.
    ///
    /// # Errors
    /// If the rate does not allow it now; nothing has changed then.
    pub fn take(&mut self, now: u64, weight: u32) -> Result<(), NotYet> {
        self.take_since(now, now, weight)
    }

    /// Admits `weight` now, and counts it as of `since`, or as soon after that as it was allowed: for what has waited since
    /// then and was woken late. So lateness does not add up to a lower rate.
    ///
    /// # Errors
    /// If the rate does not allow it now; nothing has changed then.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let mut rate = settled::Gcra::new(1000, Duration::from_secs(1)).unwrap();
    /// rate.take(0, 1).unwrap();
    /// rate.take_since(0, 1_700_000, 1).unwrap(); // due at 1 ms, woken at 1.7 ms
    /// assert_eq!(rate.peek(0, 1), Some(2_000_000), "the next one is not later for that");
    /// ```
    pub fn take_since(&mut self, since: u64, now: u64, weight: u32) -> Result<(), NotYet> {
        let ready = self.peek(now, weight);
        if ready != Some(now) {
            return Err(NotYet { ready });
        }
        let arrival = self.arrival.max(self.rate.units(since.min(now)));
        self.arrival = arrival + self.rate.cell * u128::from(weight);
        Ok(())
    }

    /// Gives back a `weight` that was taken and not used. Never more than the burst is there at once, whatever is given back.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let mut rate = settled::Gcra::new(1, Duration::from_secs(60)).unwrap();
    /// rate.take(0, 1).unwrap();
    /// rate.refund(1);
    /// assert!(rate.take(0, 1).is_ok());
    /// ```
    pub fn refund(&mut self, weight: u32) {
        self.arrival = self
            .arrival
            .saturating_sub(self.rate.cell * u128::from(weight));
    }
}
