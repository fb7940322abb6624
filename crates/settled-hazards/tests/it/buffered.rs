//! `map` and its stream against streams that start futures and poll them only while somebody asks.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_concurrency::prelude::ConcurrentStream;
use futures_concurrency::stream::StreamExt as _;
use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

const MS: Duration = Duration::from_millis(1);

/// Of ten that may run at once, one has been started when the first result is there, and the consumer goes away with it.
#[tokio::test(start_paused = true)]
async fn what_may_run_has_not_been_started() {
    let started = Cell::new(0);
    let futures = stream::iter(0..100).map(|n: u32| {
        let started = &started;
        async move {
            started.set(started.get() + 1);
            sleep(n * MS).await;
            n
        }
    });
    let mut results = futures.buffered(10);
    assert_eq!(results.next().await, Some(0));
    sleep(100 * MS).await;
    assert_eq!(started.get(), 1, "mended");
    drop(results);

    let started = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&started);
    let body = move |n: u32| {
        let count = Arc::clone(&count);
        async move {
            count.fetch_add(1, Ordering::Relaxed);
            sleep(n * MS).await;
            Ok::<_, ()>(n)
        }
    };
    let mut results = settled::map(0..100, body).limit(10).spawned().stream();
    assert_eq!(
        results.next().await.and_then(settled::Outcome::fulfilled),
        Some(0)
    );
    sleep(100 * MS).await;
    assert_eq!(started.load(Ordering::Relaxed), 11);
    results.close().await;
}

/// What an outcome makes room for is started when the consumer comes back, and not while it is away: half of the time is lost.
#[tokio::test(start_paused = true)]
async fn what_there_is_room_for_has_not_been_started() {
    let started = Cell::new(0);
    let futures = stream::iter(0..100).map(|n| {
        let started = &started;
        async move {
            started.set(started.get() + 1);
            sleep(MS).await;
            n
        }
    });
    let mut results = futures.buffered(10);
    assert_eq!(results.next().await, Some(0));
    sleep(100 * MS).await;
    assert_eq!(started.get(), 10, "mended");
    drop(results);

    let started = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&started);
    let body = move |n: u32| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(MS).await;
            Ok::<_, ()>(n)
        }
    };
    let mut results = settled::map(0..100, body).limit(10).spawned().stream();
    assert_eq!(
        results.next().await.and_then(settled::Outcome::fulfilled),
        Some(0)
    );
    sleep(100 * MS).await;
    assert_eq!(started.load(Ordering::Relaxed), 11);
    results.close().await;
}

/// A limit of five is a limit of fifty.
#[tokio::test(start_paused = true)]
async fn a_limit_is_not_kept() {
    let (now, most) = (Cell::new(0), Cell::new(0));
    let body = async |n: u32| {
        now.set(now.get() + 1);
        most.set(most.get().max(now.get()));
        sleep(MS).await;
        now.set(now.get() - 1);
        n
    };
    let limit = std::num::NonZeroUsize::new(5);
    let all: Vec<u32> = stream::iter(0..50)
        .co()
        .limit(limit)
        .map(body)
        .collect()
        .await;
    assert_eq!((all.len(), most.get()), (50, 50), "mended");

    most.set(0);
    let body = async |n: u32| Ok::<_, ()>(body(n).await);
    let all = settled::map(0..50, body).limit(5).collect().await.unwrap();
    assert_eq!((all.len(), most.get()), (50, 5));
}

/// The consumer wants a permit that was handed to a future which it does not poll meanwhile: neither goes on, for ever.
#[tokio::test(start_paused = true)]
async fn the_consumer_waits_for_what_it_does_not_poll() {
    let one = Semaphore::new(1);
    let held = one.acquire().await.unwrap();
    let futures = stream::iter(0..3).map(|n: u32| {
        let one = &one;
        async move {
            match n {
                // Until the others are in line.
                0 => yield_now().await,
                _ => drop(one.acquire().await.unwrap()),
            }
            n
        }
    });
    let mut results = futures.buffered(3);
    let consumer = async {
        assert_eq!(results.next().await, Some(0));
        // Number 1 is first in line, and gets it; it would give it back, if somebody polled it.
        drop(held);
        drop(one.acquire().await.unwrap());
    };
    assert!(timeout(1000 * MS, consumer).await.is_err(), "mended");

    let one = Arc::new(settled::Semaphore::new(1));
    let held = one.acquire(1).await.unwrap();
    let permits = Arc::clone(&one);
    let body = move |n: u32| {
        let permits = Arc::clone(&permits);
        async move {
            match n {
                0 => yield_now().await,
                _ => drop(permits.acquire(1).await.unwrap()),
            }
            Ok::<_, ()>(n)
        }
    };
    let mut results = settled::map(0..3, body).limit(3).spawned().stream();
    let consumer = async {
        assert!(
            results
                .next()
                .await
                .is_some_and(|outcome| outcome.is_fulfilled())
        );
        yield_now().await;
        drop(held);
        drop(one.acquire(1).await.unwrap());
        assert!(
            results
                .next()
                .await
                .is_some_and(|outcome| outcome.is_fulfilled())
        );
    };
    assert!(timeout(1000 * MS, consumer).await.is_ok());
}
