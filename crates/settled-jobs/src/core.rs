//! One core: a thread with its own runtime, its share of the slots, its waiting room and its buffer of lines.
//!
//! A slot is a task that lives as long as the run. It looks for the next job in this order: a retry whose time has come, then
//! the feed. If there is nothing it parks; the core's pump wakes parked slots when something has come up.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::commit::Commit;
use crate::counters::Counters;
use crate::entry::Entry;
use crate::feed::{Bad, Item, Pulled};
use crate::hosts::{Enter, Hosts};
use crate::room::{Room, WAITING_BYTES};
use crate::shared::Shared;
use crate::tally::Tally;
use crate::work::Work;

/// What all slots of a core share. Not `Send`: it never leaves its thread.
#[derive(Debug)]
pub(crate) struct Core<W: Work> {
    pub(crate) shared: Arc<Shared<W>>,
    pub(crate) worker: W::Core,
    pub(crate) room: RefCell<Room<W::Spec>>,
    pub(crate) commit: Rc<Commit>,
    pub(crate) tally: RefCell<Tally>,
    pub(crate) rng: RefCell<fastrand::Rng>,
    /// The wakers of idle slots, by slot.
    parked: RefCell<Vec<Option<Waker>>>,
    /// Something happened that the pump has to look at.
    kick: Notify,
    /// When the retry budget will have a token again, if it had none.
    budget_at: Cell<Option<Instant>>,
    done: Cell<bool>,
    number: usize,
}

/// What a slot does next.
#[derive(Debug)]
pub(crate) enum Next<S> {
    Try(Entry<S>),
    Bad(Box<Bad>),
    /// The run has stopped: this job was under way and is not started again.
    Interrupted(Entry<S>),
    /// Nothing more to do.
    Done,
}

impl<W: Work> Core<W> {
    pub(crate) fn new(
        shared: Arc<Shared<W>>,
        worker: W::Core,
        number: usize,
        slots: usize,
    ) -> Rc<Self> {
        let commit = Commit::new(
            Arc::clone(&shared.sink),
            shared.writer.clone(),
            Arc::clone(&shared.control),
        );
        let seed = shared.options.seed.wrapping_add(number as u64);
        Rc::new(Self {
            worker,
            room: RefCell::new(Room::new(
                shared.options.waiting_room(shared.cores),
                WAITING_BYTES / shared.cores,
            )),
            commit,
            tally: RefCell::new(Tally::new()),
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            parked: RefCell::new(vec![None; slots]),
            kick: Notify::new(),
            budget_at: Cell::new(None),
            done: Cell::new(false),
            shared,
            number,
        })
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters[self.number]
    }

    pub(crate) fn host<'a>(&'a self, entry: &'a Entry<W::Spec>) -> Option<&'a str> {
        self.shared.work.host(&entry.job.spec)
    }

    /// The next thing for a slot to do.
    pub(crate) async fn next(&self, slot: usize) -> Next<W::Spec> {
        poll_fn(|cx| {
            if let Some(next) = self.look() {
                return Poll::Ready(next);
            }
            self.park(slot, cx.waker());
            // What came between the look and the parking would wake nobody.
            match self.look() {
                Some(next) => {
                    self.unpark(slot);
                    Poll::Ready(next)
                }
                None => Poll::Pending,
            }
        })
        .await
    }

    fn look(&self) -> Option<Next<W::Spec>> {
        loop {
            if self.shared.stopped.is_aborted() {
                return Some(self.interrupted());
            }
            if let Some(entry) = self.due_entry() {
                match self.enter_host(entry) {
                    Some(entry) => return Some(Next::Try(entry)),
                    None => continue,
                }
            }
            if self.is_full() {
                // Even then the list may be over, and nothing left for this core.
                let over = self.shared.feed.level() == (0, true) && self.room.borrow().len() == 0;
                return over.then_some(Next::Done);
            }
            match self.shared.feed.pull() {
                Pulled::Item(Item::Job(job), weight) => {
                    let Some(entry) = self.not_crowded(Entry::new(job, weight)) else {
                        continue;
                    };
                    if let Some(entry) = self.enter_host(entry) {
                        return Some(Next::Try(entry));
                    }
                }
                Pulled::Item(Item::Bad(bad), _) => return Some(Next::Bad(bad)),
                Pulled::Empty => return None,
                Pulled::Ended => return (self.room.borrow().len() == 0).then_some(Next::Done),
            }
        }
    }

    /// The run has stopped: one job after the other that was under way is given out to be written as interrupted.
    fn interrupted(&self) -> Next<W::Spec> {
        let mut room = self.room.borrow_mut();
        let parked = self
            .shared
            .hosts
            .as_ref()
            .map(Hosts::clear)
            .unwrap_or_default();
        room.interrupt(parked);
        self.counters().set_waiting(0);
        room.next_interrupted()
            .map_or(Next::Done, Next::Interrupted)
    }

    fn due_entry(&self) -> Option<Entry<W::Spec>> {
        let mut room = self.room.borrow_mut();
        if room.len() == 0 {
            return None;
        }
        let was_full = room.is_full();
        let entry = match room.due(Instant::now()) {
            (0, 0) => return None,
            (0, _) => {
                if let Some(budget) = &self.shared.options.retry_budget {
                    let exhausted = budget.try_withdraw(Instant::now()).err();
                    let until = exhausted.map(|exhausted| {
                        exhausted
                            .until()
                            .unwrap_or_else(|| Instant::now() + NO_TOKENS_LOOK)
                    });
                    self.budget_at.set(until);
                    if exhausted.is_some() {
                        // The pump has a new time to look again.
                        self.kick.notify_one();
                        return None;
                    }
                }
                room.take(true)?
            }
            _ => room.take(false)?,
        };
        self.counters().set_waiting(room.len());
        if was_full || room.len() == 0 {
            self.kick.notify_one();
        }
        Some(entry)
    }

