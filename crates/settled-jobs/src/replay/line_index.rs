//! What the ledger holds of jobs that are named by their line number: outcome and key, 17 bytes a line, in an unlinked file.
//!
//! Memory stays the same for ten lines and for ten million: a few pages of the file are cached, and since ledger and list are
//! both nearly in order, nearly every look-up is in them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use settled::OutcomeKind;

use crate::job::Key;

const ENTRY: usize = 17;
const PAGE_ENTRIES: u64 = 2048;
const PAGE: usize = ENTRY * PAGE_ENTRIES as usize;
const PAGES: usize = 16;

/// One outcome code (0: none) and one key a line number.
#[derive(Debug)]
pub(crate) struct LineIndex {
    file: File,
    pages: Vec<Page>,
    last: u64,
}

#[derive(Debug)]
struct Page {
    number: u64,
    dirty: bool,
    bytes: Box<[u8]>,
}

/// The newest outcome of a line number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) outcome: OutcomeKind,
}

impl LineIndex {
    /// An empty index whose file is in `dir`, without a name.
    pub(crate) fn new_in(dir: &Path) -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile_in(dir)?,
            pages: Vec::new(),
            last: 0,
        })
    }

    /// The highest line number that was ever set.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn get(&mut self, seq: u64) -> io::Result<Option<Entry>> {
        if seq > self.last {
            return Ok(None);
        }
        let page = self.page(seq / PAGE_ENTRIES)?;
        Ok(decoded(&page.bytes[at(seq)..][..ENTRY]))
    }

    /// Sets the entry of a line, gives back the one it had.
    pub(crate) fn set(&mut self, seq: u64, entry: Option<Entry>) -> io::Result<Option<Entry>> {
        let page = self.page(seq / PAGE_ENTRIES)?;
        page.dirty = true;
        let bytes = &mut page.bytes[at(seq)..][..ENTRY];
        let before = decoded(bytes);
        match entry {
            Some(Entry { key, outcome }) => {
                bytes[0] = code(outcome);
                bytes[1..].copy_from_slice(&key.0);
            }
            None => bytes[0] = 0,
        }
        self.last = self.last.max(seq);
        Ok(before)
    }

    /// The page from the cache (newest use last), or read into the place of the one that was not used for longest.
    fn page(&mut self, number: u64) -> io::Result<&mut Page> {
        match self.pages.iter().rposition(|page| page.number == number) {
            Some(at) if at + 1 == self.pages.len() => {}
            Some(at) => self.pages[at..].rotate_left(1),
            None => {
                let bytes = if self.pages.len() < PAGES {
                    vec![0; PAGE].into_boxed_slice()
                } else {
                    let old = self.pages.remove(0);
                    if old.dirty {
                        self.file
                            .write_all_at(&old.bytes, old.number * PAGE as u64)?;
                    }
                    old.bytes
                };
                let mut page = Page {
                    number,
                    dirty: false,
                    bytes,
                };
                read_or_zero(&self.file, &mut page.bytes, number * PAGE as u64)?;
                self.pages.push(page);
            }
        }
        let last = self.pages.len() - 1;
        Ok(&mut self.pages[last])
    }
}

/// Where a line's entry stands in its page.
fn at(seq: u64) -> usize {
    (seq % PAGE_ENTRIES) as usize * ENTRY
}

fn decoded(bytes: &[u8]) -> Option<Entry> {
    let outcome = OutcomeKind::ALL.get(usize::from(bytes[0]).checked_sub(1)?)?;
    let mut key = [0; 16];
    key.copy_from_slice(&bytes[1..]);
    Some(Entry {
        key: Key(key),
        outcome: *outcome,
    })
}

fn code(outcome: OutcomeKind) -> u8 {
    let at = OutcomeKind::ALL
        .iter()
        .position(|&kind| kind == outcome)
        .unwrap_or_default();
    at as u8 + 1
}

fn read_or_zero(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes[filled..].fill(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn it_is_a_map_from_line_numbers_whatever_the_order() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut index = LineIndex::new_in(&std::env::temp_dir()).unwrap();
        let mut model = HashMap::new();
        for _ in 0..200_000 {
            let seq = if rng.bool() {
                rng.u64(1..5_000)
            } else {
                rng.u64(1..2_000_000)
            };
            if rng.u8(..3) == 0 {
                assert_eq!(index.get(seq).unwrap(), model.get(&seq).copied());
            } else {
                let outcome = OutcomeKind::ALL[rng.usize(..OutcomeKind::ALL.len())];
                let entry = (rng.u8(..5) > 0).then(|| Entry {
                    key: Key(rng.u128(..).to_le_bytes()),
                    outcome,
                });
                assert_eq!(index.set(seq, entry).unwrap(), model.get(&seq).copied());
                match entry {
                    Some(entry) => model.insert(seq, entry),
                    None => model.remove(&seq),
                };
            }
        }
    }
}
