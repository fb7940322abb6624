//! How an abort gets to the tasks: from the scope, from above it, to one alone.

use std::future::{pending, ready};

use settled::{AbortController, AbortSignal, Handle, ReasonKind, Scope};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{MS, Never, polled, runtime, why};
use crate::steps::probe;

/// More than are woken in one go, some of which have ended meanwhile.
async fn crowd(scope: &Scope) -> Vec<Handle<(), ()>> {
    let mut handles = Vec::new();
    for number in 0..500 {
        handles.push(scope.spawn(pending::<Never>()));
        if number % 3 == 0 {
            scope.spawn(ready(Never::Ok(()))).ignore();
        }
    }
    yield_now().await;
    while scope.running() > 500 {
        yield_now().await;
    }
    handles
}

#[tokio::test]
async fn a_crowd_is_stopped_whatever_stops_it() {
    let (one, two) = (AbortController::new(), AbortController::new());
    let token = CancellationToken::new();
    let above = AbortSignal::any([one.signal(), two.signal().child().signal()]);
    let scopes = [
        Scope::new(),
        Scope::below(&above),
        Scope::below(&AbortSignal::from(token.clone())),
    ];
    for (number, scope) in scopes.into_iter().enumerate() {
        let handles = crowd(&scope).await;
        let late = scope.spawn(polled());
        match number {
            0 => assert!(scope.abort("by itself")),
            1 => assert!(two.abort("from above")),
            _ => token.cancel(),
        }
        let refused = scope.spawn(polled());
        scope.join().await;
        let text = ["by itself", "from above", "the token was cancelled"][number];
        for outcome in probe(handles.into_iter().chain([late, refused])) {
            assert_eq!(why(outcome).text(), Some(text));
        }
    }
}

/// The timer is that of the runtime that a task is in, not that of where the scope was made.
#[test]
fn below_a_timer_each_runtime_keeps_the_time() {
    let scope = Scope::below(&AbortSignal::timeout(20 * MS));
    let spawner = scope.spawner();
    let mut first = Vec::new();
    runtime().block_on(async {
        first.push(scope.spawn(pending::<Never>()));
        sleep(MS).await;
    });
    runtime().block_on(async {
        let start = Instant::now();
        let second = spawner.spawn(pending::<Never>());
        assert_eq!(why(second.await).kind(), ReasonKind::Timeout);
        scope.join().await;
        assert!(start.elapsed() < 1000 * MS);
    });
    assert!(
        why(probe(first).remove(0)).text().is_some(),
        "its runtime went first"
    );
}

#[tokio::test(start_paused = true)]
async fn below_a_timer_it_ends_in_time() {
    let start = Instant::now();
    let scope = Scope::below(&AbortSignal::timeout(20 * MS));
    let handles = crowd(&scope).await;
    scope.join().await;
    assert_eq!(start.elapsed(), 20 * MS);
    for outcome in probe(handles) {
        assert_eq!(why(outcome).kind(), ReasonKind::Timeout);
    }
}

/// Its place in the scope is another task's by then.
#[tokio::test]
async fn to_abort_what_is_over_hits_nobody_else() {
    let scope = Scope::new();
    let over = scope.spawn(ready(Never::Ok(())));
    let stays = scope.spawn(pending::<Never>());
    while !over.is_finished() {
        yield_now().await;
    }
    let next = scope.spawn(pending::<Never>());
    yield_now().await;
    assert!(over.abort("too late"));
    assert!(!over.abort("twice"));
    yield_now().await;
    assert!(!next.is_finished() && !stays.is_finished());
    let ids: Vec<u64> = scope.tasks().iter().map(settled::TaskInfo::id).collect();
    assert!(ids.is_sorted() && ids.len() == 2);
    assert!(over.await.is_fulfilled());
    assert!(next.abort("this one"));
    assert_eq!(why(next.await).text(), Some("this one"));
    assert!(scope.abort("all"));
    assert!(!stays.abort("after its scope"));
    assert_eq!(why(stays.await).text(), Some("all"));
    scope.join().await;
}
