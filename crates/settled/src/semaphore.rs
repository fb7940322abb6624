//! Sharing a bounded number of permits: [`Semaphore`].

mod state;
mod waiters;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use state::{Core, Turn, Waiter, Wakers};
use waiters::Key;

/// A number of permits that many share: first come, first served.
///
/// - A permit is a guard: it comes back when it is dropped, once, so there are never more permits than the
///   [capacity](Self::capacity).
/// - One may [acquire](Self::acquire) several at once. Whoever waits for many is not overtaken by those who want few.
/// - The capacity can be [changed](Self::resize) at any time. Where it goes below what is out, nothing is taken from anybody:
///   the next permits are given once enough have come back. A capacity of zero lets nobody in: everybody waits until
///   it grows.
/// - A waiter that is dropped, also between being woken and being polled, leaves nothing behind, and those after it move up.
///
/// It works in and between any runtimes and threads. As long as nobody waits, taking and giving back a permit is one atomic operation
/// each. Otherwise there is a lock, held for some instructions and never while a waker, or any other foreign code
/// but [`Waker::clone`](std::task::Waker::clone), runs.
///
/// As with every fair semaphore, a permit that was handed to a waiter belongs to that waiter: a task that keeps a woken
/// [`Acquire`] without polling it keeps the permit from all others.
///
/// ```
/// use settled::Semaphore;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let connections = Semaphore::new(2);
/// let one = connections.acquire(1).await.unwrap();
/// let other = connections.acquire(1).await.unwrap();
/// assert!(connections.try_acquire(1).is_err());
/// drop(one);
/// assert!(connections.try_acquire(1).is_ok());
/// # });
/// ```
pub struct Semaphore {
    core: Core,
}

/// Why a semaphore will never give the permits that were asked for.
///
/// ```
/// use settled::{AcquireError, Semaphore};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let semaphore = Semaphore::new(2);
/// let error = semaphore.acquire(3).await.unwrap_err();
/// assert_eq!(error, AcquireError::TooMany { wanted: 3, capacity: 2 });
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcquireError {
    /// The semaphore was closed.
    Closed,
    /// More than it has in all.
    TooMany {
        /// How many were asked for.
        wanted: usize,
        /// How many there are in all.
        capacity: usize,
    },
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the semaphore is closed"),
            Self::TooMany { wanted, capacity } => {
                write!(
                    f,
                    "{wanted} permits were asked of a semaphore that has {capacity}"
                )
            }
        }
    }
}

impl std::error::Error for AcquireError {}

