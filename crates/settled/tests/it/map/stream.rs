//! Outcomes as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use settled::{Outcome, ReasonKind, drained, filter_map, map};
use tokio::runtime::Builder;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::{hesitant, kinds};
use crate::steps::{Alive, poll_once};

/// Lets everything run that can.
async fn settle_down() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// Nobody takes anything, so it comes to a stop; each that is taken lets one more start.
#[tokio::test]
async fn the_consumer_sets_the_pace() {
    for (limit, unordered) in [(1, false), (3, false), (3, true), (70, false), (100, true)] {
        let started = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&started);
        let body = move |n: usize| {
            count.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, ()>(n) }
        };
        let all = map(0.., body).limit(limit);
        let all = if unordered { all.unordered() } else { all };
        let mut stream = all.spawned().stream();
        for taken in 0..200 {
            settle_down().await;
            assert_eq!(started.load(Ordering::SeqCst), limit + taken);
            let value = stream.next().await.unwrap().fulfilled();
            assert!(unordered || value == Some(taken));
        }
        settle_down().await;
        let left = stream.close().await;
        assert_eq!(left.len(), limit);
        assert!(left.iter().all(Outcome::is_fulfilled), "they were there");
    }
}

/// Items that run count as being ahead, too.
#[tokio::test]
async fn what_runs_is_ahead() {
    let gate = Arc::new(Semaphore::new(0));
    let started = Arc::new(AtomicUsize::new(0));
    let (inside, count) = (Arc::clone(&gate), Arc::clone(&started));
    let body = move |n: usize| {
        count.fetch_add(1, Ordering::SeqCst);
        let inside = Arc::clone(&inside);
        async move {
            inside.acquire().await.unwrap().forget();
            Ok::<_, ()>(n)
        }
    };
    let mut stream = map(0.., body).limit(4).spawned().stream();
    settle_down().await;
    assert_eq!(started.load(Ordering::SeqCst), 4);
    gate.add_permits(2);
    settle_down().await;
    assert_eq!(started.load(Ordering::SeqCst), 4);
    stream.next().await.unwrap().fulfilled().unwrap();
    settle_down().await;
    assert_eq!(started.load(Ordering::SeqCst), 5);
}

