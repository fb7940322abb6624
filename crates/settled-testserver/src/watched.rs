//! A value that others wait on: asynchronously or blocking, and never by polling.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// A blocking wait that takes longer than this is taken for a hang.
const HANG: Duration = Duration::from_secs(60);

/// A value, and a signal at each of its changes.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    waiters: watch::Sender<()>,
    blocked: Condvar,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            waiters: watch::Sender::new(()),
            blocked: Condvar::new(),
        }
    }

    /// Looks at the value.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Changes the value and wakes who waits.
    pub(crate) fn update<R>(&self, update: impl FnOnce(&mut T) -> R) -> R {
        let result = update(&mut self.lock());
        self.waiters.send_replace(());
        self.blocked.notify_all();
        result
    }

    /// Waits until `test` gives something. Cancel safe.
    pub(crate) async fn wait<R>(&self, mut test: impl FnMut(&T) -> Option<R>) -> R {
        // Subscribed before the first look, so that no change falls in between.
        let mut changes = self.waiters.subscribe();
        loop {
            if let Some(result) = self.look(&mut test) {
                return result;
            }
            // The sender lives in `self`: this can't fail.
            let _ = changes.changed().await;
        }
    }

    /// Waits until `test` gives something, blocking the thread. `None`: it took longer than a minute.
    pub(crate) fn wait_blocking<R>(&self, mut test: impl FnMut(&T) -> Option<R>) -> Option<R> {
        let until = Instant::now() + HANG;
        let mut value = self.lock();
        loop {
            if let Some(result) = test(&value) {
                return Some(result);
            }
            let left = until.checked_duration_since(Instant::now())?;
            value = self
                .blocked
                .wait_timeout(value, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// A test's closure that panicked leaves the value as it was: what it panicked over is worth more than a poisoned lock.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
