//! A million items, ten at a time, in one task.

use std::future::{poll_fn, ready};
use std::hint::black_box;
use std::pin::Pin;
use std::task::Poll;

use futures_buffered::BufferedStreamExt;
use futures_util::stream::{StreamExt, TryStreamExt as _, iter};
use settled_bench::library::Figure;

use crate::job::{Job, one_thread, pending, run_task};
use crate::meter::{Meter, timed};

const ITEMS: u64 = 1_000_000;
const LIMIT: usize = 10;

pub(crate) fn run(how: &str, case: &str, meter: &Meter) -> Option<Figure> {
    let pending = pending(how);
    let job = move |number| Job::new(pending, number);
    let jobs = move || iter((0..ITEMS).map(job));
    match case {
        "settled" => measure(meter, move || async move {
            let done = settled::map(0..ITEMS, job).limit(LIMIT).for_each().await;
            seen(done).await;
        }),
        "settled-collect" => measure(meter, move || async move {
            collected(settled::map(0..ITEMS, job).limit(LIMIT).collect().await);
        }),
        "settled-unordered" => measure(meter, move || async move {
            let map = settled::map(0..ITEMS, job).limit(LIMIT).unordered();
            assert_eq!(map.collect().await.map_or(0, |all| all.len() as u64), ITEMS);
        }),
        "settled-outcomes" => measure(meter, move || async move {
            let map = settled::map(0..ITEMS, job).limit(LIMIT);
            assert_eq!(map.collect_settled().await.len() as u64, ITEMS);
        }),
        "buffered-unordered" => measure(meter, move || async move {
            jobs().buffered_unordered(LIMIT).for_each(seen).await;
        }),
        "buffered-ordered" => measure(meter, move || async move {
            jobs().buffered_ordered(LIMIT).for_each(seen).await;
        }),
        "buffered-collect" => measure(meter, move || async move {
            let all = jobs().buffered_ordered(LIMIT).try_collect();
            collected(all.await);
        }),
        "futures-unordered" => measure(meter, move || async move {
            jobs().buffer_unordered(LIMIT).for_each(seen).await;
        }),
        "futures-ordered" => measure(meter, move || async move {
            jobs().buffered(LIMIT).for_each(seen).await;
        }),
        "futures-collect" => measure(meter, move || async move {
            let all = jobs().buffered(LIMIT).try_collect();
            collected(all.await);
        }),
        "buffered-for-each" => measure(meter, move || async move {
            BufferedStreamExt::for_each_concurrent(jobs(), LIMIT, each).await;
        }),
        "futures-for-each" => measure(meter, move || async move {
            StreamExt::for_each_concurrent(jobs(), LIMIT, each).await;
        }),
        "floor" => measure(
            meter,
            move || async move { by_hand((0..ITEMS).map(job)).await },
        ),
        _ => None,
    }
}

/// In a task, as most of what is written: one that has nobody to wait for but itself, so that its
/// turns cost next to nothing. (A future that wakes itself right below `block_on` costs a system call
/// a turn.)
fn measure<F>(meter: &Meter, once: impl Fn() -> F) -> Option<Figure>
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = one_thread();
    meter.run(ITEMS, || timed(|| run_task(&runtime, once())))
}

async fn each(job: Job) {
    black_box(job.await).ok();
}

fn seen<T>(result: T) -> impl Future<Output = ()> {
    drop(black_box(result));
    ready(())
}

fn collected<E>(numbers: Result<Vec<u64>, E>) {
    let numbers = numbers.unwrap_or_default();
    assert_eq!(numbers.len() as u64, ITEMS);
    assert!(numbers.is_sorted());
}

/// Ten places, each polled in its turn: what somebody would write who needs no order and knows that
/// all of them are woken together.
async fn by_hand(mut jobs: impl Iterator<Item = Job>) {
    let mut places: [Option<Job>; LIMIT] = std::array::from_fn(|_| jobs.next());
    poll_fn(|cx| {
        let mut left = false;
        for place in &mut places {
            while let Some(job) = place {
                match Pin::new(job).poll(cx) {
                    Poll::Ready(result) => {
                        black_box(result).ok();
                        *place = jobs.next();
                    }
                    Poll::Pending => {
                        left = true;
                        break;
                    }
                }
            }
        }
        if left { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}
