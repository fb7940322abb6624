//! A job on its way: what it has been through so far.

use std::time::SystemTime;

use tokio::time::Instant;

use crate::job::Job;
use crate::record::Try;

/// A job between its decoding and its outcome.
#[derive(Debug)]
pub(crate) struct Entry<S> {
    pub(crate) job: Job<S>,
    /// About how many bytes of memory it takes.
    pub(crate) weight: usize,
    /// Tries that failed.
    pub(crate) tries: Vec<Try>,
    /// When the first try began.
    pub(crate) begun: Option<Begun>,
    /// Its host's rate limit has given it its turn already.
    pub(crate) has_turn: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) at: Instant,
    pub(crate) clock: SystemTime,
}

impl<S> Entry<S> {
    pub(crate) fn new(job: Job<S>, weight: usize) -> Self {
        Self {
            job,
            weight,
            tries: Vec::new(),
            begun: None,
            has_turn: false,
        }
    }

    /// The next try is a repetition.
    pub(crate) fn is_retry(&self) -> bool {
        !self.tries.is_empty()
    }

    /// When the job began; now, if it did not yet.
    pub(crate) fn begin(&mut self) -> Begun {
        *self.begun.get_or_insert_with(|| Begun {
            at: Instant::now(),
            clock: SystemTime::now(),
        })
    }
}
