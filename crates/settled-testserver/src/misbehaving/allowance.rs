//! The service's own rate limit. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// So many requests a second, some at once (a GCRA: the time at which everything that was admitted is paid for).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    every: Duration,
    slack: Duration,
    paid: Option<Instant>,
}

impl Allowance {
    /// `None`: that is no rate.
    pub(crate) fn new(per_second: f64, burst: u32) -> Option<Self> {
        let every = Duration::try_from_secs_f64(1.0 / per_second)
            .ok()
            .filter(|every| !every.is_zero())?;
        Some(Self {
            every,
            slack: every.checked_mul(burst.checked_sub(1)?)?,
            paid: None,
        })
    }

    /// Admits a request, or says how long until the next one is.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        let paid = self.paid.map_or(now, |paid| paid.max(now));
        let early = paid.duration_since(now);
        if early > self.slack {
            return Err(early - self.slack);
        }
        self.paid = Some(paid + self.every);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Allowance;

    #[test]
    fn a_burst_then_the_rate() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut allowance = Allowance::new(10.0, 3).unwrap();
        assert_eq!([0, 0, 0].map(|ms| allowance.admit(at(ms))), [Ok(()); 3]);
        assert_eq!(allowance.admit(at(0)), Err(Duration::from_millis(100)));
        assert_eq!(allowance.admit(at(100)), Ok(()));
        assert_eq!(allowance.admit(at(150)), Err(Duration::from_millis(50)));
        assert_eq!(
            [1_000, 1_000, 1_000].map(|ms| allowance.admit(at(ms))),
            [Ok(()); 3]
        );
        assert!(allowance.admit(at(1_000)).is_err());
    }

    #[test]
    fn what_is_no_rate() {
        for (rate, burst) in [
            (0.0, 1),
            (-1.0, 1),
            (f64::NAN, 1),
            (f64::INFINITY, 1),
            (1.0, 0),
            (1e-300, 1),
        ] {
            assert!(Allowance::new(rate, burst).is_none(), "{rate} {burst}");
        }
    }
}
