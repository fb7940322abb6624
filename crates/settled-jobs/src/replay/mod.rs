//! Replay: what the ledger already holds is not done again.
//!
//! A job with an id of its own is settled if the ledger's newest line of that id says so. A plain line is settled if the
//! ledger's newest line of its number has its key. Where they differ, the list was edited: from there on plain lines are matched
//! by key and count.
//!
//! A plain line without an entry is one that never settled, unless lines were taken out of the list before it. So it is held
//! back until the next line that has an entry tells which (its key fits: nothing moved), or nothing of the ledger is left.

mod id_table;
pub(crate) mod line_index;
mod skipped;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use settled::OutcomeKind;

use crate::job::{Id, Key};
use crate::readback::Settled;
use id_table::{Claim, IdTable};
use line_index::{Entry, LineIndex};
use skipped::position;
pub use skipped::{Redo, Skipped};

/// What a line of the list is, seen against the ledger.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<T> {
    /// To be done.
    Run(T),
    /// To be done under another id: its number is that of a settled line with the same content, which stood in for an earlier line of
    /// an edited list.
    RunAs(T, String),
    /// Its id is taken by an earlier line of this list: it settles under this one.
    Repeated(T, String),
}

/// The ledger's state, and the matching of a list against it. `T` is whatever travels with a line.
#[derive(Debug)]
pub(crate) struct Replay<T> {
    lines: Option<LineIndex>,
    ids: IdTable,
    /// Line numbers of this list that serve as ids, where a list may have ids of both sorts.
    own_lines: Option<Bits>,
    /// Settled content without a line number of its own any more: only in edited lists.
    moved: HashMap<Key, [u32; OutcomeKind::ALL.len()]>,
    /// What settled under such ids as `RunAs` gives.
    extra: HashMap<Box<str>, Entry>,
    /// The list has begun: nothing more is recorded.
    begun: bool,
    positional: bool,
    held: Vec<(u64, Key, T)>,
    redo: Redo,
    skipped: Skipped,
}

impl<T> Replay<T> {
    pub(crate) fn new(redo: Redo) -> Self {
        Self {
            lines: None,
            ids: IdTable::new(),
            own_lines: None,
            moved: HashMap::new(),
            extra: HashMap::new(),
            begun: false,
            positional: true,
            held: Vec::new(),
            redo,
            skipped: Skipped::default(),
        }
    }

    /// Takes in one line of the ledger; the newest one of an id counts. `dir` is where the index may have its file.
    pub(crate) fn record(&mut self, line: &Settled<'_>, dir: &Path) -> io::Result<()> {
        let outcome = line.is_final.then_some(line.outcome);
        if !is_number(&line.id, line.seq) {
            if is_extra(&line.id, line.seq) {
                let key = line.key;
                match outcome {
                    Some(outcome) => self
                        .extra
                        .insert(line.id.as_ref().into(), Entry { key, outcome }),
                    None => self.extra.remove(line.id.as_ref()),
                };
            }
            self.ids.record(&line.id, line.key, outcome);
            // A list whose order changed: the older line of this id stood where its number says.
            if let (Some(number), Some(lines)) = (number(&line.id), &mut self.lines)
                && number <= lines.last()
            {
                lines.set(number, None)?;
            }
            return Ok(());
        }
        self.ids.forget(&line.id);
        let lines = match &mut self.lines {
            Some(lines) => lines,
            None => self.lines.insert(LineIndex::new_in(dir)?),
        };
        let entry = outcome.map(|outcome| Entry {
            key: line.key,
            outcome,
        });
        if let Some(before) = lines
            .set(line.seq, entry)?
            .filter(|before| before.key != line.key)
        {
            remember(&mut self.moved, before);
        }
        Ok(())
    }

    pub(crate) fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// Lines of the list may have ids of their own: from now on it is noted which ones do not.
    pub(crate) fn expect_own_ids(&mut self) {
        self.own_lines.get_or_insert_default();
    }

