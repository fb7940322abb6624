//! The log of the misbehaving API: compact enough for a million items.

use std::time::{Duration, Instant};

use super::fates::Fate;
use crate::log::{Answered, Connections};

/// What the API saw and did: 32 bytes an item, whatever happens to it.
#[derive(Clone, Debug)]
pub struct Tally {
    start: Instant,
    items: Vec<Record>,
    pages: Vec<Record>,
    totals: Totals,
}

/// Sums over everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests that arrived.
    pub requests: u64,
    /// Answers with 200 that were sent to their last byte.
    pub good: u64,
    /// Answers with 404, for a thing that is gone, that were sent to their last byte.
    pub gone: u64,
    /// Requests that the rate limit turned away.
    pub limited: u64,
    /// Requests for things that there never were.
    pub unknown: u64,
    /// What came on connections and was no whole request.
    pub broken: u64,
    /// Requests that are being answered.
    pub now: u64,
    /// The most that were being answered at once.
    pub most_at_once: u64,
    /// How many connections there have been, and are.
    pub connections: Connections,
    dealt: [u64; Fate::NAMES.len()],
}

impl Totals {
    /// How many requests met each fate, by its name.
    pub fn fates(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Fate::NAMES.into_iter().zip(self.dealt)
    }
}

/// What happened to one item, or page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Requests that arrived for it.
    pub requests: u32,
    /// Those among them that the rate limit turned away.
    pub limited: u32,
    /// How many settled it: a 200, or a 404 for good, sent to the last byte. More than one: a client that asked again for what
    /// it had been given.
    pub settled: u32,
    /// The status of the last answer that settled it.
    pub status: Option<u16>,
    /// When the last request for it arrived.
    pub last: Instant,
    /// The most requests for it that were being answered at once. On a runtime of several threads a client that asks again at
    /// once can be there a moment before the end of its last answer is counted; on one thread, or with
    /// [`start_blocking`](super::Builder::start_blocking), it can't.
    pub most_at_once: u16,
}

/// [`Asked`], packed.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    last: u64,
    requests: u32,
    limited: u32,
    settled: u32,
    status: u16,
    now: u16,
    most: u16,
}

/// A thing that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    Item(u64),
    Page(u64),
}

impl Tally {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            start,
            items: Vec::new(),
            pages: Vec::new(),
            totals: Totals::default(),
        }
    }

    /// Sums over everything.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// What happened to item `n`; `None`: nobody asked for it.
    #[must_use]
    pub fn item(&self, n: u64) -> Option<Asked> {
        self.asked(self.items.get(usize::try_from(n).ok()?)?)
    }

    /// What happened to page `n`, from 1; `None`: nobody asked for it.
    #[must_use]
    pub fn page(&self, n: u64) -> Option<Asked> {
        self.asked(self.pages.get(usize::try_from(n).ok()?)?)
    }

    /// All items that were asked for, with their numbers, in order.
    pub fn items(&self) -> impl Iterator<Item = (u64, Asked)> + '_ {
        (0..)
            .zip(&self.items)
            .filter_map(|(n, record)| Some((n, self.asked(record)?)))
    }

    /// All pages that were asked for, with their numbers, in order.
    pub fn pages(&self) -> impl Iterator<Item = (u64, Asked)> + '_ {
        (0..)
            .zip(&self.pages)
            .filter_map(|(n, record)| Some((n, self.asked(record)?)))
    }

    fn asked(&self, record: &Record) -> Option<Asked> {
        let Record {
            last,
            requests,
            limited,
            settled,
            status,
            most,
            ..
        } = *record;
        (requests > 0).then(|| Asked {
            requests,
            limited,
            settled,
            status: (settled > 0).then_some(status),
            last: self.start + Duration::from_nanos(last),
            most_at_once: most,
        })
    }

    pub(crate) fn connections(&mut self) -> &mut Connections {
        &mut self.totals.connections
    }

    pub(crate) fn broken(&mut self) {
        self.totals.broken += 1;
    }

    /// A request has arrived. `thing` is none that there never was. Gives the attempt that it is, from 1, if it is `admitted`.
    pub(crate) fn arrive(&mut self, thing: Option<Thing>, at: Instant, admitted: bool) -> u32 {
        let last =
            u64::try_from(at.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        let totals = &mut self.totals;
        totals.requests += 1;
        totals.now += 1;
        totals.most_at_once = totals.most_at_once.max(totals.now);
        totals.limited += u64::from(!admitted);
        let Some(thing) = thing else {
            totals.unknown += 1;
            return 0;
        };
        let record = self.record(thing);
        record.last = last;
        record.requests += 1;
        record.limited += u32::from(!admitted);
        record.now += 1;
        record.most = record.most.max(record.now);
        record.requests - record.limited
    }

    pub(crate) fn deal(&mut self, fate: Fate) {
        self.totals.dealt[fate.number()] += 1;
    }

    /// A request was answered, as far as it will be.
    pub(crate) fn leave(&mut self, thing: Option<Thing>, answered: Answered) {
        self.totals.now -= 1;
        let Some(thing) = thing else { return };
        let record = self.record(thing);
        record.now -= 1;
        let Answered {
            status: Some(status @ (200 | 404)),
            complete: true,
            ..
        } = answered
        else {
            return;
        };
        record.settled += 1;
        record.status = status;
        match status {
            200 => self.totals.good += 1,
            _ => self.totals.gone += 1,
        }
    }

    /// The thing's record; the caller has made sure that there is such a thing, which bounds the memory.
    fn record(&mut self, thing: Thing) -> &mut Record {
        let (records, n) = match thing {
            Thing::Item(n) => (&mut self.items, n),
            Thing::Page(n) => (&mut self.pages, n),
        };
        let index = usize::try_from(n).unwrap_or(usize::MAX - 1);
        if records.len() <= index {
            records.resize(index + 1, Record::default());
        }
        &mut records[index]
    }
}
