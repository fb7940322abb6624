//! What is done again, and what is not.

use settled::OutcomeKind;

/// Which outcomes of an earlier run are to be done again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redo {
    pub(super) outcomes: [bool; OutcomeKind::ALL.len()],
    /// Jobs with an id of their own that ask for something else than when they were settled.
    pub changed: bool,
}

impl Redo {
    /// Does jobs with this outcome again.
    pub fn add(&mut self, outcome: OutcomeKind) {
        self.outcomes[position(outcome)] = true;
    }

    pub(super) fn has(&self, outcome: OutcomeKind) -> bool {
        self.outcomes[position(outcome)]
    }
}

pub(super) fn position(outcome: OutcomeKind) -> usize {
    OutcomeKind::ALL
        .iter()
        .position(|&kind| kind == outcome)
        .unwrap_or_default()
}

/// What was not done again, by outcome, and what stood out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many jobs the ledger had settled, in the order of [`OutcomeKind::ALL`].
    pub outcomes: [u64; OutcomeKind::ALL.len()],
    /// Jobs whose id was settled with another content.
    pub changed: u64,
    /// The list is not the one of the earlier run: lines were put in, taken out, moved or changed.
    pub edited: bool,
}

impl Skipped {
    /// How many jobs were skipped.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// How many of them are fulfilled.
    #[must_use]
    pub fn fulfilled(&self) -> u64 {
        self.outcomes[position(OutcomeKind::Fulfilled)]
    }
}
