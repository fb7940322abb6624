//! The outcome line, as it is written: members in a fixed order, a checksum at the end.

use std::borrow::Cow;
use std::io::Write;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;
use settled::OutcomeKind;

use crate::job::{Input, Key};
use crate::keep::Kept;
use crate::record::{Ended, Failure, FetchResult, JobResult, RunResult, Try};

/// Everything that an outcome line says.
#[derive(Debug)]
pub(crate) struct OutcomeLine<'a> {
    pub(crate) seq: u64,
    pub(crate) id: &'a str,
    pub(crate) key: Key,
    pub(crate) outcome: OutcomeKind,
    /// `false`: interrupted; the job runs again when the list is resumed.
    pub(crate) is_final: bool,
    pub(crate) attempts: u32,
    pub(crate) took: Duration,
    pub(crate) started: SystemTime,
    pub(crate) input: &'a Input,
    pub(crate) result: Option<&'a JobResult>,
    pub(crate) error: Option<&'a Failure>,
    /// The tries before the last one.
    pub(crate) tries: &'a [Try],
    pub(crate) meta: Option<&'a RawValue>,
}

/// The member that ends a line of a ledger file: `,"crc":"xxxxxxxx"}`.
const CRC_MEMBER: &[u8] = br#","crc":""#;
const CRC_TAIL: usize = CRC_MEMBER.len() + 8 + 2;

impl OutcomeLine<'_> {
    /// Appends the line, with its line end.
    pub(crate) fn write(&self, out: &mut Vec<u8>, checksum: bool) {
        let start = out.len();
        // Writing into memory can't fail, and nothing in a line is a map with keys that are no strings.
        let written = serde_json::to_writer(&mut *out, self);
        debug_assert!(written.is_ok());
        if self.meta.is_some() || matches!(self.input, Input::Json(_)) {
            on_one_line(&mut out[start..]);
        }
        if checksum {
            seal(out, start);
        }
        out.push(b'\n');
    }
}

/// JSON that a job brought along may have line ends between its tokens, where records end with NUL. They mean nothing there.
fn on_one_line(json: &mut [u8]) {
    for byte in json {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// Puts the checksum of the object that starts at `start` into it, as its last member.
pub(crate) fn seal(out: &mut Vec<u8>, start: usize) {
    out.pop();
    let crc = crc32fast::hash(&out[start..]);
    out.extend_from_slice(CRC_MEMBER);
    let _ = write!(out, "{crc:08x}\"}}");
}

/// Whether the line's checksum is right; `None` if it has none.
pub(crate) fn checksum_holds(line: &[u8]) -> Option<bool> {
    let (body, tail) = line.split_at_checked(line.len().checked_sub(CRC_TAIL)?)?;
    let hex = tail.strip_prefix(CRC_MEMBER)?.strip_suffix(b"\"}")?;
    let crc = u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
    Some(crc == crc32fast::hash(body))
}

/// Milliseconds with one decimal, as a line shows them.
fn millis(d: Duration) -> f64 {
    (d.as_secs_f64() * 10_000.0).round() / 10.0
}

impl Serialize for OutcomeLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("v", &1)?;
        map.serialize_entry("id", self.id)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("key", &Shown(self.key))?;
        map.serialize_entry("outcome", self.outcome.name())?;
        if !self.is_final {
            map.serialize_entry("final", &false)?;
        }
        map.serialize_entry("attempts", &self.attempts)?;
        map.serialize_entry("ms", &millis(self.took))?;
        map.serialize_entry(
            "started",
            &Shown(humantime::format_rfc3339_millis(self.started)),
        )?;
        match self.input {
            Input::Text(text) => map.serialize_entry("input", text)?,
            Input::Bytes(bytes) => map.serialize_entry("input_base64", &BASE64.encode(bytes))?,
            Input::Json(json) => map.serialize_entry("input", json)?,
        }
        match self.result {
            Some(JobResult::Fetch(result)) => map.serialize_entry("result", &**result)?,
            Some(JobResult::Run(result)) => map.serialize_entry("result", &**result)?,
            None => {}
        }
        if let Some(error) = self.error {
            map.serialize_entry("error", error)?;
        }
        if !self.tries.is_empty() {
            map.serialize_entry("tries", &Tries(self.tries))?;
        }
        if let Some(meta) = self.meta {
            map.serialize_entry("meta", meta)?;
        }
        map.end()
    }
}

/// Writes what a value displays as a JSON string, without an allocation.
struct Shown<T>(T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Tries<'a>(&'a [Try]);

impl Serialize for Tries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Shown<'a> {
            ms: f64,
            #[serde(skip_serializing_if = "Option::is_none")]
            wait_ms: Option<f64>,
            error: &'a Failure,
        }
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for a_try in self.0 {
            seq.serialize_element(&Shown {
                ms: millis(a_try.took),
                wait_ms: a_try.waited.map(millis),
                error: &a_try.error,
            })?;
        }
        seq.end()
    }
}

