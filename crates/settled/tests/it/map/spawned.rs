//! Over all cores.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use settled::{Failed, Outcome, ReasonKind, current_deadline, drained, map};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Barrier, Semaphore, mpsc};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use super::{hesitant, kinds};
use crate::steps::{Alive, sweep};

/// As many as the limit, in tasks of their own, and in order.
#[tokio::test(start_paused = true)]
async fn as_many_as_the_limit_run_at_once() {
    for limit in [1, 2, 17, 100, usize::MAX] {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&most);
        let body = move |n: usize| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(Duration::from_millis(10)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, ()>(n)
            }
        };
        let start = Instant::now();
        let all = map(0..100, body).limit(limit).spawned().collect().await;
        assert_eq!(all.unwrap(), (0..100).collect::<Vec<_>>());
        assert_eq!(seen.load(Ordering::SeqCst), limit.min(100));
        assert_eq!(
            start.elapsed().as_millis(),
            10 * 100_usize.div_ceil(limit.min(100)) as u128
        );
    }
}

/// Nothing in, nothing out.
#[tokio::test]
async fn of_nothing_comes_nothing() {
    let none = || {
        map([0_u32; 0], async |n: u32| Ok::<_, ()>(n))
            .limit(3)
            .spawned()
    };
    assert!(none().collect().await.unwrap().is_empty());
    assert!(none().collect_settled().await.is_empty());
    assert!(none().collect_partial().await.outcomes.is_empty());
    none().for_each().await.unwrap();
    assert!(none().stream().next().await.is_none());
}

/// A failure is the answer when everybody else has been aborted, and is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_comes_when_the_others_are_gone() {
    let alive = Alive::default();
    let mine = alive.clone();
    let body = move |n: u32| {
        let mine = mine.clone();
        async move {
            let _mine = mine;
            match n {
                5 => Err("the fifth"),
                _ => std::future::pending::<Result<(), _>>().await,
            }
        }
    };
    for _ in 0..20 {
        let body = body.clone();
        let failed = map(0.., body).limit(8).spawned().for_each().await;
        assert!(matches!(failed, Err(Failed::Rejected("the fifth"))));
    }
    drop(body);
    assert_eq!(alive.others(), 0);
}

/// Stopped at the first failure, every item is in one place; batches that were not started come back, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partial_accounts_for_everything() {
    for limit in [1, 3, 50] {
        let body = async |n: u32| if n == 600 { Err(n) } else { Ok(n) };
        let partial = map(0..1000, body)
            .limit(limit)
            .spawned()
            .collect_partial()
            .await;
        let rest: Vec<_> = partial.rest.collect();
        assert!(rest.is_sorted() && rest.len() + partial.outcomes.len() == 1000);
        assert_eq!(
            partial
                .outcomes
                .iter()
                .filter(|outcome| outcome.is_rejected())
                .count(),
            1
        );
    }
    let source = hesitant(0..100);
    let body = async |n: u32| if n == 60 { Err(n) } else { Ok(n) };
    let partial = map(source, body).limit(3).spawned().collect_partial().await;
    let rest: Vec<_> = partial.rest.collect().await;
    assert!(rest.is_sorted() && rest.len() + partial.outcomes.len() == 100);
}

/// Workers that wait for a slow source pass on what they know: each item is started as it comes, as long as somebody is free.
#[tokio::test]
async fn items_are_started_as_they_come() {
    let (sender, mut items) = mpsc::unbounded_channel();
    let source = stream::poll_fn(move |cx| items.poll_recv(cx));
    let gate = Arc::new(Semaphore::new(0));
    let started = Arc::new(AtomicUsize::new(0));
    let (wait, count) = (Arc::clone(&gate), Arc::clone(&started));
    let body = move |n: usize| {
        let (wait, count) = (Arc::clone(&wait), Arc::clone(&count));
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            wait.acquire().await.unwrap().forget();
            Ok::<_, ()>(n)
        }
    };
    let all = tokio::spawn(map(source, body).limit(5).spawned().collect());
    let calm = async || {
        for _ in 0..50 {
            yield_now().await;
        }
    };
    for n in 0..5 {
        sender.send(n).unwrap();
        calm().await;
        assert_eq!(started.load(Ordering::SeqCst), n + 1);
    }
    // All are busy: the next ones wait, until one after the other comes free.
    for n in 5..9 {
        sender.send(n).unwrap();
    }
    calm().await;
    assert_eq!(started.load(Ordering::SeqCst), 5);
    for n in 5..9 {
        gate.add_permits(1);
        calm().await;
        assert_eq!(started.load(Ordering::SeqCst), n + 1);
    }
    gate.add_permits(5);
    drop(sender);
    assert_eq!(all.await.unwrap().unwrap(), (0..9).collect::<Vec<_>>());
}

/// Dropped after each number of polls: what runs is aborted, and gone when `drained` says so.
#[tokio::test]
async fn it_may_be_dropped_at_any_step() {
    let polls = sweep(
        Alive::default,
        async |alive: &Alive| {
            let alive = alive.clone();
            let body = move |n: u32| {
                let mine = alive.clone();
                async move {
                    for _ in 0..n % 5 {
                        yield_now().await;
                    }
                    drop(mine);
                    Ok::<_, ()>(n)
                }
            };
            map(hesitant(0..20), body)
                .limit(3)
                .spawned()
                .collect()
                .await
                .unwrap()
        },
        async |_, _| yield_now().await,
        async |alive, _| {
            drained().await;
            assert_eq!(alive.others(), 0);
        },
    )
    .await;
    assert!(polls > 3, "{polls}");
}

