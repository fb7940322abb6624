//! The tree under controllers and signals.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
#[cfg(all(feature = "signal", not(loom)))]
use tokio_util::sync::DropGuard;

use crate::reason::{Reason, ReasonKind};
use crate::sync::{AtomicU64, Once, counter};

/// One controller, or one signal that is made of others.
///
/// 1. `fired` is the truth, and is written once. A node is aborted when its own `fired` is set, or that of one above it, or
///    when the time of its timer or of one above has come. So an abort is there for the whole tree at one instant.
/// 2. The tokens do nothing but wake: a token is cancelled after `fired` was written, never before. The one exception is a
///    `foreign` node, whose token others cancel: there the token is the truth until somebody has looked.
/// 3. Whoever finds a node aborted from above writes what it found into the node's own `fired`, and into that of each node
///    on the way. That keeps a node's reason the same for ever, a later `abort` of the node loses, and no way is gone twice.
/// 4. A look that finds nothing leaves the number of aborts so far at each node that it has passed: until that changes, nothing
///    above has fired, but for timers (`earliest` says when) and tokens of others (which are always looked at).
/// 5. A tree may be deep (a child of a child of a child ..) and may meet itself again (`any` of two children of one node): it is
///    walked and dropped without recursion, and each node is visited once.
pub(super) struct Node {
    fired: Once<Fired>,
    pub(super) token: CancellationToken,
    links: Links,
    /// When this node aborts itself.
    timer: Option<Instant>,
    /// The earliest timer here or above.
    earliest: Option<Instant>,
    /// Somebody else may cancel the token.
    foreign: bool,
    /// There is a foreign node here or above.
    foreign_above: bool,
    /// The [`Aborts`] at which nothing here or above had fired.
    clear: AtomicU64,
    /// Tells whoever feeds this node that nobody listens any more.
    #[cfg(all(feature = "signal", not(loom)))]
    _keeper: Option<DropGuard>,
}

#[derive(Default)]
struct Links {
    /// Nodes whose abort is this node's too.
    above: Box<[Arc<Node>]>,
    /// Nodes whose tokens are listened to beside the own one: a token can have one parent only, a node several.
    others: Box<[Arc<Node>]>,
}

impl Links {
    fn take(&mut self) -> impl Iterator<Item = Arc<Node>> + use<> {
        let above = std::mem::take(&mut self.above);
        let others = std::mem::take(&mut self.others);
        above.into_vec().into_iter().chain(others.into_vec())
    }
}

/// An abort, and when it was, so that of several above a node the first one counts.
#[derive(Clone)]
pub(super) struct Fired {
    pub(super) reason: Reason,
    at: Instant,
    /// Tells apart what was at the same instant, as much of a test on a paused clock is.
    order: u64,
}

