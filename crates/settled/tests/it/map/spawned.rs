//! Over all cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use settled::{Failed, map};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Barrier, Semaphore};
use tokio::time::timeout;

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
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            if let std::task::Poll::Ready(answer) = all.as_mut().poll(&mut cx) {
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