/// A runtime that shuts down in the midst of it: an answer, and the right one.
#[test]
fn a_runtime_that_goes_is_an_answer() {
    let body = async |n: u32| match n {
        0 => Ok::<_, ()>(n),
        _ => std::future::pending().await,
    };
    let until_it_goes = |mut all: std::pin::Pin<&mut dyn Future<Output = String>>| {
        let work = Builder::new_current_thread().build().unwrap();
        work.block_on(async {
            for _ in 0..20 {
                assert!(crate::steps::poll_once(all.as_mut()).await.is_pending());
                yield_now().await;
            }
        });
        drop(work);
        match all.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("for ever"),
        }
    };
    let all = || map(0..10, body).limit(3).spawned();
    let settled = std::pin::pin!(async { kinds(&all().collect_settled().await).join(" ") });
    assert_eq!(
        until_it_goes(settled),
        "fulfilled cancelled cancelled cancelled"
    );
    let collected = std::pin::pin!(async {
        match all().collect().await {
            Err(Failed::Cancelled(reason)) => format!("{:?}", reason.kind()),
            other => format!("{other:?}"),
        }
    });
    assert_eq!(
        until_it_goes(collected),
        format!("{:?}", ReasonKind::Dropped)
    );
    let partial = std::pin::pin!(async {
        let partial = all().collect_partial().await;
        format!(
            "{} {:?}",
            partial.outcomes.len(),
            partial.rest.collect::<Vec<_>>()
        )
    });
    assert_eq!(until_it_goes(partial), "4 [4, 5, 6, 7, 8, 9]");
}

/// The tasks have the deadline of the caller, and what it cuts short has timed out.
#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_caller_holds() {
    let end = Instant::now() + Duration::from_millis(100);
    let body = async |n: u64| {
        assert!(current_deadline().is_some());
        sleep(Duration::from_millis(60 * n)).await;
        Ok::<_, ()>(n)
    };
    let context = settled::deadline(end, async { settled::Context::current() })
        .await
        .unwrap();
    let all = || map(0..4, body).limit(4).spawned();
    let outcomes = context.clone().within(all().collect_settled()).await;
    assert_eq!(
        kinds(&outcomes),
        ["fulfilled", "fulfilled", "timed_out", "timed_out"]
    );
    let late = context.clone().within(all().collect()).await;
    assert!(matches!(late, Err(Failed::TimedOut)), "{late:?}");
    let settled_late = settled::deadline(end, all().collect()).await;
    assert!(settled_late.is_err());
}

/// A map in a map, tasks in tasks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maps_nest() {
    let cell = async |n: u32| Ok::<_, Infallible>(n);
    let row = move |n: u32| async move {
        map(0..n, cell)
            .limit(2)
            .spawned()
            .collect()
            .await
            .map(|row| row.len())
    };
    let rows = map(0..50, row).limit(4).spawned().collect().await.unwrap();
    assert_eq!(rows, (0..50).collect::<Vec<_>>());
    let flat = map(0..50, cell).limit(4).spawned().stream();
    let again = map(flat, async |outcome: Outcome<u32, Infallible>| outcome)
        .limit(4)
        .spawned();
    assert_eq!(again.collect().await.unwrap(), (0..50).collect::<Vec<_>>());
}

/// Nothing was done, and that is what it says: a runtime that is gone is not an empty list.
#[test]
fn a_runtime_that_is_gone_is_no_success() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let handle: Handle = runtime.handle().clone();
    drop(runtime);
    let _guard = handle.enter();
    let answer = {
        let mut all = Box::pin(map(0..3, async |n: u32| Ok::<_, ()>(n)).spawned().collect());
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(answer) = all.as_mut().poll(&mut cx) {
                break answer;
            }
        }
    };
    assert!(matches!(answer, Err(Failed::Cancelled(_))), "{answer:?}");
}

/// A thousand tiny items have taught a worker to take many at once. Then each of four wants the other three to be there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_holds_nothing_up_behind_one_that_waits() {
    let meeting = Arc::new(Barrier::new(4));
    let body = move |n: usize| {
        let meeting = Arc::clone(&meeting);
        async move {
            if n >= 1000 {
                meeting.wait().await;
            }
            Ok::<_, ()>(n)
        }
    };
    let all = map(0..1064, body).limit(4).spawned().collect();
    let all = timeout(Duration::from_secs(60), all)
        .await
        .expect("nobody waits for ever");
    assert_eq!(all.unwrap().len(), 1064);
}

/// A source that has panicked is not asked again, by no worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_has_panicked_is_left_alone() {
    let asked = Arc::new(AtomicUsize::new(0));
    let source = {
        let asked = Arc::clone(&asked);
        std::iter::from_fn(move || match asked.fetch_add(1, Ordering::SeqCst) {
            n @ 0..4 => Some(n),
            4 => panic!("the source panicked"),
            _ => Some(99),
        })
    };
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::clone(&gate);
    let body = move |n: usize| {
        let gate = Arc::clone(&gate);
        async move {
            if n < 4 {
                drop(gate.acquire().await);
            }
            Ok::<_, ()>(n)
        }
    };
    let all = tokio::spawn(map(source, body).limit(8).spawned().collect_settled());
    let ended = timeout(Duration::from_secs(60), all)
        .await
        .expect("the others are aborted");
    assert!(ended.unwrap_err().is_panic());
    drop(open);
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}
