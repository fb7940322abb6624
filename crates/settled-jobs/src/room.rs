//! The waiting room of one core: jobs between two tries. They hold no slot, and there is a bound on how many may wait.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap, VecDeque};

use tokio::time::Instant;

use crate::entry::Entry;

/// How many bytes the jobs may have that wait for a retry, over all cores, and as many again those that wait for a place at their
/// host: jobs may carry bodies.
pub(crate) const WAITING_BYTES: usize = 64 << 20;

/// Jobs that wait until their time has come.
#[derive(Debug)]
pub(crate) struct Room<S> {
    /// By time, then in the order of arrival.
    waiting: BinaryHeap<Reverse<Due<S>>>,
    /// Their time has come: first tries and whoever waited for its host only, and repetitions (which the retry budget may hold
    /// back).
    ready: [VecDeque<Entry<S>>; 2],
    /// They were under way when the run stopped.
    interrupted: VecDeque<Entry<S>>,
    arrivals: u64,
    /// How many of each host wait; empty as long as nothing fails.
    hosts: HashMap<Box<str>, usize>,
    /// New jobs of hosts of which too many wait already: they are not even tried before that gets better.
    behind: HashMap<Box<str>, VecDeque<Entry<S>>>,
    size: usize,
    capacity: usize,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Due<S> {
    at: Instant,
    arrival: u64,
    host: Option<Box<str>>,
    entry: Entry<S>,
}

impl<S> PartialEq for Due<S> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<S> Eq for Due<S> {}
impl<S> PartialOrd for Due<S> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<S> Ord for Due<S> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.arrival).cmp(&(other.at, other.arrival))
    }
}

impl<S> Room<S> {
    pub(crate) fn new(capacity: usize, max_bytes: usize) -> Self {
        Self {
            waiting: BinaryHeap::new(),
            ready: [VecDeque::new(), VecDeque::new()],
            interrupted: VecDeque::new(),
            arrivals: 0,
            hosts: HashMap::new(),
            behind: HashMap::new(),
            size: 0,
            bytes: 0,
            max_bytes,
            capacity,
        }
    }

    /// No further job is to be started before some of those that wait are through.
    pub(crate) fn is_full(&self) -> bool {
        self.size >= self.capacity || self.bytes >= self.max_bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.size
    }

    /// A job waits until `at`.
    pub(crate) fn wait(&mut self, entry: Entry<S>, at: Instant, host: Option<&str>) {
        if let Some(host) = host {
            match self.hosts.get_mut(host) {
                Some(count) => *count += 1,
                None => drop(self.hosts.insert(host.into(), 1)),
            }
        }
        self.arrivals += 1;
        self.size += 1;
        self.bytes += entry.weight;
        self.waiting.push(Reverse(Due {
            at,
            arrival: self.arrivals,
            host: host.map(Into::into),
            entry,
        }));
    }

    /// Whether so many jobs of a host wait that another one of it had better wait too: a quarter of the room, so that a host
    /// that is down does not fill it.
    pub(crate) fn is_crowded(&self, host: Option<&str>) -> bool {
        !self.hosts.is_empty()
            && host
                .and_then(|host| self.hosts.get(host))
                .is_some_and(|&count| count >= (self.capacity / 4).max(1))
    }

    /// A new job waits behind those of its host.
    pub(crate) fn queue_behind(&mut self, entry: Entry<S>, host: &str) {
        self.size += 1;
        self.bytes += entry.weight;
        match self.behind.get_mut(host) {
            Some(queue) => queue.push_back(entry),
            None => drop(self.behind.insert(host.into(), VecDeque::from([entry]))),
        }
    }

    /// How many first tries and how many retries could go now.
    pub(crate) fn due(&mut self, now: Instant) -> (usize, usize) {
        while self
            .waiting
            .peek()
            .is_some_and(|Reverse(first)| first.at <= now)
        {
            let Some(Reverse(due)) = self.waiting.pop() else {
                break;
            };
            self.make_ready(due.entry);
            let Some(host) = due.host else { continue };
            self.left(&host);
        }
        (self.ready[0].len(), self.ready[1].len())
    }

    /// The next first try, or retry, whose time has come; only after `due`.
    pub(crate) fn take(&mut self, retry: bool) -> Option<Entry<S>> {
        let entry = self.ready[usize::from(retry)].pop_front()?;
        self.size -= 1;
        self.bytes -= entry.weight;
        Some(entry)
    }

    /// Who has its turn at its host was granted by the retry budget before: that is not asked twice.
    fn make_ready(&mut self, entry: Entry<S>) {
        let budgeted = entry.is_retry() && !entry.has_turn;
        self.ready[usize::from(budgeted)].push_back(entry);
    }

    /// When the next one is due that is not due yet.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse(due)| due.at)
    }

    /// The run stops: everybody out. Jobs that had a try are given out as interrupted ones; the others leave no trace, they
    /// are as new for the next run.
    pub(crate) fn interrupt(&mut self, elsewhere: Vec<Entry<S>>) {
        let ready = self.ready.iter_mut().flat_map(std::mem::take);
        let waiting = self.waiting.drain().map(|Reverse(due)| due.entry);
        self.interrupted.extend(
            ready
                .chain(waiting)
                .chain(elsewhere)
                .filter(Entry::is_retry),
        );
        self.behind.clear();
        self.hosts.clear();
        self.size = 0;
        self.bytes = 0;
    }

    pub(crate) fn next_interrupted(&mut self) -> Option<Entry<S>> {
        self.interrupted.pop_front()
    }

    /// A job of this host waits no longer: the first of those behind it may go, or all, once the host is not crowded any more.
    fn left(&mut self, host: &str) {
        if let Some(count) = self.hosts.get_mut(host) {
            *count -= 1;
            if *count == 0 {
                self.hosts.remove(host);
            }
        }
        let some = if self.is_crowded(Some(host)) {
            1
        } else {
            usize::MAX
        };
        let Some(queue) = self.behind.get_mut(host) else {
            return;
        };
        let going = queue
            .drain(..some.min(queue.len()))
            .collect::<Vec<Entry<S>>>();
        if queue.is_empty() {
            self.behind.remove(host);
        }
        going.into_iter().for_each(|entry| self.make_ready(entry));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
            1_000,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_behind_a_crowd_goes_when_the_crowd_has_gone() {
        let (mut room, now) = (Room::new(40, usize::MAX), Instant::now());
        for seq in 1..=10 {
            room.wait(entry(seq), now + Duration::from_secs(seq), Some("h"));
        }
        assert!(room.is_crowded(Some("h")) && !room.is_crowded(Some("other")));
        (11..=40).for_each(|seq| room.queue_behind(entry(seq), "h"));
        assert!(room.is_full());
        room.due(now + Duration::from_secs(10));
        let gone = std::iter::from_fn(|| room.take(false)).count();
        assert_eq!((gone, room.len()), (40, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn few_large_jobs_fill_the_room_as_well() {
        let (mut room, now) = (Room::new(40, 2_500), Instant::now());
        for seq in 1..=3 {
            assert!(!room.is_full());
            room.wait(entry(seq), now, None);
        }
        assert!(room.is_full());
        room.due(now);
        assert!(room.take(false).is_some() && !room.is_full());
        room.interrupt(Vec::new());
        assert_eq!((room.len(), room.bytes), (0, 0));
    }
}
