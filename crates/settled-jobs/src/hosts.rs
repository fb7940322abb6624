//! Limits per host: how many tries run at once, and how many begin in a time. Shared by all cores, and not there at all where
//! no such limit is asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use settled::Gcra;
use tokio::time::Instant;

use crate::entry::Entry;

/// What may go to one host.
#[derive(Debug)]
pub(crate) struct Hosts<S> {
    running: Option<usize>,
    rate: Option<Turns>,
    epoch: Instant,
    /// How many jobs, and how many bytes of them, may wait for a place before no new ones are begun.
    max_parked: usize,
    max_bytes: usize,
    table: Mutex<Table<S>>,
}

#[derive(Debug)]
struct Table<S> {
    hosts: HashMap<Box<str>, Host<S>>,
    parked: usize,
    bytes: usize,
    /// Hosts that nobody asks for any more are removed when the table has grown to this.
    prune_at: usize,
}

#[derive(Debug)]
struct Host<S> {
    running: usize,
    /// They wait for a place, first come, first served.
    parked: VecDeque<Entry<S>>,
    rate: Option<Turns>,
}

/// A rate, kept twice: when whose turn is, and what really began. A turn that comes while there is no slot or no place for it is
/// taken late, and those that came up meanwhile must not all begin at once then.
#[derive(Clone, Copy, Debug)]
struct Turns {
    given: Gcra,
    begun: Gcra,
}

/// Timers are late by so much: that is no reason to be slower than the rate.
const LATE: Duration = Duration::from_millis(10);

impl Turns {
    fn new(rate: Gcra) -> Self {
        let mut one = rate.burst(1).unwrap_or(rate);
        let _ = one.take(0, 1);
        let apart = one.peek(0, 1).unwrap_or(u64::MAX).max(1);
        let late = LATE.as_nanos() as u64 / apart + 1;
        let late = u32::try_from(late).unwrap_or(u32::MAX);
        let burst = rate.max_burst().saturating_add(late);
        Self {
            given: rate,
            begun: rate.burst(burst).unwrap_or(rate),
        }
    }

    /// Takes the next turn: when it is. Whoever comes later gets a later one.
    fn next(&mut self, now: u64) -> u64 {
        let turn = self.given.peek(now, 1).unwrap_or(now);
        let _ = self.given.take(turn, 1);
        turn
    }

    /// Begins, or says when that may be.
    fn begin(&mut self, now: u64) -> Result<(), u64> {
        let begun = self.begun.take(now, 1);
        begun.map_err(|not_yet| not_yet.ready().unwrap_or(u64::MAX))
    }

    /// What would allow its whole burst at once remembers nothing.
    fn remembers(&self, now: u64) -> bool {
        [self.given, self.begun]
            .iter()
            .any(|rate| rate.peek(now, rate.max_burst()) != Some(now))
    }
}

/// What a job is told that wants to go to a host.
#[derive(Debug)]
pub(crate) enum Enter<S> {
    /// Go; [`Hosts::leave`] afterwards.
    Now(Entry<S>),
    /// Its turn comes at this time: ask again then.
    At(Instant, Entry<S>),
    /// It is kept; whoever leaves the host takes it along.
    Parked,
}

/// What a job leaves behind that leaves its host.
#[derive(Debug)]
pub(crate) struct Left<S> {
    /// It takes over the place: it is for the caller to run, or to let it wait.
    pub(crate) next: Enter<S>,
    /// Too many jobs waited for a place at some host, and now no longer: new ones may be begun.
    pub(crate) has_room_again: bool,
}

impl<S> Host<S> {
    fn begin(&mut self, now: u64) -> Result<(), u64> {
        self.rate.as_mut().map_or(Ok(()), |rate| rate.begin(now))
    }
}

impl<S> Hosts<S> {
    /// `None`: no limits.
    pub(crate) fn new(
        running: Option<usize>,
        rate: Option<Gcra>,
        max_parked: usize,
        max_bytes: usize,
    ) -> Option<Self> {
        (running.is_some() || rate.is_some()).then(|| Self {
            running,
            rate: rate.map(Turns::new),
            epoch: Instant::now(),
            max_parked,
            max_bytes,
            table: Mutex::new(Table {
                hosts: HashMap::new(),
                parked: 0,
                bytes: 0,
                prune_at: 1024,
            }),
        })
    }

    pub(crate) fn enter(&self, host: &str, mut entry: Entry<S>) -> Enter<S> {
        let now = self.now();
        let mut table = self.lock();
        table.prune(now);
        if !table.hosts.contains_key(host) {
            let new = Host {
                running: 0,
                parked: VecDeque::new(),
                rate: self.rate,
            };
            table.hosts.insert(host.into(), new);
        }
        let Some(place) = table.hosts.get_mut(host) else {
            return Enter::Now(entry);
        };
        if let (Some(rate), false) = (&mut place.rate, entry.has_turn) {
            entry.has_turn = true;
            let turn = rate.next(now);
            if turn > now {
                return Enter::At(self.at(turn), entry);
            }
        }
        if self.running.is_some_and(|limit| place.running >= limit) {
            let weight = entry.weight;
            place.parked.push_back(entry);
            table.parked += 1;
            table.bytes += weight;
            return Enter::Parked;
        }
        match place.begin(now) {
            Ok(()) => {
                place.running += 1;
                entry.has_turn = false;
                Enter::Now(entry)
            }
            Err(later) => Enter::At(self.at(later), entry),
        }
    }