impl Serialize for FetchResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("status", &self.status)?;
        if let Some(headers) = &self.headers {
            map.serialize_entry("headers", &Headers(headers))?;
        }
        if let Some(body) = &self.body {
            body.members(&mut map, ["body", "body_base64", "body_file"])?;
        }
        map.serialize_entry("bytes", &self.bytes)?;
        truncated(&mut map, [self.body.as_ref(), None])?;
        if let Some(url) = &self.url {
            map.serialize_entry("url", url)?;
        }
        map.end()
    }
}

impl Serialize for RunResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.ended {
            Ended::Exit(status) => map.serialize_entry("exit", &status)?,
            Ended::Signal(signal) => map.serialize_entry("signal", &signal)?,
        }
        if let Some(kept) = &self.stdout {
            kept.members(&mut map, ["stdout", "stdout_base64", "stdout_file"])?;
        }
        if let Some(kept) = &self.stderr {
            kept.members(&mut map, ["stderr", "stderr_base64", "stderr_file"])?;
        }
        truncated(&mut map, [self.stdout.as_ref(), self.stderr.as_ref()])?;
        map.end()
    }
}

fn truncated<M: SerializeMap>(map: &mut M, streams: [Option<&Kept>; 2]) -> Result<(), M::Error> {
    if streams.into_iter().flatten().any(Kept::truncated) {
        map.serialize_entry("truncated", &true)?;
    }
    Ok(())
}

/// A header that occurs once is a string, one that occurs several times an array of strings.
struct Headers<'a>(&'a http::HeaderMap);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for name in self.0.keys() {
            let mut values = self
                .0
                .get_all(name)
                .iter()
                .map(|v| String::from_utf8_lossy(v.as_bytes()));
            match (values.next(), values.next()) {
                (Some(only), None) => map.serialize_entry(name.as_str(), &only)?,
                (Some(first), Some(second)) => {
                    let all: Vec<Cow<'_, str>> =
                        [first, second].into_iter().chain(values).collect();
                    map.serialize_entry(name.as_str(), &all)?;
                }
                (None, _) => {}
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readback::Settled;
    use crate::record::ErrorKind;

    fn line(id: &str, is_final: bool) -> Vec<u8> {
        let error = Failure {
            status: Some(503),
            ..Failure::transient(ErrorKind::Http, "503 \"busy\"\n")
        };
        let tries = [Try {
            took: Duration::from_micros(12_149),
            waited: Some(Duration::from_secs(1)),
            error: error.clone(),
        }];
        let mut out = Vec::new();
        OutcomeLine {
            seq: 7,
            id,
            key: Key::of(b"x"),
            outcome: OutcomeKind::Rejected,
            is_final,
            attempts: 2,
            took: Duration::from_millis(41),
            started: SystemTime::UNIX_EPOCH,
            input: &Input::of_line(b"\xff"),
            result: None,
            error: Some(&error),
            tries: &tries,
            meta: None,
        }
        .write(&mut out, true);
        out
    }

    #[test]
    fn a_line_reads_back_by_scan_and_by_parser() {
        for id in ["7", "a b", "quote\" back\\ tab\t ünï", ""] {
            for is_final in [true, false] {
                let line = line(id, is_final);
                let line = line.strip_suffix(b"\n").unwrap();
                let read = Settled::read(line).unwrap();
                assert_eq!((&*read.id, read.seq, read.is_final), (id, 7, is_final));
                assert_eq!(
                    (read.key, read.outcome),
                    (Key::of(b"x"), OutcomeKind::Rejected)
                );
                assert_eq!(Settled::parse(line).unwrap(), read);
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let line = line("7", true);
        let line = line.strip_suffix(b"\n").unwrap();
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut damaged = line.to_vec();
                damaged[at] ^= 1 << bit;
                let read = Settled::read(&damaged);
                // Damage to the checksum's own name leaves valid JSON whose content is whole.
                assert!(
                    read.is_none() || read == Settled::read(line),
                    "bit {bit} of byte {at}"
                );
            }
        }
    }

    #[test]
    fn times_have_one_decimal() {
        let text = String::from_utf8(line("7", true)).unwrap();
        assert!(
            text.contains(
                r#""ms":41.0,"started":"1970-01-01T00:00:00.000Z","input_base64":"/w==""#
            ),
            "{text}"
        );
        assert!(
            text.contains(
                r#""tries":[{"ms":12.1,"wait_ms":1000.0,"error":{"kind":"http","status":503,"#
            ),
            "{text}"
        );
    }
}
