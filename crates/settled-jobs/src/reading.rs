//! Reading a ledger back: the newest line of each id, in the order of the file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use settled::OutcomeKind;

use crate::job::Key;
use crate::lines::Lines;
use crate::plan::PlanLine;
use crate::readback::Settled;
use crate::replay::line_index::{Entry, LineIndex};
use crate::replay::{Bits, is_number, number};
use crate::seen::Seen;
use crate::tally::Tally;

/// What a file of outcome lines holds.
#[derive(Debug, Default)]
pub struct Read {
    /// The fold over the newest line of each id.
    pub tally: Tally,
    /// Older lines of ids that have a newer one.
    pub superseded: u64,
    /// Numbers of lines that are neither outcome nor plan: the first ten.
    pub unreadable: Vec<u64>,
    /// How many of them there are.
    pub unreadable_count: u64,
}

/// Reads a file of outcome lines. Memory stays small for plain lists of any length; ids of their own cost about 40 bytes each.
///
/// # Errors
/// If the file can't be read.
pub fn read(path: &Path) -> io::Result<Read> {
    let mut read = Read::default();
    newest(path, |line| match line {
        Newest::Line(bytes) => {
            if let Some(seen) = Seen::read(bytes) {
                read.tally.add(&seen);
            }
        }
        Newest::Superseded => read.superseded += 1,
        Newest::Unreadable(number) => {
            read.unreadable_count += 1;
            if read.unreadable.len() < 10 {
                read.unreadable.push(number);
            }
        }
    })?;
    Ok(read)
}

/// Hands the newest line of each id (without its line end) to `each`, in the order of the file.
///
/// # Errors
/// If the file can't be read, or `each` fails.
pub fn latest(path: &Path, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut result = Ok(());
    newest(path, |line| {
        if let (Newest::Line(bytes), Ok(())) = (line, &result) {
            result = each(bytes);
        }
    })?;
    result
}

enum Newest<'a> {
    Line(&'a [u8]),
    Superseded,
    Unreadable(u64),
}

fn newest(path: &Path, mut each: impl FnMut(Newest<'_>)) -> io::Result<()> {
    let mut file = seekable(path)?;
    let superseded = superseded(&file)?;
    file.seek(SeekFrom::Start(0))?;
    let mut lines = Lines::new(&file, b'\n', usize::MAX);
    while let Some(line) = lines.next()? {
        if superseded.has(line.seq) {
            each(Newest::Superseded);
        } else if Settled::read(line.bytes).is_some() {
            each(Newest::Line(line.bytes));
        } else if line.terminated
            && PlanLine::read(line.bytes).is_none()
            && !line.bytes.trim_ascii().is_empty()
        {
            each(Newest::Unreadable(line.seq));
        }
    }
    Ok(())
}

/// The file; a copy of it where it can be read only once.
fn seekable(path: &Path) -> io::Result<File> {
    let mut file = if path == Path::new("-") {
        File::open("/dev/stdin")?
    } else {
        File::open(path)?
    };
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "it is a directory",
        ));
    }
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut file, &mut copy)?;
    copy.seek(SeekFrom::Start(0))?;
    Ok(copy)
}

/// Numbers of the lines whose id has a newer line.
fn superseded(file: &File) -> io::Result<Bits> {
    let mut superseded = Bits::default();
    let mut numbered = LineIndex::new_in(&std::env::temp_dir())?;
    let mut named: HashMap<[u8; 16], u64> = HashMap::new();
    let mut lines = Lines::new(file, b'\n', usize::MAX);
    while let Some(line) = lines.next()? {
        let Some(settled) = Settled::read(line.bytes) else {
            continue;
        };
        let id = || Key::of(settled.id.as_bytes()).0;
        // A number that is a job's own id stands anywhere in a list, so the older line may be in either table.
        let before = if is_number(&settled.id, settled.seq) {
            // The index keeps a key an entry; here that is the number of the line.
            let entry = Entry {
                key: Key(u128::from(line.seq).to_le_bytes()),
                outcome: OutcomeKind::Fulfilled,
            };
            let named = (!named.is_empty()).then(|| named.remove(&id())).flatten();
            [named, numbered.set(settled.seq, Some(entry))?.map(at)]
        } else {
            let number = number(&settled.id).filter(|&number| number <= numbered.last());
            let numbered = match number {
                Some(number) => numbered.set(number, None)?.map(at),
                None => None,
            };
            [named.insert(id(), line.seq), numbered]
        };
        before
            .into_iter()
            .flatten()
            .for_each(|before| superseded.set(before));
    }
    Ok(superseded)
}

/// The number of the line that an entry stands for.
fn at(entry: Entry) -> u64 {
    u128::from_le_bytes(entry.key.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_an_id_has_one_newest_line_wherever_it_stood() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let line = |seq: u64| {
            let key = "0".repeat(32);
            format!(r#"{{"v":1,"id":"7","seq":{seq},"key":"{key}","outcome":"fulfilled"}}"#)
        };
        for (older, newer) in [(3, 7), (7, 3), (7, 7), (3, 4)] {
            std::fs::write(&path, format!("{}\n{}\n", line(older), line(newer))).unwrap();
            let mut found = Vec::new();
            latest(&path, |bytes| {
                found.push(bytes.to_vec());
                Ok(())
            })
            .unwrap();
            assert_eq!(found, [line(newer).into_bytes()], "{older}, then {newer}");
        }
    }
}
