//! The reader: one thread that turns the list into jobs, in order: lines, decode, replay, feed.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::feed::{Bad, Item};
use crate::job::{Id, Input as Shown, Key, Line};
use crate::lines::{Lines, Record};
use crate::record::{ErrorKind, Failure};
use crate::replay::{Replay, Skipped, Verdict};
use crate::shared::Shared;
use crate::source::{Format, Input};
use crate::work::Work;

/// How far the reader is; written by it, read by whoever shows progress.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Bytes of the list that were read as lines.
    pub(crate) position: AtomicU64,
    pub(crate) lines: AtomicU64,
    pub(crate) blank: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) ended: AtomicBool,
}

/// How a list is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) format: Format,
    pub(crate) nul: bool,
    pub(crate) max_line: usize,
}

pub(crate) struct Reader<W: Work> {
    pub(crate) shared: Arc<Shared<W>>,
    pub(crate) reading: Arc<Reading>,
    pub(crate) replay: Replay<Item<W::Spec>>,
    pub(crate) form: Form,
}

/// Jobs go to the feed in batches of this many, or as many as there are before the next read.
const BATCH: usize = 128;

/// How often a reader that only skips lines looks whether the run has stopped.
const STOP_EVERY: u64 = 4096;

impl<W: Work> Reader<W> {
    /// Reads to the end of the list, or until nobody takes jobs any more.
    pub(crate) fn read(mut self, input: Input) -> io::Result<Skipped> {
        let separator = if self.form.nul { 0 } else { b'\n' };
        let mut lines = Lines::new(input, separator, self.form.max_line);
        let mut json = match self.form.format {
            Format::Auto => None,
            Format::Lines => Some(false),
            Format::Jsonl => Some(true),
        };
        let mut decided = Vec::new();
        let mut batch = Vec::new();
        let mut taken = true;
        loop {
            // Before the next read, which may have to wait: what is there starts at once, whatever came after it.
            if batch.len() >= BATCH || (!batch.is_empty() && !lines.has_buffered()) {
                taken = self.shared.feed.push(&mut batch);
                if !taken {
                    break;
                }
            }
            let Some(record) = lines.next()? else { break };
            if record.seq % STOP_EVERY == 0 && self.shared.stopped.is_aborted() {
                taken = false;
                break;
            }
            if let Some(weight) = self.line(record, &mut json, &mut decided)? {
                let items = decided.drain(..).map(decided_item);
                batch.extend(items.map(|item| (weight, item)));
            }
        }
        if taken {
            self.replay.end(&mut decided)?;
            let items = decided.drain(..).map(decided_item);
            batch.extend(items.map(|item| (size_of::<Item<W::Spec>>(), item)));
            self.shared.feed.push(&mut batch);
        }
        self.reading
            .skipped
            .store(self.replay.skipped().total(), Ordering::Relaxed);
        Ok(self.replay.skipped())
    }

    /// One line of the list: what is to be done because of it is put into `decided`. Gives what each of that weighs; `None`:
    /// the line is blank or has settled.
    fn line(
        &mut self,
        record: Record<'_>,
        json: &mut Option<bool>,
        decided: &mut Vec<Verdict<Item<W::Spec>>>,
    ) -> io::Result<Option<usize>> {
        let end = record.offset + record.length + 1;
        self.reading.position.store(end, Ordering::Relaxed);
        let too_long = record.too_long().then_some(record.length);
        let bytes = if self.form.nul {
            record.bytes
        } else {
            trim(record.bytes, record.seq)
        };
        if bytes.iter().all(u8::is_ascii_whitespace) && too_long.is_none() {
            self.reading.blank.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        }
        let json = *json.get_or_insert_with(|| bytes.trim_ascii_start().starts_with(b"{"));
        let line = Line {
            seq: record.seq,
            bytes,
            json,
        };
        self.reading.lines.fetch_add(1, Ordering::Relaxed);
        if json {
            self.replay.expect_own_ids();
        } else if too_long.is_none() && self.replay.skips(line.seq, Key::of(bytes))? {
            self.reading.skipped.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        }
        let (id, key, item) = self.item(line, too_long);
        self.replay.offer(line.seq, &id, key, item, decided)?;
        let skipped = self.replay.skipped().total();
        self.reading.skipped.store(skipped, Ordering::Relaxed);
        Ok(Some(size_of::<Item<W::Spec>>() + bytes.len()))
    }

