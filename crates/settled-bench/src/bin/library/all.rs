//! A thousand children, all of them awaited.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_concurrency::future::{Join as _, TryJoin as _};
use settled::{Handle, Scope};
use settled_bench::library::Figure;
use tokio::task::JoinSet;

use crate::job::{Job, one_thread, pending, run_task};
use crate::meter::{Meter, timed};

const CHILDREN: u64 = 1000;
/// Thousands in a batch.
const TIMES: u64 = 20;

type Value = Result<u64, Infallible>;
type Values = Result<Vec<u64>, Infallible>;

pub(crate) fn run(how: &str, case: &str, meter: &Meter) -> Option<Figure> {
    let pending = pending(how);
    let jobs = move || (0..CHILDREN).map(move |number| Job::new(pending, number));
    let each = |results: Vec<Value>| results.into_iter().collect::<Values>();
    match case {
        "settled" => measure(meter, move || async move { settled::all(jobs()).await }),
        "settled-settled" => measure(meter, move || async move {
            let outcomes = settled::all_settled(jobs()).await;
            Ok(outcomes
                .into_iter()
                .filter_map(|o| o.into_result().ok())
                .collect())
        }),
        "settled-spawned" => measure(meter, move || async move { spawned(jobs()).await }),
        "buffered-try" => measure(meter, move || async move {
            futures_buffered::try_join_all(jobs()).await
        }),
        "buffered" => measure(meter, move || async move {
            each(futures_buffered::join_all(jobs()).await)
        }),
        "futures-try" => measure(meter, move || async move {
            futures_util::future::try_join_all(jobs()).await
        }),
        "futures" => measure(meter, move || async move {
            each(futures_util::future::join_all(jobs()).await)
        }),
        "concurrency-try" => measure(meter, move || async move {
            jobs().collect::<Vec<_>>().try_join().await
        }),
        "concurrency" => measure(meter, move || async move {
            each(jobs().collect::<Vec<_>>().join().await)
        }),
        "joinset" => measure(meter, move || async move {
            each(jobs().collect::<JoinSet<_>>().join_all().await)
        }),
        "floor" => measure(
            meter,
            move || async move { by_hand(jobs().collect()).await },
        ),
        _ => None,
    }
}

fn measure<F>(meter: &Meter, once: impl Fn() -> F + Copy + Send + 'static) -> Option<Figure>
where
    F: Future<Output = Values> + Send,
{
    let runtime = one_thread();
    let times = move || async move {
        for _ in 0..TIMES {
            let Ok(values) = once().await;
            let sum: u64 = values.iter().sum();
            let all = (CHILDREN, CHILDREN * (CHILDREN - 1) / 2);
            assert_eq!((values.len() as u64, sum), all);
        }
    };
    meter.run(CHILDREN * TIMES, || timed(|| run_task(&runtime, times())))
}

/// As tasks of a scope, which is what a `JoinSet` is to be compared with.
async fn spawned(jobs: impl Iterator<Item = Job>) -> Values {
    let scope = Scope::new();
    let handles: Vec<Handle<_, _>> = jobs.map(|job| scope.spawn(job)).collect();
    scope.join().await;
    let values = settled::all(handles).await;
    Ok(values.unwrap_or_default())
}

/// What somebody would write who knows that all of them are woken together.
async fn by_hand(mut jobs: Vec<Job>) -> Values {
    let mut values: Vec<Option<u64>> = vec![None; jobs.len()];
    poll_fn(|cx| {
        let mut left = false;
        for (job, value) in jobs.iter_mut().zip(&mut values) {
            if value.is_none() {
                match Pin::new(job).poll(cx) {
                    Poll::Ready(Ok(number)) => *value = Some(number),
                    Poll::Pending => left = true,
                }
            }
        }
        if left { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    Ok(values.into_iter().flatten().collect())
}
