//! The ways to end a scope: shutting down, the closed form, shields.

use std::cell::RefCell;
use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use settled::{
    AbortSignal, Handle, Outcome, Reason, ReasonKind, Scope, drained, settle, shield, timeout,
};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

use super::{MS, Never, Recursive, polled, why};
use crate::steps::{Alive, probe, sweep};

/// Hears the signal, then takes `time` to clean up; counts how often it did.
fn polite(scope: &Scope, time: Duration, cleaned: &Arc<AtomicUsize>) -> Handle<Reason, ()> {
    let (signal, cleaned) = (scope.signal(), Arc::clone(cleaned));
    scope.spawn(async move {
        let reason = signal.aborted().await;
        sleep(time).await;
        cleaned.fetch_add(1, Ordering::SeqCst);
        Ok(reason)
    })
}

#[tokio::test(start_paused = true)]
async fn a_shut_down_lets_tasks_end_and_drops_them_after_the_grace() {
    let (scope, cleaned) = (Scope::new(), Arc::new(AtomicUsize::new(0)));
    let quick = polite(&scope, 10 * MS, &cleaned);
    let slow = polite(&scope, 200 * MS, &cleaned);
    let alive = Alive::default();
    let inside = alive.clone();
    let deaf = scope.named("deaf").spawn(async move {
        let _inside = inside;
        pending::<Never>().await
    });
    let spawner = scope.spawner();
    let helper = scope.spawn(async move {
        spawner.signal().aborted().await;
        // What has to be done on the way out may be a task.
        spawner
            .spawn(ready(Ok::<_, ()>(7)))
            .await
            .into_result()
            .map_err(drop)
    });
    yield_now().await;
    let start = Instant::now();
    let late = scope.shutdown(ReasonKind::Interrupted, 100 * MS).await;
    assert_eq!(start.elapsed(), 100 * MS);
    assert_eq!(late.len(), 2);
    assert!(late.iter().any(|task| task.name() == Some("deaf")));
    assert_eq!(cleaned.load(Ordering::SeqCst), 1, "exactly once");
    assert_eq!(alive.others(), 0);
    let outcome = probe([quick]).remove(0);
    assert_eq!(outcome.fulfilled().unwrap().kind(), ReasonKind::Interrupted);
    assert_eq!(probe([helper]).remove(0).fulfilled(), Some(7));
    assert_eq!(why(probe([slow]).remove(0)).kind(), ReasonKind::Interrupted);
    assert_eq!(why(probe([deaf]).remove(0)).kind(), ReasonKind::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_shut_down_is_over_as_soon_as_all_have_ended() {
    let (scope, cleaned) = (Scope::new(), Arc::new(AtomicUsize::new(0)));
    polite(&scope, 10 * MS, &cleaned).ignore();
    let start = Instant::now();
    assert!(scope.shutdown("enough", Duration::MAX).await.is_empty());
    assert_eq!(
        (start.elapsed(), cleaned.load(Ordering::SeqCst)),
        (10 * MS, 1)
    );
    // Nobody is there: no clock, no timer.
    assert!(Scope::new().shutdown("enough", MS).await.is_empty());
    assert_eq!(start.elapsed(), 10 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_grace_of_zero_is_an_abort() {
    let (scope, cleaned) = (Scope::new(), Arc::new(AtomicUsize::new(0)));
    let handle = polite(&scope, Duration::ZERO, &cleaned);
    yield_now().await;
    let start = Instant::now();
    assert_eq!(scope.shutdown("now", Duration::ZERO).await.len(), 1);
    assert_eq!(start.elapsed(), Duration::ZERO);
    // The value of a task that is woken by the signal and ready wins, as always.
    drop(handle);
    assert!(cleaned.load(Ordering::SeqCst) <= 1);
}

/// The scopes below hear it too, and what is inside of them has the grace as well.
#[tokio::test(start_paused = true)]
async fn a_shut_down_is_heard_at_every_depth() {
    fn level(depth: usize, heard: Arc<AtomicUsize>) -> Recursive {
        Box::pin(async move {
            let scope = Scope::new();
            if depth > 0 {
                scope.spawn(level(depth - 1, Arc::clone(&heard))).ignore();
            }
            let signal = scope.signal();
            assert_eq!(signal.aborted().await.text(), Some("closing time"));
            assert!(
                AbortSignal::current().is_aborted(),
                "it can be asked for, too"
            );
            // Level-triggered: it stays so.
            assert!(signal.run(pending::<()>()).await.is_err());
            assert!(signal.run(pending::<()>()).await.is_err());
            sleep(10 * MS).await;
            heard.fetch_add(1, Ordering::SeqCst);
            scope.join().await;
            Ok(())
        })
    }
    let (scope, heard) = (Scope::new(), Arc::new(AtomicUsize::new(0)));
    scope.spawn(level(5, Arc::clone(&heard))).ignore();
    for _ in 0..10 {
        yield_now().await;
    }
    assert!(scope.shutdown("closing time", 50 * MS).await.is_empty());
    assert_eq!(heard.load(Ordering::SeqCst), 6);
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_shutting_down_comes_out_of_it() {
    let scope = Scope::new();
    let signal = scope.signal();
    scope
        .spawn(async move {
            signal.aborted().await;
            if true {
                panic!("on purpose")
            }
            Never::Ok(())
        })
        .ignore();
    let sibling = scope.spawn(pending::<Never>());
    let outcome = settle(async { Ok::<_, ()>(scope.shutdown("enough", 100 * MS).await) });
    assert!(outcome.await.is_panicked());
    assert_eq!(why(probe([sibling]).remove(0)).kind(), ReasonKind::Failed);
}

/// Dropped after any number of polls: nothing is left, and every handle settles.
#[tokio::test(start_paused = true)]
async fn a_shut_down_dropped_at_any_step_leaves_nothing_behind() {
    #[derive(Default)]
    struct World {
        alive: Alive,
        handles: RefCell<Vec<Handle<Reason, ()>>>,
    }
    let polls = sweep(
        World::default,
        async |world: &World| {
            let (scope, cleaned) = (Scope::new(), Arc::default());
            for number in 1..4 {
                world
                    .handles
                    .borrow_mut()
                    .push(polite(&scope, number * MS, &cleaned));
                let inside = world.alive.clone();
                scope
                    .spawn(async move {
                        let _inside = inside;
                        pending::<Never>().await
                    })
                    .ignore();
                yield_now().await;
            }
            scope.shutdown("enough", 2 * MS).await;
        },
        async |_, _| advance(MS).await,
        async |world, polls| {
            drained().await;
            assert_eq!(world.alive.others(), 0, "after {polls} polls");
            for outcome in probe(world.handles.take()) {
                assert!(outcome.is_fulfilled() || outcome.is_cancelled());
            }
        },
    )
    .await;
    assert!(polls > 4, "{polls}");
}

#[tokio::test]
async fn the_closed_form_waits_for_its_tasks() {
    let alive = Alive::default();
    let word = String::from("borrowed");
    let length = settled::scope(async |scope| {
        for _ in 0..5 {
            let inside = alive.clone();
            let work = async move {
                let _inside = inside;
                yield_now().await;
                Never::Ok(())
            };
            scope.spawn(work).ignore();
        }
        Ok::<_, ()>(word.len())
    });
    assert_eq!(length.await, Ok(8));
    assert_eq!(alive.others(), 0);
}

#[tokio::test]
async fn a_body_that_fails_aborts_its_tasks_first() {
    let handles = RefCell::new(Vec::new());
    let failed = settled::scope(async |scope| {
        handles.borrow_mut().push(scope.spawn(pending::<Never>()));
        yield_now().await;
        Err::<(), _>("no")
    });
    assert_eq!(failed.await, Err("no"));
    let panicked = settle(settled::scope(async |scope| {
        handles.borrow_mut().push(scope.spawn(pending::<Never>()));
        yield_now().await;
        if true {
            std::panic::panic_any(7_u8)
        }
        Never::Ok(())
    }));
    let Outcome::Panicked(panic) = panicked.await else {
        panic!("the panic was lost")
    };
    assert_eq!(panic.take_payload().unwrap().downcast_ref(), Some(&7_u8));
    for outcome in probe(handles.take()) {
        assert_eq!(why(outcome).text(), Some("the body of the scope failed"));
    }
}

/// The body waits for something that will never come, as the task that was to send it is gone.
#[tokio::test]
async fn a_panic_of_a_task_ends_the_body() {
    let alive = Alive::default();
    let outcome = settle(settled::scope(async |scope| {
        let _inside = alive.clone();
        scope
            .spawn(async {
                yield_now().await;
                if true {
                    panic!("on purpose")
                }
                Never::Ok(())
            })
            .ignore();
        pending::<Never>().await
    }));
    assert!(outcome.await.is_panicked());
    assert_eq!(alive.others(), 0);
}

/// An abort was meant for the tasks: the body goes on, and sees what became of them.
#[tokio::test]
async fn an_abort_leaves_the_body_alone() {
    let reason = settled::scope(async |scope| {
        let never = scope.spawn(pending::<Never>());
        scope.abort("the tasks");
        let late = scope.spawn(polled());
        yield_now().await;
        assert_eq!(why(late.await).text(), Some("the tasks"));
        Ok::<_, ()>(why(never.await))
    });
    assert_eq!(reason.await.unwrap().text(), Some("the tasks"));
}

#[tokio::test(start_paused = true)]
async fn the_closed_form_dropped_at_any_step_leaves_nothing_behind() {
    let polls = sweep(
        Alive::default,
        async |alive: &Alive| {
            settled::scope(async |scope| {
                for number in 1..4 {
                    let inside = alive.clone();
                    let work = async move {
                        let _inside = inside;
                        sleep(number * MS).await;
                        Never::Ok(())
                    };
                    scope.spawn(work).ignore();
                    yield_now().await;
                }
                // A scope below, left to the one around.
                let inside = alive.clone();
                let work = async move {
                    let _inside = inside;
                    pending::<Never>().await
                };
                Scope::new().spawn(work).ignore();
                Never::Ok(())
            })
            .await
        },
        async |_, _| advance(MS).await,
        async |alive, polls| {
            drained().await;
            assert_eq!(alive.others(), 0, "after {polls} polls");
        },
    )
    .await;
    assert!(polls > 4, "{polls}");
}

/// It can be a task itself, though its body borrows.
#[tokio::test]
async fn the_closed_form_can_be_sent() {
    let task = tokio::spawn(async {
        let numbers = vec![1, 2, 3];
        settled::scope(async |scope| {
            let mut sum = 0;
            for number in &numbers {
                let number = *number;
                sum += scope
                    .spawn(ready(Ok::<_, ()>(number)))
                    .await
                    .fulfilled()
                    .unwrap();
            }
            Ok::<_, ()>(sum)
        })
        .await
    });
    assert_eq!(task.await.unwrap(), Ok(6));
}

#[tokio::test(start_paused = true)]
async fn a_shield_goes_on_when_whoever_waits_is_dropped() {
    let done = Arc::new(AtomicUsize::new(0));
    let work = |done: &Arc<AtomicUsize>| {
        let done = Arc::clone(done);
        async move {
            assert_eq!(
                settled::current_deadline(),
                None,
                "the outer limit is not its own"
            );
            assert!(!AbortSignal::current().is_aborted());
            sleep(20 * MS).await;
            done.fetch_add(1, Ordering::SeqCst);
            Ok::<_, ()>(())
        }
    };
    assert!(timeout(10 * MS, shield(work(&done))).await.is_err());
    // Nor does the scope of whoever started it end it; its own handle does.
    let scope = Scope::new();
    let inner = work(&done);
    let handle = scope.spawn(async move { shield(inner).await.into_result().map_err(drop) });
    yield_now().await;
    scope.abort("outer");
    scope.join().await;
    assert!(handle.await.is_cancelled());
    let own = shield(work(&done));
    assert!(own.abort("its own"));
    drained().await;
    assert_eq!(why(own.await).text(), Some("its own"));
    assert_eq!(done.load(Ordering::SeqCst), 2);
}