    fn item(&self, line: Line<'_>, too_long: Option<u64>) -> (Id, Key, Item<W::Spec>) {
        let decoded = match too_long {
            None => self.shared.work.decode(line),
            Some(length) => Err(Failure::permanent(
                ErrorKind::Input,
                format!(
                    "line {} has {length} bytes, --max-line allows {}",
                    line.seq, self.form.max_line
                ),
            )),
        };
        match decoded {
            Ok(job) => (job.id.clone(), job.key, Item::Job(job)),
            Err(mut failure) => {
                // A person looks the line up in the list; its id may be another.
                if failure.kind == ErrorKind::Input && too_long.is_none() {
                    failure.message = format!("line {}: {}", line.seq, failure.message).into();
                }
                let id = if line.json {
                    own_id(line.bytes)
                } else {
                    Id::Line
                };
                let key = Key::of(line.bytes);
                let input = shown(line);
                let bad = Bad {
                    seq: line.seq,
                    id: id.clone(),
                    key,
                    input,
                    failure,
                };
                (id, key, Item::Bad(Box::new(bad)))
            }
        }
    }
}

/// How much of a line that is no job is shown.
const EXCERPT: usize = 1024;

fn excerpt(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let end = (0..=EXCERPT.min(text.len()))
                .rev()
                .find(|&at| text.is_char_boundary(at));
            &bytes[..end.unwrap_or(0)]
        }
        Err(_) => &bytes[..bytes.len().min(EXCERPT)],
    }
}

/// A line that is no job, as it may be shown: user names and passwords of URLs are starred out, and of a JSON line there is only
/// what tells which job it was to be, since other members (`headers`, `env`) may hold secrets.
fn shown(line: Line<'_>) -> Shown {
    let told = if line.json { told(line.bytes) } else { None };
    let text = match &told {
        Some(told) => told.as_bytes(),
        None if line.json => &line.bytes[..line.bytes.len().min(UNREADABLE)],
        None => line.bytes,
    };
    match Shown::of_line(excerpt(text)) {
        Shown::Text(text) => Shown::Text(without_userinfo(&text).into()),
        bytes => bytes,
    }
}

/// How much is shown of a JSON line that can't be read.
const UNREADABLE: usize = 64;

/// The members of a JSON line that tell which job it was to be.
fn told(line: &[u8]) -> Option<String> {
    const TELLING: [&str; 8] = [
        "id",
        "custom_id",
        "url",
        "method",
        "args",
        "input",
        "cwd",
        "timeout",
    ];
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_slice(line).ok()?;
    members.retain(|name, _| TELLING.contains(&name.as_str()));
    serde_json::to_string(&members).ok()
}

fn without_userinfo(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end =
            after.find(|c: char| matches!(c, '/' | '?' | '#' | '\\' | '"') || c.is_whitespace());
        let authority = &after[..end.unwrap_or(after.len())];
        match authority.rfind('@') {
            Some(host) => {
                shown.push_str("***");
                rest = &after[host..];
            }
            None => rest = after,
        }
    }
    shown + rest
}

/// A line without its CR, and without the mark that some editors put at the start of a file.
fn trim(bytes: &[u8], seq: u64) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if seq == 1 {
        bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
    } else {
        bytes
    }
}

/// The id of a line that is no job for another reason.
fn own_id(line: &[u8]) -> Id {
    #[derive(Deserialize)]
    struct Ids {
        #[serde(alias = "custom_id")]
        id: Option<String>,
    }
    match serde_json::from_slice::<Ids>(line) {
        Ok(Ids { id: Some(id) }) => Id::Own(id.into()),
        _ => Id::Line,
    }
}

/// What is to be done with a line; one whose id is taken is rejected.
fn decided_item<S>(verdict: Verdict<Item<S>>) -> Item<S> {
    let (item, own_id) = match verdict {
        Verdict::Run(item) => return item,
        Verdict::RunAs(mut item, id) => {
            match &mut item {
                Item::Job(job) => job.id = Id::Own(id.into()),
                Item::Bad(bad) => bad.id = Id::Own(id.into()),
            }
            return item;
        }
        Verdict::Repeated(item, own_id) => (item, own_id),
    };
    let (seq, id, key, input) = match item {
        Item::Job(job) => (job.seq, job.id, job.key, job.input),
        Item::Bad(bad) => (bad.seq, bad.id, bad.key, bad.input),
    };
    let id = match id {
        Id::Own(id) => id.into_string(),
        Id::Line => seq.to_string(),
    };
    let message = format!("line {seq}: the id {id:?} is taken by an earlier line");
    let failure = Failure::permanent(ErrorKind::DuplicateId, message);
    Item::Bad(Box::new(Bad {
        seq,
        id: Id::Own(own_id.into()),
        key,
        input,
        failure,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_and_passwords_of_urls_are_starred_out() {
        for (line, shown) in [
            ("http://u:p@h:99999/x@y", "http://***@h:99999/x@y"),
            (
                r#"{"url":"http://u:p@q@h","x":"ftp://u@h"}"#,
                r#"{"url":"http://***@h","x":"ftp://***@h"}"#,
            ),
            (
                "http://h/?to=http://u@h and me@home",
                "http://h/?to=http://***@h and me@home",
            ),
            ("no://", "no://"),
            ("", ""),
        ] {
            assert_eq!(without_userinfo(line), shown);
        }
    }
}
