//! What every primitive is put through: dropped after each number of polls, watched for wakers that it keeps, and probed
//! for handles that are left pending.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// The cancel-at-every-step sweep: in a fresh world each time, polls `body` 0, 1, 2, .. times, with `step` after each poll, drops
/// it, and has `check` look at what is left, until `body` gets to its end. Gives the number of polls that the whole of it took.
pub(crate) async fn sweep<W, T>(
    world: impl Fn() -> W,
    body: impl AsyncFn(&W) -> T,
    step: impl AsyncFn(&W, usize),
    check: impl AsyncFn(&W, usize),
) -> usize {
    for polls in 0..1000 {
        let world = world();
        let mut future = Box::pin(body(&world));
        let mut done = false;
        for number in 0..polls {
            done = poll_once(future.as_mut()).await.is_ready();
            if done {
                break;
            }
            step(&world, number).await;
        }
        drop(future);
        check(&world, polls).await;
        if done {
            return polls;
        }
    }
    panic!("the body never got to its end");
}

/// Polls once, as part of the current task.
pub(crate) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// The three-state probe: after a teardown, each of `handles` must have something to say, whatever it is; a pending one fails.
pub(crate) fn probe<F: Future>(handles: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let waker = Waker::noop();
    let settled =
        |(number, handle): (usize, F)| match pin!(handle).poll(&mut Context::from_waker(waker)) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("handle {number} is pending for ever"),
        };
    handles.into_iter().enumerate().map(settled).collect()
}

/// A waker that counts how often it was woken, and how many clones of it are kept somewhere.
#[derive(Default)]
pub(crate) struct Watch {
    count: Arc<Count>,
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Watch {
    pub(crate) fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        // By reference: the waker of the call itself is gone when the poll has returned.
        let waker = Waker::from(Arc::clone(&self.count));
        future.poll(&mut Context::from_waker(&waker))
    }

    pub(crate) fn woken(&self) -> usize {
        self.count.0.load(Ordering::SeqCst)
    }

    /// Wakers that somebody still has: listeners.
    pub(crate) fn kept(&self) -> usize {
        Arc::strong_count(&self.count) - 1
    }
}

/// A seed for a random test, which is printed: `SEED=n` repeats the run.
pub(crate) fn rng() -> fastrand::Rng {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Counts its clones: one is moved into a future to see when that is gone.
#[derive(Clone, Default)]
pub(crate) struct Alive(Arc<()>);

impl Alive {
    /// How many clones of it, apart from this one, are alive.
    pub(crate) fn others(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// Panics when it is dropped.
pub(crate) struct DropBomb;

impl Drop for DropBomb {
    fn drop(&mut self) {
        panic!("the destructor panicked");
    }
}