/// Why a semaphore gave no permits right away.
///
/// ```
/// use settled::{AcquireError, Semaphore, TryAcquireError};
///
/// let semaphore = Semaphore::new(1);
/// let _held = semaphore.try_acquire(1).unwrap();
/// assert_eq!(semaphore.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
/// semaphore.close();
/// let never = TryAcquireError::Never(AcquireError::Closed);
/// assert_eq!(semaphore.try_acquire(1).unwrap_err(), never);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// They are out, or others wait for them.
    NoPermits,
    /// It will never give them.
    Never(AcquireError),
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPermits => f.write_str("not enough permits are free"),
            Self::Never(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for TryAcquireError {}

impl Semaphore {
    /// The most permits that there can be: more are as good as this many.
    pub const MAX: usize = state::MOST;

    /// A semaphore with this many permits, at most [`Semaphore::MAX`]. With none, all wait until it is [resized](Self::resize).
    #[must_use]
    pub fn new(permits: usize) -> Self {
        Self {
            core: Core::new(permits),
        }
    }

    /// Waits for `permits` permits.
    ///
    /// # Errors
    /// At once if there are fewer in all, or it is closed; also while waiting, should that become so.
    ///
    /// # Fairness
    /// First polled, first served, whatever the number asked for.
    ///
    /// # Cancel safety
    /// Dropping the future gives up its place, or the permits that were just given to it, and those behind move up.
    ///
    /// # Panics
    /// If it is polled again after it was ready.
    pub fn acquire(&self, permits: usize) -> Acquire<'_> {
        Acquire {
            semaphore: self,
            wait: Wait::new(permits),
        }
    }

    /// As [`acquire`](Self::acquire), with a permit that may live as long as it likes.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use settled::Semaphore;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let semaphore = Arc::new(Semaphore::new(1));
    /// let permit = semaphore.acquire_owned(1).await.unwrap();
    /// tokio::spawn(async move { drop(permit) }).await.unwrap();
    /// assert_eq!(semaphore.available(), 1);
    /// # });
    /// ```
    pub fn acquire_owned(self: &Arc<Self>, permits: usize) -> AcquireOwned {
        AcquireOwned {
            semaphore: Arc::clone(self),
            wait: Wait::new(permits),
        }
    }

    /// Takes `permits` permits if they are there and nobody waits: it never goes past a waiter, woken or not.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] if it would have to wait, [`TryAcquireError::Never`] if waiting would not help.
    pub fn try_acquire(&self, permits: usize) -> Result<Permit<'_>, TryAcquireError> {
        self.core.take(permits)?;
        Ok(Permit {
            semaphore: self,
            permits,
        })
    }

    /// As [`try_acquire`](Self::try_acquire), with a permit that may live as long as it likes.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(
        self: &Arc<Self>,
        permits: usize,
    ) -> Result<OwnedPermit, TryAcquireError> {
        self.core.take(permits)?;
        Ok(OwnedPermit {
            semaphore: Arc::clone(self),
            permits,
        })
    }

    /// Runs `future` with one permit. The permit comes back when the future has really ended: after it was dropped.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); `future` was not polled then.
    ///
    /// # Cancel safety
    /// Dropping it drops `future`, then gives the permit back.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let semaphore = settled::Semaphore::new(1);
    /// assert_eq!(semaphore.with(async { 7 }).await, Ok(7));
    /// # });
    /// ```
    pub async fn with<F: Future>(&self, future: F) -> Result<F::Output, AcquireError> {
        let _permit = self.acquire(1).await?;
        Ok(future.await)
    }

    /// Makes it `permits` permits in all. More lets waiters in at once; with fewer, holders keep what they have, and
    /// permits are given again once enough have come back. Waiters for more than that (unless it is zero) get an error.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let semaphore = settled::Semaphore::new(2);
    /// let both = semaphore.acquire(2).await.unwrap();
    /// semaphore.resize(1);
    /// drop(both);
    /// assert_eq!(semaphore.available(), 1);
    /// # });
    /// ```
    pub fn resize(&self, permits: usize) {
        self.change(|_| permits);
    }

    /// Adds `more` permits for good, and lets in whoever now fits. At most [`Semaphore::MAX`] in all.
    ///
    /// ```
    /// let semaphore = settled::Semaphore::new(1);
    /// semaphore.add(2);
    /// assert_eq!(semaphore.capacity(), 3);
    /// ```
    pub fn add(&self, more: usize) {
        self.change(|capacity| capacity.saturating_add(more));
    }

    fn change(&self, capacity: impl FnOnce(usize) -> usize) {
        let wakers = {
            let mut state = self.core.slow();
            state.capacity = capacity(state.capacity).min(Self::MAX);
            state.refuse_and_give()
        };
        wakers.wake();
    }

    /// From now on gives no more permits: all who wait, and all who come, get [`AcquireError::Closed`]. Permits that were given
    /// stay good. Closing again does nothing.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let semaphore = settled::Semaphore::new(1);
    /// semaphore.close();
    /// assert_eq!(semaphore.acquire(1).await.unwrap_err(), settled::AcquireError::Closed);
    /// # });
    /// ```
    pub fn close(&self) {
        let wakers = {
            let mut state = self.core.slow();
            state.closed = true;
            state.refuse_and_give()
        };
        wakers.wake();
    }

    /// It was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.slow().closed
    }

    /// How many permits there are in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.core.slow().capacity
    }

    /// How many permits are there to be taken: a snapshot.
    #[must_use]
    pub fn available(&self) -> usize {
        self.core.free()
    }

    /// How many wait: a snapshot. Those who have their permits, and have not come for them yet, do not count.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.core.in_line()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.core.slow();
        f.debug_struct("Semaphore")
            .field("capacity", &state.capacity)
            .field("out", &state.out)
            .field("waiting", &state.waiters.len())
            .field("closed", &state.closed)
            .finish()
    }
}

/// A place in line; what [`Acquire`] and [`AcquireOwned`] have in common.
///
/// `New` -> `InLine` (has an entry among the waiters) -> `Done`, or straight from `New` to `Done`.
#[derive(Debug)]
struct Wait {
    weight: usize,
    place: Place,
}

#[derive(Debug)]
enum Place {
    New,
    InLine(Key),
    Done,
}

