//! A job: one line of the list, decoded.

use std::fmt;
use std::time::Duration;

use serde_json::value::RawValue;

/// One raw line of the list, without its line end.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Where the line stands in the list, from 1; blank lines count.
    pub seq: u64,
    /// The line's bytes: CR, BOM and line end are gone.
    pub bytes: &'a [u8],
    /// The line is a JSON object (the input format is `jsonl`).
    pub json: bool,
}

/// One job of the list: what an outcome line says of it, and what it asks for.
#[derive(Debug)]
pub struct Job<S> {
    /// Where the job's line stands in the list, from 1; blank lines count.
    pub seq: u64,
    /// The job's identity in the ledger.
    pub id: Id,
    /// A hash of what the job asks for: equal content, equal key.
    pub key: Key,
    /// The `input` member of the outcome line.
    pub input: Input,
    /// The job's own timeout per try, which goes before the run's.
    pub timeout: Option<Duration>,
    /// The job's `meta`, passed through as it is.
    pub meta: Option<Box<RawValue>>,
    /// What is to be done.
    pub spec: S,
}

/// A job's identity in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// A line without an id of its own: its line number.
    Line,
    /// The job's own `id` (or `custom_id`).
    Own(Box<str>),
}

/// What a job's outcome line shows as its `input`.
#[derive(Clone, Debug)]
pub enum Input {
    /// UTF-8 text.
    Text(Box<str>),
    /// Bytes that are no UTF-8: written as base64 under `input_base64`.
    Bytes(Box<[u8]>),
    /// A JSON value, written as it is (the `args` of a command).
    Json(Box<RawValue>),
}

impl Input {
    /// The input of a plain line.
    #[must_use]
    pub fn of_line(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(_) => Self::Bytes(bytes.into()),
        }
    }
}

/// A 128-bit hash of a job's content (BLAKE3, truncated).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 16]);

impl Key {
    /// The key of a plain line. Every [`Work`](crate::Work) gives a plain line this key: so a line that has settled is
    /// recognised without being decoded.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::truncated(&blake3::hash(bytes))
    }

    fn truncated(hash: &blake3::Hash) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&hash.as_bytes()[..16]);
        Self(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 32];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&hex).unwrap_or_default())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// Builds a [`Key`] from parts; each part's length is hashed with it, so parts can't run into each other.
#[derive(Debug, Default)]
pub struct KeyHasher(blake3::Hasher);

impl KeyHasher {
    /// An empty key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one part.
    pub fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The key of all parts so far.
    #[must_use]
    pub fn finish(&self) -> Key {
        Key::truncated(&self.0.finalize())
    }
}
