//! Lines out of bytes: bounded, whatever comes.

use std::io::{self, Read};

/// Reads records (lines, or NUL-separated) from `R`, one at a time, into one buffer.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    from: R,
    separator: u8,
    max: usize,
    buffer: Vec<u8>,
    /// What of the buffer is filled and not yet handed out.
    start: usize,
    end: usize,
    /// How far behind `start` a separator has been looked for in vain.
    searched: usize,
    seq: u64,
    offset: u64,
    ended: bool,
}

/// One record as it was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Its number, from 1.
    pub(crate) seq: u64,
    /// Its bytes without the separator; the first bytes only, if it was too long.
    pub(crate) bytes: &'a [u8],
    /// Where it starts in the file.
    pub(crate) offset: u64,
    /// Its whole length in bytes, separator left out.
    pub(crate) length: u64,
    /// It ended with a separator, not with the file.
    pub(crate) terminated: bool,
}

impl Record<'_> {
    pub(crate) fn too_long(&self) -> bool {
        self.length > self.bytes.len() as u64
    }
}

/// How much of a record that is too long is kept, to show what it was.
const EXCERPT: usize = 64;

impl<R: Read> Lines<R> {
    /// Records of up to `max` bytes; of longer ones only the start is kept.
    pub(crate) fn new(from: R, separator: u8, max: usize) -> Self {
        Self {
            from,
            separator,
            max: max.max(EXCERPT),
            buffer: vec![0; 128 << 10],
            start: 0,
            end: 0,
            searched: 0,
            seq: 0,
            offset: 0,
            ended: false,
        }
    }

    /// Whether the next record is there without another read.
    pub(crate) fn has_buffered(&mut self) -> bool {
        self.find().is_some()
    }

    /// The next record; `None` at the end. A read error is the end of the list, and is returned.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        loop {
            if let Some(length) = self.find() {
                return Ok(Some(self.take(length, true)));
            }
            if self.end - self.start > self.max {
                return self.skip_long().map(Some);
            }
            if self.ended {
                let rest = self.end - self.start;
                return Ok((rest > 0).then(|| self.take(rest, false)));
            }
            self.fill()?;
        }
    }

    /// The length of the next record, if its separator is in the buffer.
    fn find(&mut self) -> Option<usize> {
        let from = self.start + self.searched;
        match memchr::memchr(self.separator, &self.buffer[from..self.end]) {
            Some(at) => Some(self.searched + at).filter(|&length| length <= self.max),
            None => {
                self.searched = self.end - self.start;
                None
            }
        }
    }

    fn take(&mut self, length: usize, terminated: bool) -> Record<'_> {
        let (from, offset) = (self.start, self.offset);
        let whole = length + usize::from(terminated);
        self.start += whole;
        self.offset += whole as u64;
        self.searched = 0;
        self.seq += 1;
        let bytes = &self.buffer[from..from + length];
        Record {
            seq: self.seq,
            bytes,
            offset,
            length: length as u64,
            terminated,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        self.read()
    }

    fn read(&mut self) -> io::Result<()> {
        loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.end += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }

    /// The record in the buffer is longer than allowed: reads past it without keeping it.
    fn skip_long(&mut self) -> io::Result<Record<'_>> {
        let offset = self.offset;
        let mut length = 0;
        let mut terminated = false;
        self.buffer.copy_within(self.start..self.start + EXCERPT, 0);
        self.start += EXCERPT;
        length += EXCERPT as u64;
        while !terminated {
            match memchr::memchr(self.separator, &self.buffer[self.start..self.end]) {
                Some(at) => {
                    length += at as u64;
                    self.start += at + 1;
                    terminated = true;
                }
                None => {
                    length += (self.end - self.start) as u64;
                    (self.start, self.end) = (EXCERPT, EXCERPT);
                    if self.ended {
                        break;
                    }
                    self.read()?;
                }
            }
        }
        self.offset += length + u64::from(terminated);
        self.searched = 0;
        self.seq += 1;
        Ok(Record {
            seq: self.seq,
            bytes: &self.buffer[..EXCERPT],
            offset,
            length,
            terminated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes a few at a time.
    struct Drip(Vec<u8>, usize);

    impl Read for Drip {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(into.len());
            into[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }
    }

    fn all(text: &[u8], step: usize, max: usize) -> Vec<(u64, Vec<u8>, u64, u64, bool)> {
        let mut lines = Lines::new(Drip(text.to_vec(), step), b'\n', max);
        let mut found = Vec::new();
        while let Some(r) = lines.next().unwrap() {
            found.push((r.seq, r.bytes.to_vec(), r.offset, r.length, r.terminated));
        }
        found
    }

    #[test]
    fn records_are_the_same_whatever_the_size_of_the_reads() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..200 {
            let text: Vec<u8> = (0..rng.usize(0..2000))
                .map(|_| if rng.u8(..9) == 0 { b'\n' } else { b'x' })
                .collect();
            let mut expected: Vec<&[u8]> = text.split(|&b| b == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            for step in [1, 7, 4096] {
                let found = all(&text, step, 1 << 20);
                assert_eq!(found.iter().map(|r| &r.1[..]).collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_its_length_known() {
        let mut text = vec![b'y'; 300_000];
        text.extend_from_slice(b"\nshort\n");
        text.extend_from_slice(&[b'z'; 250_000]);
        for step in [1000, 4096, 1 << 20] {
            let found = all(&text, step, 200_000);
            assert_eq!(found.len(), 3);
            assert_eq!((found[0].0, found[0].3, found[0].4), (1, 300_000, true));
            assert_eq!(found[1], (2, b"short".to_vec(), 300_001, 5, true));
            assert_eq!(
                (found[2].2, found[2].3, found[2].4),
                (300_007, 250_000, false)
            );
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole() {
        let found = all(&[&[b'a'; 100][..], b"\n"].concat(), 33, 100);
        assert_eq!(found, vec![(1, vec![b'a'; 100], 0, 100, true)]);
        let found = all(&[&[b'a'; 101][..], b"\nb"].concat(), 4096, 100);
        assert_eq!((found[0].1.len(), found[0].3), (EXCERPT, 101));
        assert_eq!(found[1].1, b"b");
    }
}