impl Wait {
    const fn new(weight: usize) -> Self {
        Self {
            weight,
            place: Place::New,
        }
    }

    fn poll(
        &mut self,
        semaphore: &Semaphore,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), AcquireError>> {
        if matches!(self.place, Place::New) && semaphore.core.take_fast(self.weight) {
            self.place = Place::Done;
            return Poll::Ready(Ok(()));
        }
        let mut state = semaphore.core.slow();
        let result = match self.place {
            Place::Done => panic!("a semaphore's `Acquire` polled after it was ready"),
            Place::New => match state.try_take(self.weight) {
                Ok(()) => Ok(()),
                Err(TryAcquireError::Never(error)) => Err(error),
                Err(TryAcquireError::NoPermits) => {
                    let waker = Some(cx.waker().clone());
                    let waiter = Waiter {
                        weight: self.weight,
                        turn: Turn::Waiting,
                        waker,
                    };
                    self.place = Place::InLine(state.waiters.push(waiter));
                    return Poll::Pending;
                }
            },
            Place::InLine(key) => {
                let waiter = state.waiters.get_mut(key);
                let result = match waiter.turn {
                    Turn::Given => Ok(()),
                    Turn::Refused(error) => Err(error),
                    Turn::Waiting => {
                        let old = match &waiter.waker {
                            Some(waker) if waker.will_wake(cx.waker()) => None,
                            _ => waiter.waker.replace(cx.waker().clone()),
                        };
                        drop(state);
                        drop(old);
                        return Poll::Pending;
                    }
                };
                state.waiters.remove(key);
                result
            }
        };
        self.place = Place::Done;
        Poll::Ready(result)
    }

    /// Leaves the line. Whoever left may have been the one that did not fit, or may have had permits already: then it is
    /// the turn of those behind.
    fn leave(&mut self, semaphore: &Semaphore) {
        let Place::InLine(key) = std::mem::replace(&mut self.place, Place::Done) else {
            return;
        };
        let mut state = semaphore.core.slow();
        let waiter = state.waiters.remove(key);
        let wakers = match waiter.turn {
            Turn::Waiting => state.give(),
            Turn::Given => state.give_back(waiter.weight),
            Turn::Refused(_) => Wakers::default(),
        };
        drop(state);
        wakers.wake();
    }
}

/// The future of [`Semaphore::acquire`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    wait: Wait,
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<Permit<'a>, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let (semaphore, permits) = (this.semaphore, this.wait.weight);
        this.wait
            .poll(semaphore, cx)
            .map_ok(|()| Permit { semaphore, permits })
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        self.wait.leave(self.semaphore);
    }
}

/// The future of [`Semaphore::acquire_owned`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct AcquireOwned {
    semaphore: Arc<Semaphore>,
    wait: Wait,
}

impl Future for AcquireOwned {
    type Output = Result<OwnedPermit, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let permits = this.wait.weight;
        let polled = this.wait.poll(&this.semaphore, cx);
        polled.map_ok(|()| OwnedPermit {
            semaphore: Arc::clone(&this.semaphore),
            permits,
        })
    }
}

impl Drop for AcquireOwned {
    fn drop(&mut self) {
        self.wait.leave(&self.semaphore);
    }
}

/// Permits of a [`Semaphore`], which come back when this is dropped.
///
/// ```
/// let semaphore = settled::Semaphore::new(3);
/// let permit = semaphore.try_acquire(2).unwrap();
/// assert_eq!((permit.permits(), semaphore.available()), (2, 1));
/// drop(permit);
/// assert_eq!(semaphore.available(), 3);
/// ```
#[derive(Debug)]
#[must_use = "a permit that is not kept comes back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

impl Permit<'_> {
    /// How many permits it is.
    #[must_use]
    pub const fn permits(&self) -> usize {
        self.permits
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.core.give(self.permits);
    }
}

/// Permits of a [`Semaphore`] that is shared in an [`Arc`], which come back when this is dropped.
#[derive(Debug)]
#[must_use = "a permit that is not kept comes back at once"]
pub struct OwnedPermit {
    semaphore: Arc<Semaphore>,
    permits: usize,
}

impl OwnedPermit {
    /// How many permits it is.
    #[must_use]
    pub const fn permits(&self) -> usize {
        self.permits
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        self.semaphore.core.give(self.permits);
    }
}
