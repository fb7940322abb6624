//! `Scope` against `JoinSet`.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::task::{JoinSet, yield_now};

/// Dropping it only asks the tasks to stop: what they hold is still held, and there is nothing to wait for.
#[tokio::test]
async fn what_tasks_hold_is_held_when_their_set_is_gone() {
    let held = Arc::new(());
    let hold = || {
        let inside = Arc::clone(&held);
        async move {
            let _inside = inside;
            pending::<Result<(), ()>>().await
        }
    };
    let mut set = JoinSet::new();
    set.spawn(hold());
    yield_now().await;
    drop(set);
    assert_eq!(Arc::strong_count(&held), 2, "mended: it is free at once");
    while Arc::strong_count(&held) > 1 {
        yield_now().await;
    }

    let scope = settled::Scope::new();
    drop(scope.spawn(hold()));
    yield_now().await;
    drop(scope);
    settled::drained().await;
    assert_eq!(Arc::strong_count(&held), 1);
}

/// The panic is there while the others still run.
#[tokio::test]
async fn a_panic_comes_out_while_siblings_run() {
    async fn fails() -> Result<(), ()> {
        yield_now().await;
        std::panic::resume_unwind(Box::new("this one panics"))
    }
    let held = Arc::new(());
    let hold = || {
        let inside = Arc::clone(&held);
        async move {
            let _inside = inside;
            pending::<Result<(), ()>>().await
        }
    };
    let mut set = JoinSet::new();
    set.spawn(hold());
    set.spawn(fails());
    assert!(
        AssertUnwindSafe(set.join_all())
            .catch_unwind()
            .await
            .is_err()
    );
    assert_eq!(Arc::strong_count(&held), 2, "mended: they are gone");
    while Arc::strong_count(&held) > 1 {
        yield_now().await;
    }

    let scope = settled::Scope::new();
    drop(scope.spawn(hold()));
    drop(scope.spawn(fails()));
    assert!(AssertUnwindSafe(scope.join()).catch_unwind().await.is_err());
    assert_eq!(Arc::strong_count(&held), 1);
}
