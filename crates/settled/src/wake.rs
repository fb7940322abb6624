//! Which of many children want to be polled: one bit a child. The core of everything that polls several futures in one task.
//!
//! A child's waker sets its bit and wakes the parent; the parent takes the bits and polls those children only. Bits come in
//! blocks of 64, blocks in groups of 64 with a bit for each block that is not empty, so that one child among 100,000 is found by looking at
//! 25 words.
//!
//! # Safety
//! A child's waker is one pointer into its block: the block's address plus the child's place in it.
//!
//! 1. A block is 64 bytes long and aligned to 64 (or to more than it has bits). So `base + place` (place < 64) stays inside of the block,
//!    and clearing the lowest six bits of the address gives the block back. The pointer is made from one to the whole block and keeps its provenance.
//! 2. Blocks belong to a `Parent`, which is in an `Arc`. A block's `parent` is the pointer that `Arc::as_ptr` gives. It is
//!    written once, before any waker is made, and read only through wakers.
//! 3. A `Waker` that may be kept owns one strong count of that `Arc`: `clone` adds it, `drop` and `wake` take it away. The one that is
//!    lent by `WakeSet::waker` owns none: it can't outlive the borrow of its set, which holds the `Arc`.
//! 4. `Parent` is shared between threads: all of it is atomics, a lock, and pointers that never change.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

use crate::sync::{AtomicU64, Lock, Ordering};

/// How many bits of a word are in use. The models get by with few, so that some children fill several groups.
#[cfg(not(loom))]
const BITS: usize = 64;
#[cfg(loom)]
const BITS: usize = 2;

/// The bits of a number of children, and how far the parent has looked through them.
pub(crate) struct WakeSet {
    parent: Arc<Parent>,
    /// The next group of this pass over all of them.
    next_group: usize,
    /// What was taken out of the shared bits and not handed out yet: blocks of a group, children of a block.
    blocks: Taken,
    children: Taken,
    /// The pass began in this very poll.
    fresh: bool,
}

/// Bits that were taken out of a word, and where that word begins.
#[derive(Default)]
struct Taken {
    first: usize,
    bits: u64,
}

impl Taken {
    #[inline]
    fn next(&mut self) -> Option<usize> {
        (self.bits != 0).then(|| {
            let at = self.bits.trailing_zeros() as usize;
            self.bits &= self.bits - 1;
            self.first + at
        })
    }
}

struct Parent {
    blocks: Box<[Block]>,
    /// A bit for each block that has one.
    groups: Box<[AtomicU64]>,
    waker: Lock<Option<Waker>>,
}

#[repr(C, align(64))]
struct Block {
    bits: AtomicU64,
    number: usize,
    parent: *const Parent,
}

// SAFETY: see 4 above.
unsafe impl Send for Block {}
// SAFETY: see 4 above.
unsafe impl Sync for Block {}

const _: () = assert!(size_of::<Block>() >= BITS);
const _: () = assert!(align_of::<Block>() >= BITS);

impl WakeSet {
    /// Bits for `children` children, all of which are to be polled in the first pass.
    pub(crate) fn woken(children: usize) -> Self {
        Self::new(children, ones)
    }

    /// Bits for `children` children, none of which is there yet.
    pub(crate) fn asleep(children: usize) -> Self {
        Self::new(children, |_| 0)
    }

    fn new(children: usize, bits: impl Fn(usize) -> u64) -> Self {
        let blocks = children.div_ceil(BITS);
        let parent = Arc::new_cyclic(|parent| Parent {
            blocks: (0..blocks)
                .map(|number| Block {
                    bits: AtomicU64::new(bits(children - number * BITS)),
                    number,
                    parent: parent.as_ptr(),
                })
                .collect(),
            groups: (0..blocks.div_ceil(BITS))
                .map(|group| AtomicU64::new(bits(blocks - group * BITS)))
                .collect(),
            waker: Lock::new(None),
        });
        Self {
            parent,
            next_group: 0,
            blocks: Taken::default(),
            children: Taken::default(),
            fresh: true,
        }
    }

    /// A poll of the parent begins: from now on it is `cx` that is woken.
    pub(crate) fn begin(&mut self, cx: &Context<'_>) {
        self.fresh = self.next_group == 0;
        let same = |old: &Waker| old.will_wake(cx.waker());
        if self.parent.waker.lock().as_ref().is_some_and(same) {
            return;
        }
        // Both outside of the lock: a waker's `clone` and its destructor may do anything, and also wake a child. Who is woken in
        // between wakes the task of the poll before; this poll finds the bit.
        let new = cx.waker().clone();
        let old = self.parent.waker.lock().replace(new);
        drop(old);
    }

