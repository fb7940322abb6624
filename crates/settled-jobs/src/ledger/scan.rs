//! Reading a whole ledger: several threads turn a segment each into what its lines say, and one takes that in, in order.
//!
//! Thread `i` of `n` reads the segments `i`, `i + n`, `i + 2n`, ..., and hands each over through a channel of its own that holds
//! one. So the order needs no bookkeeping, memory is bounded, and a thread that ends early is seen as a channel that has ended.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::sync::mpsc;
use std::thread;

use settled::OutcomeKind;

use crate::job::Key;
use crate::lines::{Lines, Record};
use crate::plan::PlanLine;
use crate::readback::Settled;

/// Where a ledger's bytes come from; several threads read from it at once.
pub(super) trait ReadAt: Sync {
    /// As [`FileExt::read_at`]: fewer bytes than asked for are no error, none are the end.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, offset)
    }
}

/// What a line of a ledger is.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    Outcome(Settled<'a>),
    Plan(PlanLine),
    Damaged,
    /// The last one, without a line end.
    Torn,
}

/// Where a line stands: its number, from 1, where it begins, and its length without the line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// How a ledger is cut into pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// How many threads read it, at most; one is the caller's own.
    pub(super) threads: usize,
    /// How many bytes of it are a piece. Also the longest line that is not read by the caller's own thread.
    pub(super) segment: u64,
    /// How long it is, for the number of pieces: what is behind it is read as well.
    pub(super) length: u64,
}

impl Cut {
    /// For a ledger of this many bytes.
    pub(super) fn new(length: u64) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            threads: cores.min(MAX_THREADS),
            segment: SEGMENT,
            length,
        }
    }
}

/// More would only wait for the one that takes in what they have read.
const MAX_THREADS: usize = 4;

/// Small, since each thread has up to two of them in memory, as what their lines say.
const SEGMENT: u64 = 1 << 20;