    /// No more new jobs: too many wait already.
    fn is_full(&self) -> bool {
        self.room.borrow().is_full() || self.shared.too_many_parked()
    }

    /// A new job whose host has too many waiting jobs waits behind them.
    fn not_crowded(&self, entry: Entry<W::Spec>) -> Option<Entry<W::Spec>> {
        let host = self.shared.work.host(&entry.job.spec);
        let mut room = self.room.borrow_mut();
        if !room.is_crowded(host) {
            return Some(entry);
        }
        let host: Box<str> = host.unwrap_or_default().into();
        room.queue_behind(entry, &host);
        self.counters().set_waiting(room.len());
        None
    }

    /// The per-host limits, where there are any. `None`: the job waits.
    fn enter_host(&self, entry: Entry<W::Spec>) -> Option<Entry<W::Spec>> {
        let Some(hosts) = &self.shared.hosts else {
            return Some(entry);
        };
        let Some(host) = self.host(&entry).map(Box::<str>::from) else {
            return Some(entry);
        };
        match hosts.enter(&host, entry) {
            Enter::Now(entry) => Some(entry),
            Enter::At(at, entry) => {
                self.wait(entry, at);
                None
            }
            Enter::Parked => None,
        }
    }

    /// A try at a host has ended: gives out the job that takes over its place, if it may begin now.
    pub(crate) fn leave(&self, host: &str) -> Option<Entry<W::Spec>> {
        match self.shared.leave_host(host)? {
            Enter::Now(entry) => return Some(entry),
            Enter::At(at, entry) => self.wait(entry, at),
            Enter::Parked => {}
        }
        None
    }

    /// A job waits until `at`.
    pub(crate) fn wait(&self, entry: Entry<W::Spec>, at: Instant) {
        let host = self.host(&entry).map(Box::<str>::from);
        let mut room = self.room.borrow_mut();
        let earlier = room.next_due().is_none_or(|next| at < next);
        room.wait(entry, at, host.as_deref());
        self.counters().set_waiting(room.len());
        if earlier {
            self.kick.notify_one();
        }
    }

    fn park(&self, slot: usize, waker: &Waker) {
        let before = self.parked.borrow_mut()[slot].replace(waker.clone());
        if before.is_none() {
            self.shared.feed.idle.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn unpark(&self, slot: usize) -> Option<Waker> {
        let waker = self.parked.borrow_mut()[slot].take()?;
        self.shared.feed.idle.fetch_sub(1, Ordering::SeqCst);
        Some(waker)
    }

    /// Wakes up to `count` parked slots.
    fn wake(&self, mut count: usize) {
        let slots = self.parked.borrow().len();
        for slot in 0..slots {
            if count == 0 {
                return;
            }
            if let Some(waker) = self.unpark(slot) {
                waker.wake();
                count -= 1;
            }
        }
    }

    /// The run has stopped: whoever is parked has to look, and nobody parks any more.
    pub(crate) fn release(&self) {
        self.wake(usize::MAX);
    }

    /// No slot is left: the pump and the writer may end.
    pub(crate) fn finish(&self) {
        self.done.set(true);
        self.kick.notify_one();
        self.commit.close();
    }

    /// Wakes parked slots as there is something for them: jobs arrived, a retry is due, the list or the run has ended.
    pub(crate) async fn pump(&self) {
        let mut stopped = pin!(self.shared.stopped.aborted());
        let mut has_stopped = false;
        let mut timer = pin!(sleep_until(Instant::now()));
        loop {
            // Registered before the look, so that nothing that comes after it is missed.
            let mut arrival = pin!(self.shared.feed.arrival.notified());
            arrival.as_mut().enable();
            let next = self.wake_for_work();
            if self.done.get() {
                return;
            }
            if let Some(next) = next {
                timer.as_mut().reset(next);
            }
            let mut kick = pin!(self.kick.notified());
            poll_fn(|cx| {
                let mut woken =
                    arrival.as_mut().poll(cx).is_ready() | kick.as_mut().poll(cx).is_ready();
                woken |= next.is_some() && timer.as_mut().poll(cx).is_ready();
                if !has_stopped && stopped.as_mut().poll(cx).is_ready() {
                    has_stopped = true;
                    woken = true;
                }
                if woken {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    }

    /// Wakes as many slots as there is work for; says when to look again.
    fn wake_for_work(&self) -> Option<Instant> {
        let (items, ended) = self.shared.feed.level();
        let stopped = self.shared.stopped.is_aborted();
        let now = Instant::now();
        let ((firsts, retries), next) = {
            let mut room = self.room.borrow_mut();
            (room.due(now), room.next_due())
        };
        // Retries that are due may have to wait for the retry budget.
        let budget_at = self
            .budget_at
            .get()
            .map(|at| at.max(now + BUDGET_LOOK))
            .filter(|_| retries > 0);
        let held_back = self.budget_at.get().is_some_and(|at| at > now);
        let retries = if held_back { 0 } else { retries };
        if stopped || (ended && items == 0 && !held_back) {
            self.wake(usize::MAX);
        } else {
            let new = if self.is_full() { 0 } else { items };
            self.wake(firsts + retries + new);
        }
        match (next, budget_at) {
            (Some(next), Some(budget_at)) => Some(next.min(budget_at)),
            (next, budget_at) => next.or(budget_at),
        }
    }
}

/// Where time alone brings no tokens, retries look this often whether first tries have brought some.
const NO_TOKENS_LOOK: Duration = Duration::from_millis(100);

/// Retries that the budget holds back look again no sooner than after this.
const BUDGET_LOOK: Duration = Duration::from_millis(10);
