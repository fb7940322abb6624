//! The tree under controllers and signals.

use std::collections::HashSet;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::reason::{Reason, ReasonKind};

/// One controller, or one signal that is made of others.
///
/// 1. `fired` is the truth, and is written once. A node is aborted when its own `fired` is set, or that of one above it, or
///    when the time of its timer or of one above has come. So an abort is there for the whole tree at one instant.
/// 2. The tokens do nothing but wake: a token is cancelled after `fired` was written, never before. The one exception is a
///    `foreign` node, whose token others cancel: there the token is the truth until somebody has looked.
/// 3. Whoever finds a node aborted from above writes what it found into the node's own `fired`, and into that of each node
///    on the way. That keeps a node's reason the same for ever, a later `abort` of the node loses, and no way is gone twice.
/// 4. A tree may be deep (a child of a child of a child ..) and may meet itself again (`any` of two children of one node): it is
///    walked and dropped without recursion, and each node is visited once.
pub(super) struct Node {
    fired: OnceLock<Fired>,
    pub(super) token: CancellationToken,
    links: Links,
    /// When this node aborts itself.
    timer: Option<Instant>,
    /// The earliest timer here or above.
    earliest: Option<Instant>,
    /// Somebody else may cancel the token.
    foreign: bool,
    /// Tells whoever feeds this node that nobody listens any more.
    keeper: Option<DropGuard>,
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
        static ORDER: AtomicU64 = AtomicU64::new(1);
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

impl Node {
    pub(super) fn root() -> Self {
        Self {
            fired: OnceLock::new(),
            token: CancellationToken::new(),
            links: Links::default(),
            timer: None,
            earliest: None,
            foreign: false,
            keeper: None,
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
            ..Self::root()
        }
    }

    /// Aborted by somebody who wants to hear when nobody listens any more.
    #[cfg(feature = "signal")]
    pub(super) fn kept(keeper: DropGuard) -> Self {
        Self {
            keeper: Some(keeper),
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
            links: Links {
                above,
                others: others.into(),
            },
            ..Self::root()
        }
    }

    pub(super) fn abort(&self, reason: Reason) -> bool {
        let first = self.fired().is_none() && self.fired.set(Fired::now(reason)).is_ok();
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
        if self.is_aborted(now) {
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

    /// By itself, whatever is above.
    fn is_aborted_here(&self, now: Option<Instant>) -> bool {
        self.fired.get().is_some()
            || self.timer.is_some_and(|timer| now >= Some(timer))
            || (self.foreign && self.token.is_cancelled())
    }

    /// The look that nearly always says no. It allocates nothing unless there are several ways up.
    fn is_aborted(&self, now: Option<Instant>) -> bool {
        if self.is_aborted_here(now) {
            return true;
        }
        let (mut seen, mut branches) = (HashSet::new(), Vec::new());
        let (mut branched, mut next) = (false, Some(self));
        while let Some(node) = next.take().or_else(|| branches.pop()) {
            if branched && !seen.insert(ptr::from_ref(node)) {
                continue;
            }
            for above in &node.links.above {
                if above.is_aborted_here(now) {
                    return true;
                }
                if above.links.above.is_empty() {
                    continue;
                }
                match next {
                    None => next = Some(&**above),
                    Some(_) => {
                        branched = true;
                        branches.push(&**above);
                    }
                }
            }
        }
        false
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