/// While the consumer is busy with one, the others run: time that is spent twice counts once.
#[tokio::test(start_paused = true)]
async fn work_goes_on_while_the_consumer_is_busy() {
    let body = async |n: u64| {
        sleep(Duration::from_millis(100)).await;
        Ok::<_, ()>(n)
    };
    let start = Instant::now();
    let mut stream = map(0..10, body).limit(5).spawned().stream();
    while stream.next().await.is_some() {
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(start.elapsed().as_millis(), 100 + 10 * 50);
}

/// In order, or as they come.
#[tokio::test(start_paused = true)]
async fn in_order_or_as_they_come() {
    let body = async |n: u64| {
        sleep(Duration::from_millis(100 - 10 * n)).await;
        if n == 2 { Err(n) } else { Ok(n) }
    };
    let stream = map(0..5, body).limit(5).spawned().stream();
    let outcomes: Vec<_> = stream.collect().await;
    assert_eq!(
        kinds(&outcomes),
        [
            "fulfilled",
            "fulfilled",
            "rejected",
            "fulfilled",
            "fulfilled"
        ]
    );
    assert_eq!(outcomes[4].as_ref().fulfilled(), Some(&4));
    let stream = map(0..5, body).limit(5).unordered().spawned().stream();
    let outcomes: Vec<_> = stream.collect().await;
    assert_eq!(outcomes[0].as_ref().fulfilled(), Some(&4));
    assert_eq!(outcomes[4].as_ref().fulfilled(), Some(&0));
}

/// What is left out takes up no room, and is not seen.
#[tokio::test]
async fn what_is_left_out_is_not_seen() {
    let body = async |n: u32| Ok::<_, ()>(n.is_multiple_of(10).then_some(n));
    let stream = filter_map(0..100, body).limit(2).spawned().stream();
    let values: Vec<_> = stream
        .map(|outcome| outcome.fulfilled().unwrap())
        .collect()
        .await;
    assert_eq!(values, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
}

/// Closed, it says what became of everything that was pulled, and nothing runs any more.
#[tokio::test]
async fn a_close_accounts_for_everything() {
    let alive = Alive::default();
    let mine = alive.clone();
    let body = move |n: u32| {
        let mine = mine.clone();
        async move {
            let _mine = mine;
            match n {
                0 | 2 => Ok::<_, ()>(n),
                _ => std::future::pending().await,
            }
        }
    };
    let mut stream = map(0.., body).limit(4).spawned().stream();
    assert_eq!(stream.next().await.unwrap().fulfilled(), Some(0));
    settle_down().await;
    let left = stream.close().await;
    assert_eq!(
        kinds(&left),
        ["cancelled", "fulfilled", "cancelled", "cancelled"]
    );
    let Outcome::Cancelled(reason) = &left[0] else {
        panic!("{left:?}");
    };
    assert_eq!(reason.kind(), ReasonKind::Closed);
    assert_eq!(alive.others(), 0, "also the function is gone");
}

/// Dropped, it leaves nothing behind, as soon as its tasks had their turn.
#[tokio::test]
async fn dropped_it_aborts() {
    let alive = Alive::default();
    for taken in [0, 1, 5] {
        let mine = alive.clone();
        let body = move |n: u32| {
            let mine = mine.clone();
            async move {
                let _mine = mine;
                if n > 7 {
                    std::future::pending::<()>().await;
                }
                Ok::<_, ()>(n)
            }
        };
        let mut stream = map(hesitant(0..), body).limit(4).spawned().stream();
        for _ in 0..taken {
            stream.next().await.unwrap().fulfilled().unwrap();
        }
        drop(stream);
        drained().await;
        assert_eq!(alive.others(), 0);
    }
}

/// The future of `next` may be dropped at any time: nothing is lost.
#[tokio::test]
async fn a_next_that_is_dropped_loses_nothing() {
    let body = async |n: u32| {
        for _ in 0..n % 4 {
            yield_now().await;
        }
        Ok::<_, ()>(n)
    };
    let mut stream = map(0..100, body).limit(4).spawned().stream();
    let mut values = Vec::new();
    while values.len() < 100 {
        let mut next = Box::pin(stream.next());
        if let std::task::Poll::Ready(outcome) = poll_once(next.as_mut()).await {
            values.push(outcome.unwrap().fulfilled().unwrap());
        }
        yield_now().await;
    }
    assert_eq!(values, (0..100).collect::<Vec<_>>());
    assert!(stream.next().await.is_none() && stream.next().await.is_none());
}

/// A stream of items that wait for the outcomes of those before: it never starts what is too far ahead, and starts all the rest.
#[tokio::test]
async fn what_can_start_is_started() {
    let (sender, mut items) = mpsc::channel(1);
    let source = futures_util::stream::poll_fn(move |cx| items.poll_recv(cx));
    let mut stream = map(source, async |n: u32| Ok::<_, ()>(n))
        .limit(2)
        .spawned()
        .stream();
    for n in 0..50 {
        sender.send(n).await.unwrap();
        assert_eq!(stream.next().await.unwrap().fulfilled(), Some(n));
    }
    drop(sender);
    assert!(stream.next().await.is_none());
}

/// A tiny body after many tiny ones is not held back by a slow one that was taken along with it: as they come, it comes first.
#[tokio::test]
async fn a_slow_one_does_not_hold_back_what_is_done() {
    let gate = Arc::new(Notify::new());
    let wait = Arc::clone(&gate);
    let body = move |n: u32| {
        let wait = Arc::clone(&wait);
        async move {
            if n == 1003 {
                wait.notified().await;
            }
            Ok::<_, ()>(n)
        }
    };
    let mut stream = map(0..1100, body).limit(64).unordered().spawned().stream();
    for _ in 0..1099 {
        assert_ne!(stream.next().await.unwrap().fulfilled(), Some(1003));
    }
    gate.notify_one();
    assert_eq!(stream.next().await.unwrap().fulfilled(), Some(1003));
}

/// Its consumer may be on another runtime, on another thread; when the tasks' runtime goes, it says so.
#[test]
fn the_consumer_may_be_elsewhere() {
    let work = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let other = Builder::new_current_thread().build().unwrap();
    let guard = work.enter();
    let mut stream = map(0..1000, async |n: u32| Ok::<_, ()>(n))
        .limit(8)
        .spawned()
        .stream();
    drop(guard);
    other.block_on(async {
        for n in 0..1000 {
            assert_eq!(stream.next().await.unwrap().fulfilled(), Some(n));
        }
        assert!(stream.next().await.is_none());
    });

    let guard = work.enter();
    let body = async |n: u32| match n {
        0 => Ok::<_, ()>(n),
        _ => std::future::pending().await,
    };
    let mut stream = map(0..10, body).limit(3).spawned().stream();
    drop(guard);
    other.block_on(async {
        assert!(stream.next().await.unwrap().is_fulfilled());
        work.shutdown_background();
        let mut left = Vec::new();
        while let Some(outcome) = stream.next().await {
            left.push(outcome);
        }
        assert!(
            left.len() <= 3 && left.iter().all(Outcome::is_cancelled),
            "{left:?}"
        );
    });
}

/// It says how far it is.
#[tokio::test]
async fn it_says_how_far_it_is() {
    let mut stream = map(0..3, async |n: u32| Ok::<_, ()>(n)).spawned().stream();
    stream.next().await.unwrap().fulfilled().unwrap();
    assert_eq!(format!("{stream:?}"), "MapStream { delivered: 1, .. }");
}

/// Items come in batches where they take no time. Those that came before the source panicked have an outcome each, and then the panic
/// goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_the_source_panicked_has_an_outcome() {
    for pulled in [1, 2, 1000, 1001, 5000] {
        let source = (0..).inspect(move |n| assert!(*n < pulled, "the source panicked"));
        let mut stream = map(source, async |n: usize| Ok::<_, ()>(n))
            .limit(100)
            .spawned()
            .stream();
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let all = tokio::spawn(async move {
            while stream.next().await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        assert!(all.await.unwrap_err().is_panic());
        assert_eq!(taken.load(Ordering::SeqCst), pulled);
    }
}
