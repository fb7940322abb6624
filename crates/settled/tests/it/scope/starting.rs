//! Tasks that say when they are ready.

use std::cell::RefCell;
use std::future::pending;

use settled::{Failed, Handle, Ready, ReasonKind, Scope, drained};
use tokio::task::yield_now;
use tokio::time::advance;

use super::{MS, Never};
use crate::steps::{Alive, poll_once, probe, sweep};

#[tokio::test]
async fn it_waits_for_the_word_and_gives_the_handle() {
    let scope = Scope::new();
    let started = scope.start(async |ready: Ready<u16>| {
        yield_now().await;
        assert_eq!(ready.with(80), Ok(()));
        yield_now().await;
        Ok::<_, ()>("served")
    });
    let (port, handle) = started.await.unwrap();
    assert_eq!((port, handle.is_finished()), (80, false));
    scope.join().await;
    assert_eq!(handle.await.fulfilled(), Some("served"));
}

#[tokio::test]
async fn a_crash_before_is_the_answer() {
    crate::unhandled::listen();
    let scope = Scope::new();
    let spawner = scope.named("crash before");
    let rejected = spawner.start(async |_ready: Ready<()>| {
        yield_now().await;
        Err::<(), _>("no such port")
    });
    assert!(matches!(
        rejected.await,
        Err(Failed::Rejected("no such port"))
    ));
    let silent = spawner.start(async |ready: Ready<()>| {
        drop(ready);
        Ok::<_, ()>(7)
    });
    match silent.await {
        Err(Failed::Cancelled(reason)) => {
            assert_eq!(reason.kind(), ReasonKind::Failed);
            assert_eq!(
                reason.text(),
                Some("the task ended without ever having been ready")
            );
        }
        other => panic!("{other:?}"),
    }
    let panicked = spawner.start(async |_ready: Ready<()>| {
        if true {
            panic!("on purpose")
        }
        Never::Ok(())
    });
    assert!(matches!(panicked.await, Err(Failed::Panicked(_))));
    let aborted = spawner.start(async |_ready: Ready<()>| pending::<Never>().await);
    assert!(
        matches!(aborted.await, Err(Failed::Cancelled(reason)) if reason.kind() == ReasonKind::Failed),
        "the scope was aborted by the panic"
    );
    assert!(super::join(scope).await.is_panicked());
    assert_eq!(crate::unhandled::told("crash before"), [], "all were seen");
}

#[tokio::test]
async fn a_crash_after_is_the_handles() {
    let scope = Scope::new();
    let started = scope.start(async |ready: Ready<()>| {
        ready.with(()).unwrap();
        Err::<(), _>("later")
    });
    let ((), handle) = started.await.unwrap();
    assert!(matches!(
        handle.await.into_result(),
        Err(Failed::Rejected("later"))
    ));
    scope.join().await;
}

/// Whoever waits is dropped at any step: the task is aborted, unless its handle was given out.
#[tokio::test(start_paused = true)]
async fn given_up_while_starting_it_is_aborted() {
    #[derive(Default)]
    struct World {
        alive: Alive,
        scope: RefCell<Option<Scope>>,
        handle: RefCell<Option<Handle<(), ()>>>,
    }
    let polls = sweep(
        World::default,
        async |world: &World| {
            let scope = Scope::new();
            let inside = world.alive.clone();
            let started = scope.start(async move |ready: Ready<()>| {
                let _inside = inside;
                yield_now().await;
                let _ = ready.with(());
                pending::<Never>().await
            });
            *world.scope.borrow_mut() = Some(scope);
            let ((), handle) = started.await.unwrap();
            *world.handle.borrow_mut() = Some(handle);
        },
        async |_, _| advance(MS).await,
        async |world, polls| {
            let (scope, handle) = (world.scope.take(), world.handle.take());
            if let Some(handle) = handle {
                assert!(!handle.is_finished());
                handle.abort("ready, and not needed any more");
            }
            if let Some(scope) = scope {
                scope.join().await;
            }
            assert_eq!(world.alive.others(), 0, "after {polls} polls");
        },
    )
    .await;
    assert!(polls > 1, "{polls}");
    drained().await;
}

#[tokio::test]
async fn the_word_comes_back_if_nobody_waits() {
    let scope = Scope::new();
    let (sender, given_back) = tokio::sync::oneshot::channel();
    let mut started = Box::pin(scope.start(async |ready: Ready<u8>| {
        let _ = sender.send(ready);
        pending::<Never>().await
    }));
    assert!(poll_once(started.as_mut()).await.is_pending());
    let ready = given_back.await.unwrap();
    drop(started);
    assert_eq!(ready.with(7), Err(7));
    scope.join().await;
}

#[tokio::test]
async fn in_a_scope_that_has_ended_nothing_is_started() {
    let scope = Scope::new();
    let spawner = scope.spawner();
    scope.join().await;
    let started = spawner.start(async |_: Ready<()>| super::polled().await);
    let failed = probe([started]).remove(0).unwrap_err();
    assert!(matches!(failed, Failed::Cancelled(reason) if reason.kind() == ReasonKind::Closed));
}
