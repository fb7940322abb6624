//! What becomes of a request: drawn from the seed, the thing that is asked for, and the attempt. Pure.

use std::time::Duration;

use fastrand::Rng;

use crate::answer::{Answer, At};

/// The longest that a slow answer takes, in milliseconds.
const SLOWEST_MS: u64 = 400;
/// One attempt more than this and everything that can succeed has succeeded.
const MOST_FAILURES: u32 = 2;
/// One in so many troubled items fails twice rather than once.
const FAILS_TWICE: u64 = 4;
/// One in so many 429s asks for a second of patience; the others ask for none.
const WAITS: u64 = 4;

/// The shares of the items that meet each fate at their first attempt: 0.01 is one in a hundred. The rest is answered at once.
///
/// What fails at first fails once or twice and succeeds at the second or third attempt, at the latest; only `gone` is for good,
/// and `stall` never ends by itself. Slow and stale answers are good answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fates {
    /// A good answer, a few to 400 ms late.
    pub slow: f64,
    /// 429 with `Retry-After` of 0 or 1 second.
    pub too_many: f64,
    /// 500.
    pub internal: f64,
    /// 503.
    pub unavailable: f64,
    /// The connection is reset: before the answer, in its head, or in its body.
    pub reset: f64,
    /// The body ends before its `Content-Length`.
    pub cut: f64,
    /// The request is read, and the connection closed without an answer.
    pub hang_up: f64,
    /// A good answer on a connection that is closed right after it, unannounced.
    pub stale: f64,
    /// Nothing is ever answered: only the client's timeout ends it. Not in the default.
    pub stall: f64,
    /// 404, for good.
    pub gone: f64,
}

impl Default for Fates {
    /// About 17 % of the items are not plain: 7 % fail at first (9 failed attempts in a hundred items), 0.2 % are gone.
    fn default() -> Self {
        Self {
            slow: 0.06,
            too_many: 0.015,
            internal: 0.01,
            unavailable: 0.015,
            reset: 0.01,
            cut: 0.01,
            hang_up: 0.01,
            stale: 0.04,
            stall: 0.0,
            gone: 0.002,
        }
    }
}

impl Fates {
    /// Everything is answered at once.
    #[must_use]
    pub fn none() -> Self {
        Self {
            slow: 0.0,
            too_many: 0.0,
            internal: 0.0,
            unavailable: 0.0,
            reset: 0.0,
            cut: 0.0,
            hang_up: 0.0,
            stale: 0.0,
            stall: 0.0,
            gone: 0.0,
        }
    }

    fn shares(&self) -> [(Kind, f64); 10] {
        [
            (Kind::TooMany, self.too_many),
            (Kind::Internal, self.internal),
            (Kind::Unavailable, self.unavailable),
            (Kind::Reset, self.reset),
            (Kind::Cut, self.cut),
            (Kind::HangUp, self.hang_up),
            (Kind::Stall, self.stall),
            (Kind::Slow, self.slow),
            (Kind::Stale, self.stale),
            (Kind::Gone, self.gone),
        ]
    }

    /// No share is negative or no number, and together they are no more than everything.
    pub(crate) fn valid(&self) -> bool {
        let shares = self.shares();
        shares.iter().all(|(_, share)| (0.0..=1.0).contains(share))
            && shares.iter().map(|(_, share)| share).sum::<f64>() <= 1.0 + f64::EPSILON * 16.0
    }

    /// The fate of an attempt (from 1) at a thing. The same arguments, the same fate, always.
    pub(crate) fn of(&self, seed: u64, salt: u64, n: u64, attempt: u32) -> Fate {
        let mut item = rng([seed, salt, n, 0]);
        let kind = pick(&self.shares(), item.f64());
        let failures = if item.u64(..FAILS_TWICE) == 0 {
            MOST_FAILURES
        } else {
            1
        };
        let mut draw = rng([seed, salt, n, u64::from(attempt)]);
        match kind {
            Some(kind) if kind.lasts() || attempt == 1 => kind.fate(&mut draw),
            Some(_) if attempt <= failures => self.trouble(&mut draw),
            _ => Fate::Plain,
        }
    }

    /// Another failure, of any passing kind, in proportion.
    fn trouble(&self, draw: &mut Rng) -> Fate {
        let shares = self
            .shares()
            .map(|(kind, share)| (kind, if kind.lasts() { 0.0 } else { share }));
        let all: f64 = shares.iter().map(|(_, share)| share).sum();
        pick(&shares, draw.f64() * all)
            .unwrap_or(Kind::Unavailable)
            .fate(draw)
    }
}

/// A generator for one decision: each part of what it depends on is mixed in by a whole step of the generator.
fn rng(parts: [u64; 4]) -> Rng {
    parts.into_iter().fold(Rng::with_seed(0), |mut rng, part| {
        Rng::with_seed(rng.u64(..) ^ part)
    })
}

fn pick(shares: &[(Kind, f64)], mut at: f64) -> Option<Kind> {
    shares
        .iter()
        .find(|(_, share)| {
            at -= share;
            at < 0.0
        })
        .map(|(kind, _)| *kind)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    TooMany,
    Internal,
    Unavailable,
    Reset,
    Cut,
    HangUp,
    Stall,
    Slow,
    Stale,
    Gone,
}

impl Kind {
    /// It is the same at every attempt: a good answer, or one that will never be.
    fn lasts(self) -> bool {
        matches!(self, Self::Slow | Self::Stale | Self::Gone)
    }

