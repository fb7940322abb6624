//! The deadline of what is being polled on this thread.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

thread_local! {
    static LIMITS: Cell<Limits> = const { Cell::new(Limits::NONE) };
}

/// The limits around a poll. A limit that began with this very poll has no end yet, as nobody has looked at the clock: it gets
/// one when somebody asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The earliest of those whose end is known.
    known: Option<Instant>,
    begun: Begun,
}

/// The limits that began with this poll.
#[derive(Clone, Copy, Debug)]
enum Begun {
    None,
    /// The shortest of them.
    For(Duration),
    /// Somebody asked, so all of them run from here on; they are in `known`.
    At(Instant),
}

impl Limits {
    pub(crate) const NONE: Self = Self {
        known: None,
        begun: Begun::None,
    };

    pub(crate) const fn until(known: Option<Instant>) -> Self {
        Self {
            known,
            begun: Begun::None,
        }
    }

    #[inline]
    fn or_at(self, at: Instant) -> Self {
        let known = self.known.map_or(at, |known| known.min(at));
        Self {
            known: Some(known),
            ..self
        }
    }

    #[inline]
    fn or_for(self, limit: Duration) -> Self {
        let shortest = match self.begun {
            Begun::For(other) => other.min(limit),
            Begun::None | Begun::At(_) => limit,
        };
        Self {
            begun: Begun::For(shortest),
            ..self
        }
    }

    /// The limits that have begun began `at` this time.
    fn begun(self, at: Instant) -> Self {
        let Begun::For(shortest) = self.begun else {
            return self;
        };
        let ended = Self {
            begun: Begun::At(at),
            ..self
        };
        at.checked_add(shortest)
            .map_or(ended, |end| ended.or_at(end))
    }
}

/// While this lives, the limits of this thread are those of the one who made it.
#[must_use]
pub(crate) struct Within {
    outer: Limits,
    /// Limits around the poll hear when somebody inside has asked for the deadline.
    tells: bool,
}

impl Within {
    /// Beside the limits that are there, a known end.
    #[inline]
    pub(super) fn at(end: Instant) -> Self {
        Self::enter(|outer| outer.or_at(end), true)
    }

    /// Beside the limits that are there, one that begins with this poll.
    #[inline]
    pub(super) fn begun(limit: Duration) -> Self {
        Self::enter(|outer| outer.or_for(limit), true)
    }

    /// In place of the limits that are there.
    pub(crate) fn only(limits: Limits) -> Self {
        Self::enter(|_| limits, false)
    }

    #[inline]
    fn enter(change: impl FnOnce(Limits) -> Limits, tells: bool) -> Self {
        let outer = LIMITS.get();
        LIMITS.set(change(outer));
        Self { outer, tells }
    }

    /// When the limits that began with this poll began, if somebody has asked by now.
    #[inline]
    pub(super) fn asked(&self) -> Option<Instant> {
        match LIMITS.get().begun {
            Begun::At(at) => Some(at),
            Begun::None | Begun::For(_) => None,
        }
    }
}

impl Drop for Within {
    #[inline]
    fn drop(&mut self) {
        let asked = if self.tells { self.asked() } else { None };
        LIMITS.set(match asked {
            // Without effect on limits that had begun before.
            Some(at) => self.outer.begun(at),
            None => self.outer,
        });
    }
}

/// When the time of what is being polled is up: the earliest end of all [`timeout`](crate::timeout())s and
/// [`deadline`](crate::deadline)s around it, also of those around the task that started this task with a
/// [`Scope`](crate::Scope). `None` where there is no limit.
///
/// A limit whose first poll this is begins at the first question, and costs no look at the clock before.
///
/// ```
/// # use std::time::Duration;
/// # use tokio::time::Instant;
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let start = Instant::now();
/// let second = Duration::from_secs(1);
/// let inside = async { settled::timeout(60 * second, async { settled::current_deadline() }).await.unwrap() };
/// assert_eq!(settled::timeout(second, inside).await, Ok(Some(start + second)));
/// assert_eq!(settled::current_deadline(), None);
/// # });
/// ```
#[must_use]
pub fn current_deadline() -> Option<Instant> {
    let limits = LIMITS.get();
    if !matches!(limits.begun, Begun::For(_)) {
        return limits.known;
    }
    let begun = limits.begun(Instant::now());
    LIMITS.set(begun);
    begun.known
}

/// How much of its time what is being polled has left: zero when it is up, `None` where there is no limit. See
/// [`current_deadline`].
///
/// ```
/// # use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let second = Duration::from_secs(1);
/// let left = settled::timeout(10 * second, async {
///     tokio::time::sleep(3 * second).await;
///     settled::remaining()
/// });
/// assert_eq!(left.await, Ok(Some(7 * second)));
/// # });
/// ```
#[must_use]
pub fn remaining() -> Option<Duration> {
    let end = current_deadline()?;
    Some(end.saturating_duration_since(Instant::now()))
}