impl Fired {
    fn now(reason: Reason) -> Self {
        Self {
            reason,
            at: Instant::now(),
            order: ORDER.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn by_timer(at: Instant) -> Self {
        Self {
            reason: Reason::new(ReasonKind::Timeout),
            at,
            order: 0,
        }
    }
}

/// The number of aborts in this process, from 1 on.
///
/// It is raised twice by each: before a node's `fired` is written, and after. Whoever has seen that `fired`, and looks on, sees the
/// first; while the two differ, nobody relies on what was clear before, and nobody leaves a number behind. So no look says
/// *not aborted* of a node after another look has said *aborted* of one above it.
struct Aborts;

counter!(ORDER = 1);
counter!(BEGUN = 1);
counter!(DONE = 1);

impl Aborts {
    fn count(abort: impl FnOnce() -> bool) -> bool {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        let first = abort();
        DONE.fetch_add(1, Ordering::SeqCst);
        first
    }

    /// `None` while one is under way.
    fn so_far() -> Option<u64> {
        let done = DONE.load(Ordering::SeqCst);
        (BEGUN.load(Ordering::SeqCst) == done).then_some(done)
    }
}

impl Node {
    pub(super) fn root() -> Self {
        Self {
            fired: Once::new(),
            token: CancellationToken::new(),
            links: Links::default(),
            timer: None,
            earliest: None,
            foreign: false,
            foreign_above: false,
            clear: AtomicU64::new(0),
            #[cfg(all(feature = "signal", not(loom)))]
            _keeper: None,
        }
    }

    pub(super) fn at(timer: Instant) -> Self {
        Self {
            timer: Some(timer),
            earliest: Some(timer),
            ..Self::root()
        }
    }

    /// Aborted when somebody cancels `token`.
    pub(super) fn of_token(token: &CancellationToken) -> Self {
        Self {
            // A child, so that what is below is never taken for an order to cancel what is above.
            token: token.child_token(),
            foreign: true,
            foreign_above: true,
            ..Self::root()
        }
    }

    /// Aborted by somebody who wants to hear when nobody listens any more.
    #[cfg(all(feature = "signal", not(loom)))]
    pub(super) fn kept(keeper: DropGuard) -> Self {
        Self {
            _keeper: Some(keeper),
            ..Self::root()
        }
    }

    pub(super) fn below(above: Box<[Arc<Self>]>) -> Self {
        let Some((first, more)) = above.split_first() else {
            return Self::root();
        };
        let mut others = first.links.others.to_vec();
        for node in more {
            others.push(Arc::clone(node));
            others.extend(node.links.others.iter().cloned());
        }
        // Trees that meet again would name the same nodes again and again, twice as many on each level.
        others.sort_unstable_by_key(Arc::as_ptr);
        others.dedup_by(|one, other| Arc::ptr_eq(one, other));
        Self {
            token: first.token.child_token(),
            earliest: above.iter().filter_map(|node| node.earliest).min(),
            foreign_above: above.iter().any(|node| node.foreign_above),
            links: Links {
                above,
                others: others.into(),
            },
            ..Self::root()
        }
    }

    pub(super) fn abort(&self, reason: Reason) -> bool {
        let first =
            self.fired().is_none() && Aborts::count(|| self.fired.set(Fired::now(reason)).is_ok());
        if first {
            self.token.cancel();
        }
        first
    }

    pub(super) fn fired(&self) -> Option<&Fired> {
        if let Some(fired) = self.fired.get() {
            return Some(fired);
        }
        let now = self.earliest.map(|_| Instant::now());
        let due = self.earliest.is_some_and(|earliest| now >= Some(earliest));
        if due || self.is_aborted_from_above() {
            self.write_down(now);
        }
        self.fired.get()
    }

    /// Every token that has to be listened to in order to hear of an abort, but the own one.
    pub(super) fn other_tokens(&self) -> impl Iterator<Item = &CancellationToken> {
        self.links.others.iter().map(|node| &node.token)
    }

    pub(super) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// `other` is this node or right above it.
    pub(super) fn is_next_to(&self, other: &Arc<Self>) -> bool {
        ptr::eq(self, Arc::as_ptr(other))
            || self
                .links
                .above
                .iter()
                .any(|above| Arc::ptr_eq(above, other))
    }

    /// Whether an abort or a foreign token here or above has fired; timers apart.
    fn is_aborted_from_above(&self) -> bool {
        if self.links.above.is_empty() && !self.foreign {
            return false;
        }
        let aborts = Aborts::so_far();
        if self.is_clear(aborts) {
            return false;
        }
        let mut next = Some(self);
        let mut branches = Vec::new();
        // Made when there is a second way up: before that, no node can be met twice.
        let mut seen: Option<HashMap<*const Self, &Self>> = None;
        while let Some(node) = next.take().or_else(|| branches.pop()) {
            if node.fired.get().is_some() || (node.foreign && node.token.is_cancelled()) {
                return true;
            }
            let met = |seen: &mut HashMap<_, _>| seen.insert(ptr::from_ref(node), node).is_some();
            if node.is_clear(aborts) || seen.as_mut().is_some_and(met) {
                continue;
            }
            if let [first, more @ ..] = &*node.links.above {
                next = Some(first);
                branches.extend(more.iter().map(|above| &**above));
                if !more.is_empty() {
                    seen.get_or_insert_default();
                }
            }
        }
        if let Some(aborts) = aborts {
            self.leave_clear(aborts);
            let passed = seen.into_iter().flatten();
            passed.for_each(|(_, node)| node.clear.store(aborts, Ordering::Relaxed));
        }
        false
    }

    fn is_clear(&self, aborts: Option<u64>) -> bool {
        !self.foreign_above && aborts == Some(self.clear.load(Ordering::Relaxed))
    }

    /// For this node and those above it, up to where there are several ways.
    fn leave_clear(&self, aborts: u64) {
        let mut next = Some(self);
        while let Some(node) = next.take() {
            if node.clear.swap(aborts, Ordering::Relaxed) != aborts
                && let [only] = &*node.links.above
            {
                next = Some(only);
            }
        }
    }

    /// Invariant 3: what is above goes first, so that each node finds the first abort of all right above it.
    fn write_down(&self, now: Option<Instant>) {
        let mut seen = HashSet::new();
        let mut open = vec![(self, false)];
        while let Some((node, above_is_done)) = open.pop() {
            if node.fired.get().is_some() {
                continue;
            }
            if above_is_done {
                if let Some(first) = node.first_abort(now) {
                    node.fired.get_or_init(|| first);
                }
            } else if seen.insert(ptr::from_ref(node)) {
                open.push((node, true));
                open.extend(node.links.above.iter().map(|above| (&**above, false)));
            }
        }
    }

    fn first_abort(&self, now: Option<Instant>) -> Option<Fired> {
        let due = self.timer.filter(|timer| now >= Some(*timer));
        let cancelled = self.foreign && self.token.is_cancelled();
        let by_token = cancelled.then(|| Fired::now(Reason::from("the token was cancelled")));
        let above = self
            .links
            .above
            .iter()
            .filter_map(|node| node.fired.get().cloned());
        above
            .chain(due.map(Fired::by_timer))
            .chain(by_token)
            .min_by_key(|fired| (fired.at, fired.order))
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // Most often somebody else still has what is above, and there is nothing to allocate.
        let mut open = Vec::new();
        let last_of = |node| Arc::into_inner(node).map(|mut node: Node| node.links.take());
        open.extend(self.take().filter_map(last_of).flatten());
        while let Some(node) = open.pop() {
            open.extend(last_of(node).into_iter().flatten());
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.fired().map(|fired| &fired.reason);
        f.debug_struct("Node")
            .field("aborted", &reason)
            .finish_non_exhaustive()
    }
}
