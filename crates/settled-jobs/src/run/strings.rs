//! Strings as a process gets them: each without a NUL inside, and with one at its end.

/// A list of NUL-terminated strings in one allocation.
///
/// Invariant: `bytes` is empty or ends with NUL, and holds exactly `count` NULs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Strings {
    bytes: Vec<u8>,
    count: usize,
}

/// A string with a NUL inside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NulInside;

impl Strings {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            count: 0,
        }
    }

    pub(super) fn push(&mut self, string: &[u8]) -> Result<(), NulInside> {
        self.extend_last(string)?;
        self.end();
        Ok(())
    }

    /// Adds to the string that is being built; [`Strings::end`] completes it.
    pub(super) fn extend_last(&mut self, part: &[u8]) -> Result<(), NulInside> {
        if memchr::memchr(0, part).is_some() {
            return Err(NulInside);
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    pub(super) fn end(&mut self) {
        self.bytes.push(0);
        self.count += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The bytes with all the NULs.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Each string without its NUL.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let end = memchr::memchr(0, rest)?;
            let (string, after) = rest.split_at(end);
            rest = &after[1..];
            Some(string)
        })
    }
}
