//! A permit taken and given back.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use settled_bench::library::Figure;
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, yield_now};

use crate::job::{all_cores, one_thread};
use crate::meter::{Meter, timed, timed_async};

const OPS: u64 = 100_000;
const PERMITS: usize = 4;
/// How many want one, where there is a crowd.
const CROWD: u64 = 64;
/// How often each of them.
const EACH: u64 = 500;

pub(crate) fn run(how: &str, case: &str, meter: &Meter) -> Option<Figure> {
    match how {
        "alone" => alone(case, meter),
        "crowd" => crowd(case, meter, &one_thread()),
        "crowd-on-all-cores" => crowd(case, meter, &all_cores()),
        _ => None,
    }
}

fn alone(case: &str, meter: &Meter) -> Option<Figure> {
    let ours = Arc::new(settled::Semaphore::new(PERMITS));
    let tokio = Arc::new(tokio::sync::Semaphore::new(PERMITS));
    let lock = async_lock::Semaphore::new(PERMITS);
    let floor = AtomicUsize::new(PERMITS);
    match case {
        "settled" => measure(meter, async || drop(black_box(ours.acquire(1).await))),
        "settled-owned" => measure(meter, async || drop(black_box(ours.acquire_owned(1).await))),
        "settled-try" => measure(meter, async || drop(black_box(ours.try_acquire(1)))),
        "tokio" => measure(meter, async || drop(black_box(tokio.acquire().await))),
        "tokio-owned" => measure(meter, async || {
            drop(black_box(Arc::clone(&tokio).acquire_owned().await));
        }),
        "tokio-try" => measure(meter, async || drop(black_box(tokio.try_acquire()))),
        "async-lock" => measure(meter, async || drop(black_box(lock.acquire().await))),
        "async-lock-try" => measure(meter, async || drop(black_box(lock.try_acquire()))),
        "floor" => measure(meter, async || {
            let take = |permits: usize| permits.checked_sub(1);
            let taken = floor.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
            if black_box(taken).is_ok() {
                floor.fetch_add(1, Ordering::AcqRel);
            }
        }),
        _ => None,
    }
}

fn measure(meter: &Meter, once: impl AsyncFn()) -> Option<Figure> {
    let runtime = one_thread();
    meter.run(OPS, || {
        timed(|| {
            runtime.block_on(async {
                for _ in 0..OPS {
                    once().await;
                }
            });
        })
    })
}

fn crowd(case: &str, meter: &Meter, runtime: &Runtime) -> Option<Figure> {
    match case {
        "settled" => {
            let semaphore = Arc::new(settled::Semaphore::new(PERMITS));
            share(meter, runtime, || {
                let semaphore = Arc::clone(&semaphore);
                async move {
                    for _ in 0..EACH {
                        let _permit = semaphore.acquire(1).await;
                        yield_now().await;
                    }
                }
            })
        }
        "tokio" => {
            let semaphore = Arc::new(tokio::sync::Semaphore::new(PERMITS));
            share(meter, runtime, || {
                let semaphore = Arc::clone(&semaphore);
                async move {
                    for _ in 0..EACH {
                        let _permit = semaphore.acquire().await;
                        yield_now().await;
                    }
                }
            })
        }
        "async-lock" => {
            let semaphore = Arc::new(async_lock::Semaphore::new(PERMITS));
            share(meter, runtime, || {
                let semaphore = Arc::clone(&semaphore);
                async move {
                    for _ in 0..EACH {
                        let _permit = semaphore.acquire().await;
                        yield_now().await;
                    }
                }
            })
        }
        _ => None,
    }
}

/// Tasks that hold a permit for one turn of the loop, each time.
fn share<F>(meter: &Meter, runtime: &Runtime, task: impl Fn() -> F) -> Option<Figure>
where
    F: Future<Output = ()> + Send + 'static,
{
    meter.run(CROWD * EACH, || {
        runtime.block_on(async {
            let tasks = || (0..CROWD).map(|_| task()).collect::<JoinSet<_>>();
            timed_async(async { tasks().join_all().await }).await
        })
    })
}
