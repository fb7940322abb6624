//! Ids that jobs bring with them: which ones the ledger holds, which ones this run has seen.
//!
//! 21 bytes an id, in 64 tables that grow one after the other (so that growing never needs the memory of the whole set twice):
//! about 36 bytes an id in all. An id stands for itself by 128 bits of its BLAKE3 hash; two different ids with the same
//! 128 bits do not occur.

use hashbrown::HashTable;
use settled::OutcomeKind;

use crate::job::Key;

const SHARDS: usize = 64;

#[derive(Debug)]
pub(super) struct IdTable {
    shards: Vec<HashTable<Slot>>,
    /// No id was ever noted: a ledger of plain lines asks that for each of them.
    empty: bool,
}

#[derive(Debug)]
struct Slot {
    id: [u8; 16],
    content: [u8; 4],
    /// Bit 7: seen in this run. Low bits: 0, or 1 + the position of the ledger's outcome in `OutcomeKind::ALL`.
    state: u8,
}

const SEEN: u8 = 0x80;

/// What is known of an id that a line of the list claims.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody had it.
    New,
    /// The ledger has an outcome for it.
    Settled {
        outcome: OutcomeKind,
        /// The job asks for something else than the one that was settled.
        changed: bool,
    },
    /// An earlier line of the list has it.
    Repeated,
}

impl IdTable {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            empty: true,
        }
    }

    /// Notes the ledger's newest line of an id; `None`: it is to run again.
    pub(super) fn record(&mut self, id: &str, key: Key, outcome: Option<OutcomeKind>) {
        let slot = self.slot(id);
        slot.content.copy_from_slice(&key.0[..4]);
        slot.state = (slot.state & SEEN) | outcome.map_or(0, code);
    }

    /// The ledger has a newer line of this id elsewhere.
    pub(super) fn forget(&mut self, id: &str) {
        if self.empty {
            return;
        }
        let id = hash(id);
        if let Some(slot) = self.shards[shard(&id)].find_mut(place(&id), |slot| slot.id == id) {
            slot.state &= SEEN;
        }
    }

    /// A line of the list claims an id.
    pub(super) fn claim(&mut self, id: &str, key: Key) -> Claim {
        let slot = self.slot(id);
        if slot.state & SEEN != 0 {
            return Claim::Repeated;
        }
        slot.state |= SEEN;
        match usize::from(slot.state & !SEEN).checked_sub(1) {
            Some(at) => Claim::Settled {
                outcome: OutcomeKind::ALL[at],
                changed: slot.content != key.0[..4],
            },
            None => Claim::New,
        }
    }

    /// Whether this run has seen the id.
    pub(super) fn seen(&self, id: &str) -> bool {
        let id = hash(id);
        let found = self.shards[shard(&id)].find(place(&id), |slot| slot.id == id);
        found.is_some_and(|slot| slot.state & SEEN != 0)
    }

    fn slot(&mut self, id: &str) -> &mut Slot {
        self.empty = false;
        let id = hash(id);
        self.shards[shard(&id)]
            .entry(place(&id), |slot| slot.id == id, |slot| place(&slot.id))
            .or_insert_with(|| Slot {
                id,
                content: [0; 4],
                state: 0,
            })
            .into_mut()
    }
}

fn code(outcome: OutcomeKind) -> u8 {
    OutcomeKind::ALL
        .iter()
        .position(|&kind| kind == outcome)
        .map_or(0, |at| at as u8 + 1)
}

fn hash(id: &str) -> [u8; 16] {
    Key::of(id.as_bytes()).0
}

/// Shards are of unequal size, the last one gets twice as much as the first: so they do not all double at the same time.
fn shard(id: &[u8; 16]) -> usize {
    let even = f64::from(u32::from_le_bytes([id[12], id[13], id[14], id[15]])) / 2f64.powi(32);
    ((1.0 + even).log2() * SHARDS as f64) as usize % SHARDS
}

fn place(id: &[u8; 16]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&id[..8]);
    u64::from_le_bytes(first)
}
