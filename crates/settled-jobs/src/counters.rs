//! Counters that a run keeps while it goes: relaxed, one set a core, added up by whoever looks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use settled::OutcomeKind;

use crate::record::ErrorKind;

/// One core's counters, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    outcomes: [AtomicU64; OutcomeKind::ALL.len()],
    errors: [AtomicU64; ErrorKind::ALL.len()],
    attempts: AtomicU64,
    retries: AtomicU64,
    in_flight: AtomicU64,
    waiting: AtomicU64,
}

/// One core writes, so a plain load and store will do.
fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

impl Counters {
    pub(crate) fn attempt_started(&self) {
        add(&self.attempts, 1);
        add(&self.in_flight, 1);
    }

    pub(crate) fn attempt_ended(&self) {
        add(&self.in_flight, u64::MAX);
    }

    pub(crate) fn retried(&self) {
        add(&self.retries, 1);
    }

    pub(crate) fn set_waiting(&self, count: usize) {
        self.waiting.store(count as u64, Relaxed);
    }

    pub(crate) fn settled(&self, outcome: OutcomeKind, error: Option<ErrorKind>) {
        let at = OutcomeKind::ALL
            .iter()
            .position(|&kind| kind == outcome)
            .unwrap_or_default();
        add(&self.outcomes[at], 1);
        if let Some(error) = error {
            let at = ErrorKind::ALL
                .iter()
                .position(|&kind| kind == error)
                .unwrap_or_default();
            add(&self.errors[at], 1);
        }
    }
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Jobs that settled in this run, in the order of [`OutcomeKind::ALL`].
    pub outcomes: [u64; OutcomeKind::ALL.len()],
    /// Why jobs did not succeed, in the order of [`ErrorKind::ALL`].
    pub errors: [u64; ErrorKind::ALL.len()],
    /// Tries that began.
    pub attempts: u64,
    /// Tries that were followed by a wait for the next one.
    pub retries: u64,
    /// Tries that run now.
    pub in_flight: u64,
    /// Jobs that wait for a retry or for their host.
    pub waiting: u64,
    /// Jobs that an earlier run had settled.
    pub skipped: u64,
    /// Lines of the list that were read, blank ones left out.
    pub read: u64,
    /// How many jobs the list has.
    pub total: Total,
}

/// How many jobs a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Total {
    /// There is no telling: a pipe.
    #[default]
    Unknown,
    /// Judged by the part of the file that was read.
    About(u64),
    /// The list was read to its end.
    Exactly(u64),
}

impl Progress {
    /// Jobs that settled in this run.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Jobs that settled in this run and are not fulfilled.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.settled() - self.outcomes[0]
    }

    pub(crate) fn add(&mut self, core: &Counters) {
        let sum = |into: &mut [u64], from: &[AtomicU64]| {
            for (into, from) in into.iter_mut().zip(from) {
                *into += from.load(Relaxed);
            }
        };
        sum(&mut self.outcomes, &core.outcomes);
        sum(&mut self.errors, &core.errors);
        self.attempts += core.attempts.load(Relaxed);
        self.retries += core.retries.load(Relaxed);
        self.in_flight += core.in_flight.load(Relaxed);
        self.waiting += core.waiting.load(Relaxed);
    }
}
