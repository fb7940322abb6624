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
    rate: Option<Gcra>,
    epoch: Instant,
    table: Mutex<Table<S>>,
}

#[derive(Debug)]
struct Table<S> {
    hosts: HashMap<Box<str>, Host<S>>,
    parked: usize,
    /// Hosts that nobody asks for any more are removed when the table has grown to this.
    prune_at: usize,
}

#[derive(Debug)]
struct Host<S> {
    running: usize,
    /// They wait for a place, first come, first served.
    parked: VecDeque<Entry<S>>,
    rate: Option<Gcra>,
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

impl<S> Hosts<S> {
    /// `None`: no limits.
    pub(crate) fn new(running: Option<usize>, rate: Option<Gcra>) -> Option<Self> {
        (running.is_some() || rate.is_some()).then(|| Self {
            running,
            rate,
            epoch: Instant::now(),
            table: Mutex::new(Table {
                hosts: HashMap::new(),
                parked: 0,
                prune_at: 1024,
            }),
        })
    }

    pub(crate) fn enter(&self, host: &str, mut entry: Entry<S>) -> Enter<S> {
        let now = self.epoch.elapsed().as_nanos() as u64;
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
            // Taken ahead of its time: whoever comes later gets a later turn.
            let turn = rate.peek(now, 1).unwrap_or(now);
            let _ = rate.take(turn, 1);
            if turn > now {
                return Enter::At(self.epoch + Duration::from_nanos(turn), entry);
            }
        }
        if self.running.is_some_and(|limit| place.running >= limit) {
            place.parked.push_back(entry);
            table.parked += 1;
            return Enter::Parked;
        }
        place.running += 1;
        entry.has_turn = false;
        Enter::Now(entry)
    }

    /// A try has ended. Its place goes to the job that waits longest for it: that one is for the caller to run.
    pub(crate) fn leave(&self, host: &str) -> Option<Entry<S>> {
        let mut table = self.lock();
        let place = table.hosts.get_mut(host)?;
        match place.parked.pop_front() {
            Some(mut next) => {
                table.parked -= 1;
                next.has_turn = false;
                Some(next)
            }
            None => {
                place.running -= 1;
                if place.running == 0 && place.rate.is_none() {
                    table.hosts.remove(host);
                }
                None
            }
        }
    }

    /// How many jobs wait for a place.
    pub(crate) fn parked(&self) -> usize {
        self.lock().parked
    }

    /// Everybody out: the run stops.
    pub(crate) fn clear(&self) -> Vec<Entry<S>> {
        let mut table = self.lock();
        table.parked = 0;
        table
            .hosts
            .values_mut()
            .flat_map(|host| std::mem::take(&mut host.parked))
            .collect()
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
            // A rate that would allow its whole burst at once remembers nothing.
            let remembers = host
                .rate
                .is_some_and(|rate| rate.peek(now, rate.max_burst()) != Some(now));
            host.running > 0 || !host.parked.is_empty() || remembers
        });
        self.prune_at = (self.hosts.len() * 2).max(1024);
    }
}
