//! What threads share, where it is more than a tokio type: the standard locks, counters and cells, or loom's where its models run.

#[cfg(not(loom))]
use std::sync::{Mutex, PoisonError};

#[cfg(not(loom))]
pub(crate) use std::sync::OnceLock as Once;

#[cfg(loom)]
use loom::sync::Mutex;

#[cfg(not(loom))]
pub(crate) use std::sync::{
    MutexGuard as LockGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    MutexGuard as LockGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize},
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

/// A counter of the whole process (of one run of a model).
macro_rules! counter {
    ($name:ident = $first:expr) => {
        #[cfg(not(loom))]
        static $name: $crate::sync::AtomicU64 = $crate::sync::AtomicU64::new($first);
        #[cfg(loom)]
        loom::lazy_static! {
            static ref $name: $crate::sync::AtomicU64 = $crate::sync::AtomicU64::new($first);
        }
    };
}

pub(crate) use counter;

/// A `OnceLock` whose order loom knows of.
#[cfg(loom)]
pub(crate) struct Once<T> {
    value: std::sync::OnceLock<T>,
    written: loom::sync::atomic::AtomicBool,
}

#[cfg(loom)]
impl<T> Once<T> {
    pub(crate) fn new() -> Self {
        Self {
            value: std::sync::OnceLock::new(),
            written: loom::sync::atomic::AtomicBool::new(false),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        use std::sync::atomic::Ordering::Acquire;
        if self.written.load(Acquire) {
            self.value.get()
        } else {
            None
        }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        use std::sync::atomic::Ordering::AcqRel;
        self.value.set(value)?;
        self.written.swap(true, AcqRel);
        Ok(())
    }

    pub(crate) fn get_or_init(&self, value: impl FnOnce() -> T) -> &T {
        use std::sync::atomic::Ordering::AcqRel;
        let value = self.value.get_or_init(value);
        self.written.swap(true, AcqRel);
        value
    }
}