    /// The quick way past a line without an id that has settled and that nothing is held back for. `true`: it is counted, and
    /// that was all there is to do about it.
    pub(crate) fn skips(&mut self, seq: u64, key: Key) -> io::Result<bool> {
        if !self.positional || !self.held.is_empty() || self.own_lines.is_some() {
            return Ok(false);
        }
        let Some(lines) = &mut self.lines else {
            return Ok(false);
        };
        match lines.get(seq)? {
            Some(entry) if entry.key == key && !self.redo.has(entry.outcome) => {
                self.skipped.outcomes[position(entry.outcome)] += 1;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The next line of the list, in order. What is to be done because of it is put into `out`, in order.
    pub(crate) fn offer(
        &mut self,
        seq: u64,
        id: &Id,
        key: Key,
        item: T,
        out: &mut Vec<Verdict<T>>,
    ) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            for entry in self.extra.values() {
                remember(&mut self.moved, *entry);
            }
        }
        match id {
            Id::Own(id) => self.offer_id(seq, id, key, item, out),
            Id::Line => self.offer_line(seq, key, item, out),
        }
    }

    /// The list has ended: what was held back is decided.
    pub(crate) fn end(&mut self, out: &mut Vec<Verdict<T>>) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.list_was_edited()?;
        self.decide_held(out)
    }

    fn offer_id(
        &mut self,
        seq: u64,
        id: &str,
        key: Key,
        item: T,
        out: &mut Vec<Verdict<T>>,
    ) -> io::Result<()> {
        let number = number(id);
        let mut claim = self.ids.claim(id, key);
        if let Some(number) = number {
            if number != seq
                && self
                    .own_lines
                    .as_ref()
                    .is_some_and(|lines| lines.has(number))
            {
                claim = Claim::Repeated;
            }
            let entry = self
                .lines
                .as_mut()
                .map_or(Ok(None), |lines| lines.get(number))?;
            if let (Claim::New, Some(entry)) = (&claim, entry) {
                claim = Claim::Settled {
                    outcome: entry.outcome,
                    changed: entry.key != key,
                };
            }
        }
        match claim {
            Claim::New => out.push(Verdict::Run(item)),
            Claim::Repeated => self.offer_repeated(seq, id, key, item, out),
            Claim::Settled { outcome, changed } => {
                self.skipped.changed += u64::from(changed);
                let again = self.redo.has(outcome) || (changed && self.redo.changed);
                self.skip_or_run(again, outcome, item, out);
            }
        }
        Ok(())
    }

    /// The id is taken. The line settles as rejected under an id of its own, once: on a resume that is in the ledger too.
    /// That id may be taken as well, by a job that really has it.
    fn offer_repeated(&mut self, seq: u64, id: &str, key: Key, item: T, out: &mut Vec<Verdict<T>>) {
        let mut own = repeated_id(id, seq);
        loop {
            match self.ids.claim(&own, key) {
                Claim::Repeated => own = repeated_id(&own, seq),
                Claim::Settled { outcome, .. } if !self.redo.has(outcome) => {
                    self.skipped.outcomes[position(outcome)] += 1;
                    return;
                }
                _ => return out.push(Verdict::Repeated(item, own)),
            }
        }
    }

    fn offer_line(
        &mut self,
        seq: u64,
        key: Key,
        item: T,
        out: &mut Vec<Verdict<T>>,
    ) -> io::Result<()> {
        if let Some(own_lines) = &mut self.own_lines {
            own_lines.set(seq);
            if self.ids.seen(&seq.to_string()) {
                self.offer_repeated(seq, &seq.to_string(), key, item, out);
                return Ok(());
            }
        }
        let Some(lines) = self.lines.as_mut().filter(|_| self.positional) else {
            return self.by_content(seq, key, item, out);
        };
        let nothing_left = seq >= lines.last();
        match lines.get(seq)? {
            // After an edit, what is held back may have settled further down: then the position proves nothing.
            Some(entry) if entry.key == key && (self.held.is_empty() || self.moved.is_empty()) => {
                self.decide_held(out)?;
                self.skip_or_run(self.redo.has(entry.outcome), entry.outcome, item, out);
            }
            Some(_) => {
                self.held.push((seq, key, item));
                self.list_was_edited()?;
                self.decide_held(out)?;
            }
            None => {
                self.held.push((seq, key, item));
                if nothing_left {
                    self.decide_held(out)?;
                }
            }
        }
        Ok(())
    }

