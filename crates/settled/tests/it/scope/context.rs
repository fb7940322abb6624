//! What a task has from whoever starts it.
#![expect(
    clippy::async_yields_async,
    reason = "a handle that is made inside of a context is awaited outside of it"
)]

use std::future::{pending, ready};

use settled::{
    AbortController, AbortSignal, Context, Handle, Outcome, Reason, Scope, Spawner,
    current_deadline, timeout,
};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::{MS, Never, why};
use crate::steps::{Alive, probe};

async fn deadline_of(spawner: &Spawner) -> Option<Instant> {
    let seen = spawner.spawn(async { Ok::<_, ()>(current_deadline()) });
    seen.await.fulfilled().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_deadline_goes_along_and_is_kept() {
    let (scope, alive) = (Scope::new(), Alive::default());
    let spawner = scope.spawner();
    assert_eq!(deadline_of(&spawner).await, None);
    let end = Instant::now() + 10 * MS;
    let inside = alive.clone();
    let (tx, rx) = std::sync::mpsc::channel();
    let late = timeout(10 * MS, async {
        assert_eq!(deadline_of(&spawner).await, Some(end));
        let spawner2 = spawner.clone();
        let slow = spawner.spawn(async move {
            let _inside = inside;
            // And along from task to task.
            assert_eq!(deadline_of(&spawner2).await, Some(end));
            sleep(20 * MS).await;
            Never::Ok(())
        });
        tx.send(slow).unwrap();
        pending::<()>().await;
    });
    assert!(late.await.is_err());
    scope.join().await;
    assert_eq!(Instant::now(), end);
    assert_eq!(alive.others(), 0);
    let slow = rx.try_recv().unwrap();
    assert!(matches!(probe([slow]).remove(0), Outcome::TimedOut));
}

/// What is started past the deadline is not even polled.
#[tokio::test(start_paused = true)]
async fn past_the_deadline_nothing_is_started() {
    let scope = Scope::new();
    let context = timeout(MS, async { Context::current() }).await.unwrap();
    sleep(2 * MS).await;
    let handle = context.within(async { scope.spawn(super::polled()) }).await;
    assert!(handle.await.is_timed_out());
    scope.join().await;
}

/// The signal is told, not enforced: what ends a task is its scope, its handle, its deadline.
#[tokio::test]
async fn the_signal_is_heard_along_the_way() {
    let (scope, controller) = (Scope::new(), AbortController::new());
    let spawner = scope.spawner();
    let started = controller
        .signal()
        .run(async {
            let handle = spawner.spawn(async {
                let reason = AbortSignal::current().aborted().await;
                yield_now().await;
                Ok::<_, ()>(reason)
            });
            yield_now().await;
            Ok::<_, ()>(handle)
        })
        .await;
    let handle = started.unwrap().unwrap();
    assert!(!handle.is_finished());
    controller.abort("far away");
    assert_eq!(handle.await.fulfilled().unwrap().text(), Some("far away"));
    scope.join().await;
}

/// A task hears of its own abort, and its scope's; one that it has started hears what itself was given, and not of its end.
#[tokio::test]
async fn a_task_that_was_started_by_a_task_hears_what_that_was_given() {
    let (scope, controller) = (Scope::new(), AbortController::new());
    let (spawner, inner) = (scope.spawner(), scope.spawner());
    let (sender, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let start = async {
        spawner.spawn(async move {
            let hear = async move {
                let _ = sender.send(AbortSignal::current().aborted().await);
                Never::Ok(())
            };
            inner.spawn(hear).ignore();
            pending::<Never>().await
        })
    };
    let first = controller.signal().run(start).await.unwrap();
    yield_now().await;
    first.abort("the first alone");
    assert!(why(first.await).text().is_some());
    assert!(hears.try_recv().is_err());
    controller.abort("far away");
    assert_eq!(hears.recv().await.unwrap().text(), Some("far away"));
    scope.join().await;
}

/// Who listens in a task hears what is meant for that task alone, also if it asks after the abort, while the task still runs.
#[tokio::test]
async fn a_task_hears_its_own_abort() {
    let scope = Scope::new();
    let (signals, mut signal) = tokio::sync::mpsc::unbounded_channel();
    let listener = signals.clone();
    let listens = scope.spawn(async move {
        listener.send(AbortSignal::current()).unwrap();
        pending::<Never>().await
    });
    let sibling = scope.spawn(async move {
        signals.send(AbortSignal::current()).unwrap();
        pending::<Never>().await
    });
    let (own, other) = (signal.recv().await.unwrap(), signal.recv().await.unwrap());
    assert!(!own.is_aborted() && !other.is_aborted());
    let waits = own.aborted();
    assert!(listens.abort("this one"));
    assert_eq!(waits.await.text(), Some("this one"));
    assert!(!other.is_aborted());

    let (give, take) = tokio::sync::oneshot::channel::<Handle<Option<Reason>, ()>>();
    let (say, said) = tokio::sync::oneshot::channel();
    let asks = scope.spawn(async move {
        let handle = take.await.unwrap();
        assert!(handle.abort("by itself"));
        assert!(!handle.abort("twice"));
        say.send(AbortSignal::current().reason()).unwrap();
        handle.ignore();
        // What is ready at this poll counts.
        Ok(None)
    });
    give.send(asks).unwrap();
    assert_eq!(said.await.unwrap().unwrap().text(), Some("by itself"));

    assert!(scope.abort("all"));
    assert_eq!(other.aborted().await.text(), Some("all"));
    assert_eq!(own.reason().unwrap().text(), Some("this one"));
    assert_eq!(why(listens.await).text(), Some("this one"));
    assert_eq!(why(sibling.await).text(), Some("all"));
    scope.join().await;
}

/// A chain of tasks, each started by the one before: nothing of the old ones is kept.
#[tokio::test]
async fn a_chain_of_tasks_does_not_grow() {
    fn next(spawner: Spawner, left: usize) -> super::Recursive {
        Box::pin(async move {
            if left > 0 {
                spawner.spawn(next(spawner.clone(), left - 1)).ignore();
            }
            Ok(())
        })
    }
    let controller = AbortController::new();
    let scope = Scope::new();
    let start = async { scope.spawn(next(scope.spawner(), 20_000)).ignore() };
    controller.signal().run(start).await.unwrap();
    scope.join().await;
}

/// A `LocalSet` is polled inside of a limit: that is not the limit of its tasks, unless they were started inside of it.
#[tokio::test(start_paused = true)]
async fn the_context_of_a_poll_is_not_that_of_a_task() {
    let local = tokio::task::LocalSet::new();
    let scope = Scope::new();
    let handle = {
        let _inside = local.enter();
        scope.spawn_local(async {
            yield_now().await;
            Ok::<_, ()>((current_deadline(), AbortSignal::current().is_aborted()))
        })
    };
    let seen = timeout(MS, local.run_until(handle)).await.unwrap();
    assert_eq!(seen.fulfilled(), Some((None, false)));
    scope.spawn(ready(Never::Ok(()))).ignore();
    scope.join().await;
}