    /// The next child that was woken; `None`: that is all for this poll. Who is woken again after it was handed out comes in the next
    /// poll, which its waker has seen to.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<usize> {
        loop {
            if let Some(child) = self.children.next() {
                return Some(child);
            }
            if let Some(block) = self.blocks.next() {
                self.children = Taken {
                    first: block * BITS,
                    bits: self.parent.blocks[block].bits.swap(0, Ordering::AcqRel),
                };
                continue;
            }
            if let Some(group) = self.parent.groups.get(self.next_group) {
                self.blocks = Taken {
                    first: self.next_group * BITS,
                    bits: group.swap(0, Ordering::AcqRel),
                };
                self.next_group += 1;
                continue;
            }
            self.next_group = 0;
            // A pass that an earlier poll began has not seen what woke behind it, and that may have woken another task than this.
            if self.fresh {
                return None;
            }
            self.fresh = true;
        }
    }

    /// Whether somebody has woken, whom another pass would find. The parent was woken for it, too.
    pub(crate) fn is_woken(&self) -> bool {
        let groups = self.parent.groups.iter();
        groups
            .map(|group| group.load(Ordering::Relaxed))
            .any(|bits| bits != 0)
    }

    /// The waker of a child.
    #[inline]
    pub(crate) fn waker(&self, child: usize) -> Lent<'_> {
        let block = &raw const self.parent.blocks[child / BITS];
        // SAFETY: it stays inside of the block (1).
        let data = unsafe { block.cast::<u8>().add(child % BITS) };
        // SAFETY: it is what the functions of the table take (1, 2), and owns no count (3).
        let waker = unsafe { Waker::new(data.cast(), &TABLE) };
        Lent {
            waker: ManuallyDrop::new(waker),
            set: PhantomData,
        }
    }
}

/// Wakers of children that somebody kept wake nobody any more, and keep no task.
impl Drop for WakeSet {
    fn drop(&mut self) {
        let waker = self.parent.waker.lock().take();
        drop(waker);
    }
}

/// The lowest `count` bits, or all of them.
fn ones(count: usize) -> u64 {
    match count {
        0..BITS => (1 << count) - 1,
        _ => u64::MAX >> (u64::BITS as usize - BITS),
    }
}

/// A waker that is lent for a poll; clones of it may be kept.
pub(crate) struct Lent<'a> {
    waker: ManuallyDrop<Waker>,
    set: PhantomData<&'a WakeSet>,
}

impl Deref for Lent<'_> {
    type Target = Waker;

    fn deref(&self) -> &Waker {
        &self.waker
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// The block of a child, and its bit.
///
/// # Safety
/// `data` is the pointer of a waker of this module, of a set that is still there.
#[inline]
unsafe fn child<'a>(data: *const ()) -> (&'a Block, u64) {
    let block = data.map_addr(|at| at & !(BITS - 1)).cast::<Block>();
    // SAFETY: the caller's promise, and 1.
    (unsafe { &*block }, 1 << (data.addr() % BITS))
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: called by a waker, whose set is there (3).
    let (block, _) = unsafe { child(data) };
    // SAFETY: it came from an `Arc` that is there (2, 3); the new waker owns this count.
    unsafe { Arc::increment_strong_count(block.parent) };
    RawWaker::new(data, &TABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: called by a waker, whose set is there (3).
    let parent = unsafe { child(data) }.0.parent;
    // SAFETY: it came from an `Arc`, and this is the count of the waker, which is given away (2, 3). It goes when the call below has
    // returned, also by a panic of the parent's waker.
    let _count = unsafe { Arc::from_raw(parent) };
    // SAFETY: its count is still there.
    unsafe { wake_by_ref(data) }
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: called by a waker, whose set is there (3).
    let (block, bit) = unsafe { child(data) };
    // Only who finds the block empty has more to do: the parent looks at a block's bits after it took the block's own bit, so it sees
    // all bits that were set before, and who sets one later finds the block empty again.
    if block.bits.fetch_or(bit, Ordering::AcqRel) == 0 {
        // SAFETY: the block is part of it (2).
        let parent = unsafe { &*block.parent };
        parent.wake(block.number);
    }
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: called by a waker, whose set is there (3).
    let parent = unsafe { child(data) }.0.parent;
    // SAFETY: it came from an `Arc`, and this is the count of the waker that goes (2, 3).
    unsafe { Arc::decrement_strong_count(parent) };
}

impl Parent {
    fn wake(&self, block: usize) {
        if self.groups[block / BITS].fetch_or(1 << (block % BITS), Ordering::AcqRel) == 0 {
            let waker = self.waker.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}