    /// A try has ended. Its place goes to the job that waits longest for it.
    pub(crate) fn leave(&self, host: &str) -> Option<Left<S>> {
        let now = self.now();
        let mut table = self.lock();
        let was_full = self.too_many(&table);
        let place = table.hosts.get_mut(host)?;
        let Some(mut next) = place.parked.pop_front() else {
            place.running -= 1;
            if place.running == 0 && place.rate.is_none() {
                table.hosts.remove(host);
            }
            return None;
        };
        let weight = next.weight;
        let next = match place.begin(now) {
            Ok(()) => {
                next.has_turn = false;
                Enter::Now(next)
            }
            Err(later) => {
                place.running -= 1;
                Enter::At(self.at(later), next)
            }
        };
        table.parked -= 1;
        table.bytes -= weight;
        Some(Left {
            next,
            has_room_again: was_full && !self.too_many(&table),
        })
    }

    /// No further job is to be begun before some of those that wait for a place have got one.
    pub(crate) fn is_full(&self) -> bool {
        self.too_many(&self.lock())
    }

    fn too_many(&self, table: &Table<S>) -> bool {
        table.parked >= self.max_parked || table.bytes >= self.max_bytes
    }

    /// How many jobs wait for a place.
    pub(crate) fn parked(&self) -> usize {
        self.lock().parked
    }

    /// Everybody out: the run stops.
    pub(crate) fn clear(&self) -> Vec<Entry<S>> {
        let mut table = self.lock();
        // Asked once for each interrupted job, and there may be a million hosts.
        if table.parked == 0 {
            return Vec::new();
        }
        table.parked = 0;
        table.bytes = 0;
        table
            .hosts
            .values_mut()
            .flat_map(|host| std::mem::take(&mut host.parked))
            .collect()
    }

    fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    fn at(&self, nanos: u64) -> Instant {
        self.epoch + Duration::from_nanos(nanos)
    }

    fn lock(&self) -> MutexGuard<'_, Table<S>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Table<S> {
    fn prune(&mut self, now: u64) {
        if self.hosts.len() < self.prune_at {
            return;
        }
        self.hosts.retain(|_, host| {
            let remembers = host.rate.is_some_and(|rate| rate.remembers(now));
            host.running > 0 || !host.parked.is_empty() || remembers
        });
        self.prune_at = (self.hosts.len() * 2).max(1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Id, Input, Job, Key};

    fn entry(seq: u64) -> Entry<()> {
        Entry::new(
            Job {
                seq,
                id: Id::Line,
                key: Key::of(b""),
                input: Input::of_line(b""),
                timeout: None,
                meta: None,
                spec: (),
            },
            1,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn turns_that_came_up_while_the_only_place_was_taken_do_not_all_begin_at_once() {
        let rate = Gcra::new(10, Duration::from_secs(1)).unwrap();
        let hosts = Hosts::new(Some(1), Some(rate), usize::MAX, usize::MAX).unwrap();
        let start = Instant::now();
        let mut begun = Vec::new();
        let mut waiting = Vec::new();
        for seq in 0..40 {
            match hosts.enter("h", entry(seq)) {
                Enter::Now(_) => begun.push(start),
                Enter::At(at, entry) => waiting.push((at, entry)),
                Enter::Parked => {}
            }
        }
        // The first one takes three seconds, and all others nothing.
        let mut now = start + Duration::from_secs(3);
        tokio::time::advance(now - start).await;
        let mut running = true;
        while begun.len() < 40 {
            if std::mem::take(&mut running) {
                match hosts.leave("h").map(|left| left.next) {
                    Some(Enter::Now(_)) => {
                        running = true;
                        begun.push(now);
                    }
                    Some(Enter::At(at, entry)) => waiting.push((at, entry)),
                    _ => {}
                }
                continue;
            }
            waiting.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
            let (at, entry) = waiting.pop().expect("somebody waits");
            tokio::time::advance(at.saturating_duration_since(now)).await;
            now = now.max(at);
            match hosts.enter("h", entry) {
                Enter::Now(_) => {
                    running = true;
                    begun.push(now);
                }
                Enter::At(at, entry) => waiting.push((at, entry)),
                Enter::Parked => {}
            }
        }
        for (at, began) in begun.iter().enumerate() {
            let second = begun[at..]
                .iter()
                .take_while(|later| **later - *began < Duration::from_secs(1));
            assert!(second.count() <= 12, "{begun:?}");
        }
        let whole = begun[39] - start;
        assert!(whole < Duration::from_millis(7_000), "{whole:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn jobs_that_wait_for_a_place_are_bounded_by_their_number_and_by_their_bytes() {
        let parked = |hosts: &Hosts<()>| {
            let began = hosts.enter("h", entry(0));
            assert!(matches!(began, Enter::Now(_)));
            let waiting = (1..100).take_while(|&seq| {
                let room = !hosts.is_full();
                if room {
                    assert!(matches!(hosts.enter("h", entry(seq)), Enter::Parked));
                }
                room
            });
            waiting.count()
        };
        // Each weighs one byte.
        for (max_parked, max_bytes) in [(10, usize::MAX), (usize::MAX, 10)] {
            let hosts = Hosts::new(Some(1), None, max_parked, max_bytes).unwrap();
            assert_eq!(parked(&hosts), 10);
            let left = hosts.leave("h").unwrap();
            assert!(matches!(left.next, Enter::Now(_)) && left.has_room_again);
            assert!(!hosts.is_full() && !hosts.leave("h").unwrap().has_room_again);
            assert_eq!((hosts.clear().len(), hosts.lock().bytes), (8, 0));
        }
    }
}
