//! The connections of a core that lie idle, and the slots that wait because there can be no more of them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::conn::Conn;
use super::origin::Origin;

/// How long a slot that waits for a file descriptor does so before it looks for itself: one may have come free elsewhere.
const LOOK: Duration = Duration::from_millis(50);

/// Idle connections, the longest idle first, and those who wait for one.
#[derive(Debug)]
pub(super) struct Pool {
    idle: RefCell<VecDeque<Idle>>,
    /// In use, or on their way to be.
    busy: Cell<usize>,
    most: usize,
    idle_for: Duration,
    waiting: RefCell<VecDeque<Rc<Waiter>>>,
}

#[derive(Debug)]
struct Idle {
    origin: Rc<Origin>,
    conn: Box<Conn>,
    since: Instant,
}

#[derive(Debug)]
struct Waiter {
    origin: Rc<Origin>,
    turn: Notify,
    conn: RefCell<Option<Box<Conn>>>,
}

impl Pool {
    pub(super) fn new(most: usize, idle_for: Duration) -> Self {
        Self {
            idle: RefCell::default(),
            busy: Cell::new(0),
            most,
            idle_for,
            waiting: RefCell::default(),
        }
    }

    /// The connection to `origin` that was used last: the one that is most likely still open.
    pub(super) fn take(&self, origin: &Rc<Origin>) -> Option<Box<Conn>> {
        let mut idle = self.idle.borrow_mut();
        let found = idle
            .iter()
            .rposition(|idle| Rc::ptr_eq(&idle.origin, origin))?;
        let taken = idle.remove(found)?;
        if taken.since.elapsed() < self.idle_for {
            return Some(taken.conn);
        }
        // All that lay idle for longer are too old as well.
        drop(taken);
        idle.drain(..found);
        None
    }

    /// A connection that is not needed any more goes to the slot that has waited longest for one like it, or lies idle.
    pub(super) fn put(&self, origin: Rc<Origin>, conn: Box<Conn>) {
        if let Some(waiter) = self.waiting.borrow_mut().pop_front() {
            // A connection to elsewhere is closed: what the waiter needs is its file descriptor.
            if Rc::ptr_eq(&waiter.origin, &origin) {
                *waiter.conn.borrow_mut() = Some(conn);
            }
            waiter.turn.notify_one();
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let since = Instant::now();
        while idle
            .front()
            .is_some_and(|oldest| idle.len() >= self.most || since - oldest.since >= self.idle_for)
        {
            idle.pop_front();
        }
        if self.most > 0 {
            idle.push_back(Idle {
                origin,
                conn,
                since,
            });
        }
    }

    /// A new connection is about to be opened: with those in use there are to be no more of them than slots.
    pub(super) fn make_room(&self) {
        let mut idle = self.idle.borrow_mut();
        while self.busy.get() + idle.len() > self.most && idle.pop_front().is_some() {}
    }

    /// Slots are waiting for file descriptors: who comes now has to queue up behind them, or it would take theirs.
    pub(super) fn crowded(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    /// A connection was closed, so that the next waiter may open one.
    fn closed(&self) {
        if let Some(waiter) = self.waiting.borrow_mut().pop_front() {
            waiter.turn.notify_one();
        }
    }

    /// There is no file descriptor left: waits for a connection to `origin`, or for a moment at which to try again (`None`).
    ///
    /// Who waits has its turn before those who come later, so that no slot is starved by its busy neighbours.
    pub(super) async fn wait(&self, origin: &Rc<Origin>) -> Option<Box<Conn>> {
        if self.idle.borrow_mut().pop_front().is_some() {
            return None;
        }
        let waiter = Rc::new(Waiter {
            origin: Rc::clone(origin),
            turn: Notify::new(),
            conn: RefCell::default(),
        });
        self.waiting.borrow_mut().push_back(Rc::clone(&waiter));
        let place = Place { pool: self, waiter };
        let _ = settled::timeout(LOOK, place.waiter.turn.notified()).await;
        place.waiter.conn.borrow_mut().take()
    }
}

/// A slot's place among those that wait. Whoever leaves it passes on what it was given and has not taken.
struct Place<'a> {
    pool: &'a Pool,
    waiter: Rc<Waiter>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pool
            .waiting
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, &self.waiter));
        if let Some(conn) = self.waiter.conn.borrow_mut().take() {
            self.pool.put(Rc::clone(&self.waiter.origin), conn);
        }
    }
}

/// A slot's connection, or its right to one. Dropped, the connection is closed.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    origin: Rc<Origin>,
    conn: Option<Box<Conn>>,
}

impl<'a> Lease<'a> {
    pub(super) fn new(pool: &'a Pool, origin: Rc<Origin>) -> Self {
        pool.busy.set(pool.busy.get() + 1);
        Self {
            pool,
            origin,
            conn: None,
        }
    }

    pub(super) fn with(mut self, conn: Box<Conn>) -> Self {
        self.conn = Some(conn);
        self
    }

    pub(super) fn conn(&mut self) -> &mut Conn {
        self.conn
            .as_mut()
            .expect("a lease is given out with its connection")
    }

    /// An answer was read to its end: the connection is kept for the next request, if it can carry one.
    pub(super) async fn end(mut self) {
        if self.conn().reusable().await
            && let Some(conn) = self.conn.take()
        {
            self.pool.put(Rc::clone(&self.origin), conn);
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.busy.set(self.pool.busy.get() - 1);
        if self.conn.take().is_some() {
            self.pool.closed();
        }
    }
}
