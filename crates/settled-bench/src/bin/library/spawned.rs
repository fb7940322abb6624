//! Items whose work is next to nothing, on all cores.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use settled_bench::library::Figure;
use settled_bench::reference::cores;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::job::{Job, all_cores};
use crate::meter::{Meter, timed};

const ITEMS: u64 = 500_000;
const LIMIT: usize = 10;

pub(crate) fn run(case: &str, meter: &Meter) -> Option<Figure> {
    match case {
        "settled" => measure(meter, |done| ours(LIMIT, done)),
        "settled-cores" => measure(meter, |done| ours(cores(), done)),
        "kanal" => measure(meter, |done| kanal_pool(LIMIT, done)),
        "kanal-1000" => measure(meter, |done| kanal_pool(1000, done)),
        "async-channel" => measure(meter, |done| channel_pool(LIMIT, done)),
        "async-channel-1000" => measure(meter, |done| channel_pool(1000, done)),
        "joinset" => measure(meter, join_set),
        "floor" => measure(meter, by_hand),
        _ => None,
    }
}

fn measure<F>(meter: &Meter, all: impl Fn(Arc<AtomicU64>) -> F) -> Option<Figure>
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = all_cores();
    meter.run(ITEMS, || {
        let done = Arc::new(AtomicU64::new(0));
        // As a task: the thread that blocks is none of the runtime's own.
        let batch = timed(|| runtime.block_on(runtime.spawn(all(Arc::clone(&done)))));
        assert_eq!(done.load(Relaxed), ITEMS);
        batch
    })
}

/// The work, and how much of it is done: counted by each worker alone, since a counter that all
/// cores share would cost more than the work.
async fn work(number: u64) -> u64 {
    let Ok(number) = Job::new(0, number).await;
    black_box(number);
    1
}

async fn ours(limit: usize, done: Arc<AtomicU64>) {
    let body = |number| async move {
        black_box(work(number).await);
        Ok::<(), Infallible>(())
    };
    let all = settled::map(0..ITEMS, body).limit(limit).spawned();
    // Whoever pulls them all and answers without a failure has done them all.
    let count = all.for_each().await.map_or(0, |()| ITEMS);
    done.store(count, Relaxed);
}

async fn kanal_pool(ahead: usize, done: Arc<AtomicU64>) {
    let (items, inbox) = kanal::bounded_async(ahead);
    let mut workers = JoinSet::new();
    for _ in 0..LIMIT {
        let inbox = inbox.clone();
        workers.spawn(async move {
            let mut count = 0;
            while let Ok(number) = inbox.recv().await {
                count += work(number).await;
            }
            count
        });
    }
    drop(inbox);
    for number in 0..ITEMS {
        items.send(number).await.expect("the workers are there");
    }
    drop(items);
    done.store(workers.join_all().await.into_iter().sum(), Relaxed);
}

async fn channel_pool(ahead: usize, done: Arc<AtomicU64>) {
    let (items, inbox) = async_channel::bounded(ahead);
    let mut workers = JoinSet::new();
    for _ in 0..LIMIT {
        let inbox = inbox.clone();
        workers.spawn(async move {
            let mut count = 0;
            while let Ok(number) = inbox.recv().await {
                count += work(number).await;
            }
            count
        });
    }
    drop(inbox);
    for number in 0..ITEMS {
        items.send(number).await.expect("the workers are there");
    }
    drop(items);
    done.store(workers.join_all().await.into_iter().sum(), Relaxed);
}

async fn join_set(done: Arc<AtomicU64>) {
    let permits = Arc::new(Semaphore::new(LIMIT));
    let (mut tasks, mut count) = (JoinSet::new(), 0);
    for number in 0..ITEMS {
        let permit = Arc::clone(&permits).acquire_owned().await;
        tasks.spawn(async move {
            let one = work(number).await;
            drop(permit);
            one
        });
        // Or the results of all items would be kept.
        while let Some(one) = tasks.try_join_next() {
            count += one.expect("the work does not panic");
        }
    }
    count += tasks.join_all().await.into_iter().sum::<u64>();
    done.store(count, Relaxed);
}

/// As many tasks as may run at once, which take the next number from one counter.
async fn by_hand(done: Arc<AtomicU64>) {
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..LIMIT {
        let next = Arc::clone(&next);
        workers.spawn(async move {
            let mut count = 0;
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= ITEMS {
                    return count;
                }
                count += work(number).await;
            }
        });
    }
    done.store(workers.join_all().await.into_iter().sum(), Relaxed);
}