    /// From the first undecided line on, content decides and no longer the position.
    fn list_was_edited(&mut self) -> io::Result<()> {
        self.positional = false;
        self.skipped.edited = true;
        let (Some(lines), Some(&(from, ..))) = (&mut self.lines, self.held.first()) else {
            return Ok(());
        };
        for seq in from..=lines.last() {
            if let Some(entry) = lines.get(seq)? {
                remember(&mut self.moved, entry);
            }
        }
        Ok(())
    }

    fn decide_held(&mut self, out: &mut Vec<Verdict<T>>) -> io::Result<()> {
        for (seq, key, item) in std::mem::take(&mut self.held) {
            self.by_content(seq, key, item, out)?;
        }
        Ok(())
    }

    fn by_content(
        &mut self,
        seq: u64,
        key: Key,
        item: T,
        out: &mut Vec<Verdict<T>>,
    ) -> io::Result<()> {
        let outcome = self.moved.get_mut(&key).and_then(|counts| {
            let at = counts.iter().position(|&count| count > 0)?;
            counts[at] -= 1;
            Some(OutcomeKind::ALL[at])
        });
        if let Some(outcome) = outcome {
            self.skip_or_run(self.redo.has(outcome), outcome, item, out);
            return Ok(());
        }
        let here = match &mut self.lines {
            Some(lines) => lines.get(seq)?,
            None => None,
        };
        out.push(match here.is_some_and(|entry| entry.key == key) {
            // Under its number it would be taken for that one again, and run on every resume.
            true => Verdict::RunAs(item, self.extra_id(seq)),
            false => Verdict::Run(item),
        });
        Ok(())
    }

    fn extra_id(&self, seq: u64) -> String {
        let mut ids = (2..).map(|nth: u64| format!("{seq}#{nth}"));
        ids.find(|id| !self.extra.contains_key(id.as_str()))
            .unwrap_or_default()
    }

    fn skip_or_run(
        &mut self,
        again: bool,
        outcome: OutcomeKind,
        item: T,
        out: &mut Vec<Verdict<T>>,
    ) {
        if again {
            out.push(Verdict::Run(item));
        } else {
            self.skipped.outcomes[position(outcome)] += 1;
        }
    }
}

/// The id under which a line settles whose own id is taken.
fn repeated_id(id: &str, seq: u64) -> String {
    format!("{id}@{seq}")
}

fn remember(moved: &mut HashMap<Key, [u32; OutcomeKind::ALL.len()]>, entry: Entry) {
    moved.entry(entry.key).or_default()[position(entry.outcome)] += 1;
}

/// The line number that an id looks like.
pub(crate) fn number(id: &str) -> Option<u64> {
    id.parse().ok().filter(|&number| is_number(id, number))
}

/// Whether `id` is the plain decimal form of `number`.
pub(crate) fn is_number(id: &str, number: u64) -> bool {
    let mut text = [0; 20];
    let mut at = text.len();
    let mut rest = number;
    loop {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return id.as_bytes() == &text[at..];
        }
    }
}

/// Whether `id` is one that [`Verdict::RunAs`] gives to line `seq`.
fn is_extra(id: &str, seq: u64) -> bool {
    id.split_once('#')
        .is_some_and(|(line, nth)| is_number(line, seq) && number(nth).is_some())
}

/// A growing set of numbers, a bit each.
#[derive(Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn set(&mut self, at: u64) {
        let word = (at / 64) as usize;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (at % 64);
    }

    pub(crate) fn has(&self, at: u64) -> bool {
        self.0
            .get((at / 64) as usize)
            .is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests;
