//! Every interleaving of workers at one source: no item is lost, none is there twice, and all workers end.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p settled --release --lib`

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::thread;

use super::{Numbered, Source, Supply};
use crate::sync::Lock;

/// What a slow source has, and the last who asked.
#[derive(Default)]
struct Pipe {
    items: VecDeque<u8>,
    closed: bool,
    waker: Option<Waker>,
}

/// A source that is filled from outside.
struct Slow(Arc<Lock<Pipe>>);

impl Source for Slow {
    type Item = u8;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u8>> {
        let mut pipe = self.0.lock();
        match pipe.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if pipe.closed => Poll::Ready(None),
            None => {
                pipe.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn change(pipe: &Lock<Pipe>, change: impl FnOnce(&mut Pipe)) {
    let waker = {
        let mut pipe = pipe.lock();
        change(&mut pipe);
        pipe.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A worker that takes up to `most`, starts the first, and gives the others back.
fn work(supply: &Supply<Slow>, worker: usize, most: usize) -> Vec<usize> {
    let mut started = Vec::new();
    loop {
        let mut batch: Numbered<Slow> = VecDeque::new();
        block_on(poll_fn(|cx| supply.poll_pull(worker, most, &mut batch, cx)));
        let is_holder = batch.len() > 1;
        let Some((number, _)) = batch.pop_front() else {
            return started;
        };
        started.push(number);
        if is_holder {
            supply.give_back(&mut batch);
        }
    }
}

/// Every interleaving with at most three stops where a thread could have gone on; there must be at least `least`.
fn model(least: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        body();
    });
    let runs = runs.load(Ordering::Relaxed);
    println!("{runs} interleavings");
    assert!(runs >= least, "only {runs} interleavings");
}

fn slow(before: u8, closed: bool) -> (Arc<Lock<Pipe>>, Arc<Supply<Slow>>) {
    let pipe = Arc::new(Lock::new(Pipe {
        items: (0..before).collect(),
        closed,
        waker: None,
    }));
    let supply = Supply::new(Slow(Arc::clone(&pipe)));
    (pipe, Arc::new(supply))
}

/// `before` are there at once; `later` come while two workers, who take `most`, are at work.
fn all_are_started(before: u8, later: u8, most: [usize; 2]) {
    model(100, move || {
        let (pipe, supply) = slow(before, later == 0);
        let workers = [0, 1].map(|worker| {
            let supply = Arc::clone(&supply);
            thread::spawn(move || work(&supply, worker, most[worker]))
        });
        for item in 0..later {
            change(&pipe, |pipe| pipe.items.push_back(item));
        }
        if later > 0 {
            change(&pipe, |pipe| pipe.closed = true);
        }
        let mut all: Vec<_> = workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("it does not panic"))
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..usize::from(before + later)).collect::<Vec<_>>());
    });
}

/// Items that come one by one, and workers that come to an end of theirs.
#[test]
fn a_slow_source_keeps_nobody_waiting() {
    all_are_started(0, 1, [1, 1]);
    all_are_started(0, 2, [1, 1]);
}

/// The source knows only the last who asked, and who has an item is busy with it for ever: still, the other one hears of the next.
#[test]
fn who_has_an_item_wakes_the_next() {
    model(100, || {
        let (pipe, supply) = slow(0, false);
        let workers = [0, 1].map(|worker| {
            let supply = Arc::clone(&supply);
            thread::spawn(move || {
                let mut batch: Numbered<Slow> = VecDeque::new();
                block_on(poll_fn(|cx| supply.poll_pull(worker, 1, &mut batch, cx)));
                assert_eq!(batch.len(), 1);
            })
        });
        for item in 0..2 {
            change(&pipe, |pipe| pipe.items.push_back(item));
        }
        for worker in workers {
            worker.join().expect("it does not panic");
        }
    });
}

/// Who finds nothing waits for what another one may give back.
#[test]
fn what_comes_back_is_taken() {
    all_are_started(2, 0, [2, 1]);
    all_are_started(3, 0, [3, 3]);
    all_are_started(2, 1, [2, 2]);
}
