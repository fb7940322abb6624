//! An outcome line, read back as far as a resume needs it.
//!
//! Members stand in a fixed order, so that it needs the first hundred bytes of a line and its checksum, not a JSON parser. A line
//! that somebody re-wrote with another tool is still read, by the parser.

use std::borrow::Cow;

use serde::Deserialize;
use settled::OutcomeKind;

use crate::job::Key;
use crate::line::checksum_holds;

/// What a resume has to know of an outcome line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settled<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) seq: u64,
    pub(crate) key: Key,
    pub(crate) outcome: OutcomeKind,
    pub(crate) is_final: bool,
}

impl<'a> Settled<'a> {
    /// Reads an outcome line back. `None`: it is none, or a damaged one.
    pub(crate) fn read(line: &'a [u8]) -> Option<Self> {
        match checksum_holds(line) {
            Some(true) => Self::scan(line).or_else(|| Self::parse(line)),
            Some(false) => None,
            None => Self::parse(line),
        }
    }

    /// The head of a line as `OutcomeLine` writes it.
    fn scan(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_prefix(br#"{"v":1,"id":""#)?;
        let (id, rest) = rest.split_at(memchr::memchr2(b'"', b'\\', rest)?);
        let rest = rest.strip_prefix(br#"","seq":"#)?;
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (seq, rest) = rest.split_at(digits);
        let (key, rest) = rest.strip_prefix(br#","key":""#)?.split_at_checked(32)?;
        let rest = rest.strip_prefix(br#"","outcome":""#)?;
        let (outcome, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
        Some(Self {
            id: Cow::Borrowed(std::str::from_utf8(id).ok()?),
            seq: std::str::from_utf8(seq).ok()?.parse().ok()?,
            key: parse_key(key)?,
            outcome: outcome_named(std::str::from_utf8(outcome).ok()?)?,
            is_final: !rest.starts_with(br#"","final":false"#),
        })
    }

    /// Any JSON object that has the members.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Members<'a> {
            v: u32,
            #[serde(borrow)]
            id: Cow<'a, str>,
            seq: u64,
            #[serde(borrow)]
            key: Cow<'a, str>,
            #[serde(borrow)]
            outcome: Cow<'a, str>,
            #[serde(rename = "final", default = "yes")]
            is_final: bool,
        }
        let members: Members<'a> = serde_json::from_slice(line).ok()?;
        Some(Self {
            id: members.id,
            seq: members.seq,
            key: parse_key(members.key.as_bytes())?,
            outcome: outcome_named(&members.outcome)?,
            is_final: members.is_final,
        })
        .filter(|_| members.v == 1)
    }
}

fn yes() -> bool {
    true
}

fn outcome_named(name: &str) -> Option<OutcomeKind> {
    OutcomeKind::ALL
        .into_iter()
        .find(|kind| kind.name() == name)
}

/// What each byte is worth as a hexadecimal digit. A table, since no branch can guess whether a digit is a letter, and a ledger has
/// millions of them.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};
const NO_DIGIT: u8 = 0xff;

fn parse_key(hex: &[u8]) -> Option<Key> {
    let hex: &[u8; 32] = hex.try_into().ok()?;
    let mut key = [0; 16];
    let mut seen = 0;
    for (byte, pair) in key.iter_mut().zip(hex.chunks_exact(2)) {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    (seen != NO_DIGIT).then_some(Key(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_thirty_two_digits_of_lower_case() {
        let key = Key::of(b"x");
        let hex = key.to_string();
        assert_eq!(parse_key(hex.as_bytes()), Some(key));
        assert_eq!(parse_key(&hex.as_bytes()[1..]), None);
        for at in 0..32 {
            for wrong in (0..=255).filter(|byte| !b"0123456789abcdef".contains(byte)) {
                let mut hex = hex.clone().into_bytes();
                hex[at] = wrong;
                assert_eq!(parse_key(&hex), None, "byte {wrong} at {at}");
            }
        }
    }
}
