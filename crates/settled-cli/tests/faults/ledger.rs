//! Reads a ledger with nothing of settled's own code, and checks what must hold of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// One outcome line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) outcome: String,
    pub(crate) is_final: bool,
    pub(crate) value: Value,
}

/// All outcome lines of a ledger that is whole: every line ends, is JSON, and has the right checksum.
#[track_caller]
pub(crate) fn whole(path: &Path) -> Vec<Line> {
    let bytes = fs::read(path).expect("a ledger");
    assert_eq!(bytes.last(), Some(&b'\n'), "the last line does not end");
    let mut lines = bytes
        .split_inclusive(|&b| b == b'\n')
        .map(|line| &line[..line.len() - 1]);
    let plan = lines.next().expect("a plan line");
    assert!(plan.starts_with(b"{\"settled\":1,"), "line 1 is no plan");
    assert!(sealed(plan), "line 1 has the wrong checksum");
    lines
        .enumerate()
        .filter_map(|(at, line)| {
            assert!(sealed(line), "line {} has the wrong checksum", at + 2);
            outcome(line)
        })
        .collect()
}

/// The outcome lines of whatever there is, up to the last line end.
pub(crate) fn committed(bytes: &[u8]) -> Vec<Line> {
    bytes
        .split_inclusive(|&b| b == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n"))
        .filter_map(outcome)
        .collect()
}

/// What of a file are whole lines.
pub(crate) fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |at| at + 1);
    &bytes[..end]
}

fn outcome(line: &[u8]) -> Option<Line> {
    #[derive(serde::Deserialize)]
    struct Members {
        id: String,
        outcome: String,
        #[serde(rename = "final", default = "yes")]
        is_final: bool,
    }
    let members: Members = serde_json::from_slice(line).ok()?;
    Some(Line {
        id: members.id,
        outcome: members.outcome,
        is_final: members.is_final,
        // What a job brings along may be too deep for this reader.
        value: serde_json::from_slice(line).unwrap_or(Value::Null),
    })
}

fn yes() -> bool {
    true
}

/// Whether the checksum at the end of a line is the one of what stands before it.
pub(crate) fn sealed(line: &[u8]) -> bool {
    const TAIL: usize = br#","crc":"01234567"}"#.len();
    let Some((body, tail)) = line.len().checked_sub(TAIL).map(|at| line.split_at(at)) else {
        return false;
    };
    tail == format!(r#","crc":"{:08x}"}}"#, crc32fast::hash(body)).as_bytes()
}

/// The line with its checksum, and its end.
pub(crate) fn seal(object: &str) -> String {
    let body = object.strip_suffix('}').expect("an object");
    format!(
        "{body},\"crc\":\"{:08x}\"}}\n",
        crc32fast::hash(body.as_bytes())
    )
}

pub(crate) fn newest(lines: &[Line]) -> BTreeMap<String, Line> {
    lines
        .iter()
        .map(|line| (line.id.clone(), line.clone()))
        .collect()
}

/// Invariant I: the ledger is whole, and each of `expected` (id and outcome) has exactly one final line, which is its newest;
/// nothing else is in it.
#[track_caller]
pub(crate) fn settles<S: Into<String>>(path: &Path, expected: impl IntoIterator<Item = (S, S)>) {
    let lines = whole(path);
    let expected: BTreeMap<String, String> = expected
        .into_iter()
        .map(|(id, outcome)| (id.into(), outcome.into()))
        .collect();
    let found: BTreeMap<String, String> = newest(&lines)
        .into_iter()
        .map(|(id, line)| (id, line.outcome))
        .collect();
    assert_eq!(found, expected);
    let finals = lines.iter().filter(|line| line.is_final).count();
    assert_eq!(finals, expected.len(), "an id has two final lines");
    let last_is_final = newest(&lines).values().all(|line| line.is_final);
    assert!(last_is_final, "a newest line is not final");
}

/// Ids 1 to `count`, all fulfilled.
pub(crate) fn all_fulfilled(count: usize) -> impl Iterator<Item = (String, String)> {
    (1..=count).map(|id| (id.to_string(), "fulfilled".to_owned()))
}