    fn fate(self, draw: &mut Rng) -> Fate {
        match self {
            Self::TooMany => Fate::TooMany {
                retry_after: u64::from(draw.u64(..WAITS) == 0),
            },
            Self::Internal => Fate::Internal,
            Self::Unavailable => Fate::Unavailable,
            Self::Reset => {
                Fate::Reset([At::Start, At::Head, At::Body(draw.u64(1..20))][draw.usize(..3)])
            }
            Self::Cut => Fate::Cut {
                after: draw.u64(..20),
            },
            Self::HangUp => Fate::HangUp,
            Self::Stall => Fate::Stall,
            // The square of an even draw: mostly short, now and then long.
            Self::Slow => Fate::Slow(Duration::from_millis(
                3 + (SLOWEST_MS - 3) * draw.u64(..=100).pow(2) / 10_000,
            )),
            Self::Stale => Fate::Stale,
            Self::Gone => Fate::Gone,
        }
    }
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A good answer, at once.
    Plain,
    /// A good answer, this late.
    Slow(Duration),
    /// A good answer; the connection is closed right after it, unannounced.
    Stale,
    /// 429 with `Retry-After`, in seconds.
    TooMany {
        /// The seconds.
        retry_after: u64,
    },
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// The connection is reset there.
    Reset(At),
    /// The body ends after so many bytes, before its `Content-Length`.
    Cut {
        /// The bytes.
        after: u64,
    },
    /// The connection is closed without an answer.
    HangUp,
    /// Nothing is ever answered.
    Stall,
    /// 404, for good.
    Gone,
}

impl Fate {
    /// The names of all fates, in the order of [`number`](Self::number).
    pub(crate) const NAMES: [&'static str; 11] = [
        "plain", "slow", "stale", "429", "500", "503", "reset", "cut", "hang_up", "stall", "404",
    ];

    /// A short name: `plain`, `slow`, `stale`, `429`, `500`, `503`, `reset`, `cut`, `hang_up`, `stall` or `404`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self.number()]
    }

    /// The answer is whole and good.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Plain | Self::Slow(_) | Self::Stale)
    }

    pub(crate) fn number(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Slow(_) => 1,
            Self::Stale => 2,
            Self::TooMany { .. } => 3,
            Self::Internal => 4,
            Self::Unavailable => 5,
            Self::Reset(_) => 6,
            Self::Cut { .. } => 7,
            Self::HangUp => 8,
            Self::Stall => 9,
            Self::Gone => 10,
        }
    }

    /// The good answer, or what this fate makes of it.
    pub(crate) fn befall(self, good: impl FnOnce() -> Answer) -> Answer {
        let failed = |status, what: &str| {
            Answer::json(format!("{{\"error\":\"{what}\"}}")).with_status(status)
        };
        match self {
            Self::Plain => good(),
            Self::Slow(late) => good().pause(At::Start, late),
            Self::Stale => good().close(At::End),
            Self::TooMany { retry_after } => {
                failed(429, "too many requests").retry_after(retry_after)
            }
            Self::Internal => failed(500, "internal error"),
            Self::Unavailable => failed(503, "unavailable"),
            Self::Reset(at) => good().reset(at),
            Self::Cut { after } => good().close(At::Body(after)),
            Self::HangUp => good().close(At::Start),
            Self::Stall => good().stall(At::Start),
            Self::Gone => failed(404, "no such item"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, Fates};

    #[test]
    fn every_failure_is_over_at_the_third_attempt_but_gone() {
        let fates = Fates {
            reset: 0.2,
            cut: 0.2,
            hang_up: 0.2,
            gone: 0.1,
            ..Fates::default()
        };
        let mut worst = 0;
        for n in 0..20_000 {
            let gone = fates.of(7, 0, n, 1) == Fate::Gone;
            let failed = (1..=10)
                .filter(|attempt| !fates.of(7, 0, n, *attempt).is_good())
                .count();
            assert!(
                if gone { failed == 10 } else { failed <= 2 },
                "item {n}: {failed}"
            );
            worst = worst.max(if gone { 0 } else { failed });
        }
        assert_eq!(worst, 2);
    }

    #[test]
    fn the_default_has_its_shares() {
        let fates = Fates::default();
        assert!(fates.valid());
        let count =
            |test: fn(Fate) -> bool| (0..100_000).filter(|n| test(fates.of(1, 0, *n, 1))).count();
        let (plain, gone) = (
            count(|fate| fate == Fate::Plain),
            count(|fate| fate == Fate::Gone),
        );
        assert!((81_000..85_000).contains(&plain), "{plain}");
        assert!((120..300).contains(&gone), "{gone}");
        let failures: usize = (0..100_000)
            .map(|n| {
                (1..=3)
                    .filter(|attempt| !fates.of(1, 0, n, *attempt).is_good())
                    .count()
            })
            .sum();
        assert!((7_000..11_000).contains(&failures), "{failures}");
    }

    #[test]
    fn shares_have_to_be_shares() {
        assert!(Fates::none().valid());
        assert!(
            Fates {
                slow: 1.0,
                ..Fates::none()
            }
            .valid()
        );
        assert!(
            !Fates {
                slow: 0.6,
                cut: 0.6,
                ..Fates::none()
            }
            .valid()
        );
        assert!(
            !Fates {
                slow: -0.1,
                ..Fates::none()
            }
            .valid()
        );
        assert!(
            !Fates {
                slow: f64::NAN,
                ..Fates::none()
            }
            .valid()
        );
    }
}
