//! The line of waiters: first in, first out, and each can leave from the middle at once.

/// A doubly linked list inside of a vector. An entry has a key that stays the same until it is removed; it can be taken out of
/// the line and still be kept, until its owner comes for it.
///
/// Invariants:
/// 1. `first` leads over `next` to `last`, and back over `before`; those entries and no others are `in_line`, `len` of them.
/// 2. `free` leads over `next` through all slots without an entry.
#[derive(Debug)]
pub(super) struct Waiters<T> {
    slots: Vec<Slot<T>>,
    first: Option<Key>,
    last: Option<Key>,
    free: Option<Key>,
    len: usize,
    kept: usize,
}

/// Where an entry is.
pub(super) type Key = usize;

#[derive(Debug)]
struct Slot<T> {
    entry: Option<T>,
    in_line: bool,
    before: Option<Key>,
    next: Option<Key>,
}

/// A vector that grew past this is given back once nobody waits any more.
const KEEP: usize = 1024;

impl<T> Waiters<T> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            first: None,
            last: None,
            free: None,
            len: 0,
            kept: 0,
        }
    }

    /// How many are in line.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn first(&self) -> Option<Key> {
        self.first
    }

    /// Who stands behind `key`, which is in line.
    pub(super) fn behind(&self, key: Key) -> Option<Key> {
        self.slots[key].next
    }

    pub(super) fn get_mut(&mut self, key: Key) -> &mut T {
        self.slots[key]
            .entry
            .as_mut()
            .expect("a key is good until its entry is removed")
    }

    pub(super) fn push(&mut self, entry: T) -> Key {
        let slot = Slot {
            entry: Some(entry),
            in_line: true,
            before: self.last,
            next: None,
        };
        let key = match self.free {
            Some(key) => {
                self.free = self.slots[key].next;
                self.slots[key] = slot;
                key
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        match self.last {
            Some(last) => self.slots[last].next = Some(key),
            None => self.first = Some(key),
        }
        self.last = Some(key);
        self.len += 1;
        self.kept += 1;
        key
    }

    /// Takes an entry out of the line, and keeps it.
    pub(super) fn leave(&mut self, key: Key) {
        let slot = &mut self.slots[key];
        if !std::mem::take(&mut slot.in_line) {
            return;
        }
        let (before, next) = (slot.before.take(), slot.next.take());
        match before {
            Some(before) => self.slots[before].next = next,
            None => self.first = next,
        }
        match next {
            Some(next) => self.slots[next].before = before,
            None => self.last = before,
        }
        self.len -= 1;
    }

    /// Removes an entry, in line or not.
    pub(super) fn remove(&mut self, key: Key) -> T {
        self.leave(key);
        let slot = &mut self.slots[key];
        let entry = slot
            .entry
            .take()
            .expect("a key is good until its entry is removed");
        slot.next = self.free.replace(key);
        self.kept -= 1;
        if self.kept == 0 {
            self.slots.clear();
            self.slots.shrink_to(KEEP);
            self.free = None;
        }
        entry
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Against a plain queue: whatever is done in whatever order, both agree.
    #[test]
    fn is_a_queue_that_can_be_left_anywhere() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut line, mut model) = (Waiters::new(), VecDeque::<(Key, u32)>::new());
        let mut kept: Vec<(Key, u32)> = Vec::new();
        for number in 0..20_000 {
            match rng.u8(..5) {
                0 | 1 => model.push_back((line.push(number), number)),
                2 if !model.is_empty() => {
                    let (key, number) = model.remove(rng.usize(..model.len())).unwrap();
                    assert_eq!(line.remove(key), number);
                }
                3 if !model.is_empty() => {
                    let (key, number) = model.pop_front().unwrap();
                    line.leave(key);
                    kept.push((key, number));
                }
                _ if !kept.is_empty() => {
                    let (key, number) = kept.swap_remove(rng.usize(..kept.len()));
                    assert_eq!(line.remove(key), number);
                }
                _ => {}
            }
            assert_eq!(line.len(), model.len());
            assert_eq!(line.first(), model.front().map(|(key, _)| *key));
        }
        let mut at = line.first();
        for (key, number) in model {
            assert_eq!(at, Some(key));
            assert_eq!(*line.get_mut(key), number);
            at = line.behind(key);
        }
        assert_eq!(at, None);
    }

    #[test]
    fn gives_its_memory_back() {
        let mut line = Waiters::new();
        let keys: Vec<_> = (0..100_000).map(|number| line.push(number)).collect();
        keys.into_iter().for_each(|key| _ = line.remove(key));
        assert!(line.slots.capacity() <= KEEP);
    }
}
