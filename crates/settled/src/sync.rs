//! The lock and the counter of what handles wakers by itself: the standard ones, or loom's where its models run.

#[cfg(not(loom))]
use std::sync::{Mutex, PoisonError};

#[cfg(loom)]
use loom::sync::Mutex;

#[cfg(not(loom))]
pub(crate) use std::sync::{
    MutexGuard as LockGuard,
    atomic::{AtomicU64, AtomicUsize},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    MutexGuard as LockGuard,
    atomic::{AtomicU64, AtomicUsize},
};

pub(crate) use std::sync::atomic::Ordering;

/// A mutex that does not know poison: what it protects here is never left half changed.
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    #[cfg(not(loom))]
    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(loom)]
    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().expect("loom's mutex is never poisoned")
    }

    #[cfg(not(loom))]
    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(loom)]
    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        self.0.lock().expect("loom's mutex is never poisoned")
    }
}