/// Reads a ledger from its start to its end, and gives out each line, in order.
///
/// # Errors
/// If reading fails, or `each` does: what is in front of that was given out.
pub(super) fn scan<R: ReadAt>(
    from: &R,
    cut: Cut,
    mut each: impl FnMut(Place, Line<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let segments = cut.length.div_ceil(cut.segment).max(1);
    let threads = segments.min(cut.threads as u64);
    let read = |number: u64| {
        let start = number * cut.segment;
        let end = (number + 1 < segments).then(|| start + cut.segment);
        Segment::read(from, start, end.unwrap_or(u64::MAX), cut.segment)
    };
    let mut lines = 0;
    if threads <= 1 {
        return (0..segments)
            .try_for_each(|number| read(number)?.each(from, &mut lines, &mut each));
    }
    thread::scope(|scope| {
        let mut readers = Vec::new();
        for first in 0..threads {
            let (done, segment) = mpsc::sync_channel(1);
            let reader = move || {
                for number in (first..segments).step_by(threads as usize) {
                    let read = read(number);
                    let failed = read.is_err();
                    // Nobody takes it when something before it has failed.
                    if done.send(read).is_err() || failed {
                        return;
                    }
                }
            };
            let named = thread::Builder::new().name("settled-scan".to_owned());
            readers.push((segment, named.spawn_scoped(scope, reader)?));
        }
        let taken = (0..segments).try_for_each(|number| {
            let (segment, _) = &readers[(number % threads) as usize];
            let panicked = |_| Err(io::Error::other("a reader of it panicked: a defect"));
            let segment = segment.recv().unwrap_or_else(panicked)?;
            segment.each(from, &mut lines, &mut each)
        });
        // Joined by hand, a panic is not raised again: it is an error already.
        for (segment, reader) in readers {
            drop(segment);
            let _ = reader.join();
        }
        taken
    })
}

/// What the lines say that begin in a segment.
#[derive(Debug)]
struct Segment {
    found: Vec<Found>,
    /// The ids of its outcome lines, one after the other.
    ids: String,
    /// Where its first line begins.
    start: u64,
}

/// One line, as small as it gets: there are millions.
#[derive(Debug)]
struct Found {
    length: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Outcome {
        seq: u64,
        key: Key,
        outcome: OutcomeKind,
        is_final: bool,
        id_length: u32,
    },
    Plan(Box<PlanLine>),
    Damaged,
    Torn,
    /// Too long to be kept in memory by each thread: it is read when it is its turn.
    Long,
}

impl Segment {
    /// Reads the lines that begin at `start` or behind it, and before `end`. Up to `max` bytes of a line are kept in memory.
    fn read<R: ReadAt>(from: &R, start: u64, end: u64, max: u64) -> io::Result<Self> {
        let start = first_line(from, start, end)?;
        let mut segment = Self {
            found: Vec::new(),
            ids: String::new(),
            start,
        };
        let from = Bytes {
            from,
            at: start,
            end,
        };
        let mut lines = Lines::new(from, b'\n', usize::try_from(max).unwrap_or(usize::MAX));
        let mut at = start;
        while at < end {
            let Some(line) = lines.next()? else { break };
            at += line.length + u64::from(line.terminated);
            segment.push(&line);
        }
        Ok(segment)
    }

    fn push(&mut self, line: &Record<'_>) {
        let what = if !line.terminated {
            What::Torn
        } else if line.too_long() {
            What::Long
        } else {
            match read_line(line.bytes) {
                Line::Outcome(settled) => {
                    self.ids.push_str(&settled.id);
                    What::Outcome {
                        seq: settled.seq,
                        key: settled.key,
                        outcome: settled.outcome,
                        is_final: settled.is_final,
                        id_length: settled.id.len() as u32,
                    }
                }
                Line::Plan(plan) => What::Plan(Box::new(plan)),
                Line::Damaged | Line::Torn => What::Damaged,
            }
        };
        let length = line.length;
        self.found.push(Found { length, what });
    }

    /// Gives out its lines; `lines` is how many there were before it.
    fn each<R: ReadAt>(
        self,
        from: &R,
        lines: &mut u64,
        mut each: impl FnMut(Place, Line<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut offset = self.start;
        let mut ids = &self.ids[..];
        for Found { length, what } in self.found {
            *lines += 1;
            let number = *lines;
            let place = Place {
                number,
                offset,
                length,
            };
            offset += length + 1;
            let line = match what {
                What::Outcome {
                    seq,
                    key,
                    outcome,
                    is_final,
                    id_length,
                } => {
                    let (id, rest) = ids.split_at(id_length as usize);
                    ids = rest;
                    Line::Outcome(Settled {
                        id: Cow::Borrowed(id),
                        seq,
                        key,
                        outcome,
                        is_final,
                    })
                }
                What::Plan(plan) => Line::Plan(*plan),
                What::Damaged => Line::Damaged,
                What::Torn => Line::Torn,
                What::Long => {
                    each_long(from, place, &mut each)?;
                    continue;
                }
            };
            each(place, line)?;
        }
        Ok(())
    }
}

/// Where the first line begins that begins at `start` or behind it; `end` or more, if that is too far.
fn first_line<R: ReadAt>(from: &R, start: u64, end: u64) -> io::Result<u64> {
    // The byte before tells whether a line begins here.
    let Some(at) = start.checked_sub(1) else {
        return Ok(0);
    };
    let before = BufReader::with_capacity(BEHIND, Bytes { from, at, end });
    let skipped = before.take(end - at).skip_until(b'\n')?;
    Ok(at + skipped as u64)
}

/// Gives out one line that was passed over.
fn each_long<R: ReadAt>(
    from: &R,
    place: Place,
    mut each: impl FnMut(Place, Line<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let from = Bytes {
        from,
        at: place.offset,
        end: place.offset + place.length,
    };
    let mut bytes = Vec::new();
    from.take(place.length).read_to_end(&mut bytes)?;
    each(place, read_line(&bytes))
}

/// What a whole line says.
fn read_line(bytes: &[u8]) -> Line<'_> {
    if let Some(settled) = Settled::read(bytes) {
        Line::Outcome(settled)
    } else if let Some(plan) = PlanLine::read(bytes) {
        Line::Plan(plan)
    } else {
        Line::Damaged
    }
}

/// Bytes from a place on: of a segment in large pieces, of what is behind its end in small ones, since only the end of a line is
/// looked for there.
struct Bytes<'a, R> {
    from: &'a R,
    at: u64,
    end: u64,
}

const BEHIND: usize = 8 << 10;

impl<R: ReadAt> Read for Bytes<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = match self.end.saturating_sub(self.at) {
            0 => BEHIND,
            left => usize::try_from(left).unwrap_or(usize::MAX),
        };
        let most = most.min(bytes.len());
        let read = self.from.read_at(&mut bytes[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
