mod context;
mod ending;
mod example;
mod model;
mod nesting;
mod starting;
mod stopping;

use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use settled::{AbortController, Handle, Outcome, OutcomeKind, Reason, ReasonKind, Scope, settle};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, advance, sleep};

use crate::steps::{Alive, DropBomb, poll_once, probe, sweep};

pub(crate) type Never = Result<(), ()>;
/// A task that starts others like itself.
pub(crate) type Recursive = std::pin::Pin<Box<dyn Future<Output = Never> + Send>>;

pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

pub(crate) fn why<T: std::fmt::Debug>(outcome: Outcome<T, ()>) -> Reason {
    match outcome {
        Outcome::Cancelled(reason) => reason,
        other => panic!("it settled as {other:?}"),
    }
}

/// The body of a task that must never be started.
pub(crate) async fn polled() -> Never {
    unreachable!("it was polled")
}

/// What it gives, or `None` if it is pending still when all others have had many turns.
async fn ended_soon<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..100 {
        if let Poll::Ready(output) = poll_once(future.as_mut()).await {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// The join as an outcome, so that its panic can be looked at.
pub(crate) async fn join(scope: Scope) -> Outcome<(), ()> {
    settle(async {
        scope.join().await;
        Ok(())
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn the_join_waits_for_all_also_for_those_started_late() {
    let start = Instant::now();
    let (scope, alive) = (Scope::new(), Alive::default());
    let (spawner, inside) = (scope.spawner(), alive.clone());
    drop(scope.spawn(async move {
        sleep(10 * MS).await;
        let spawner2 = spawner.clone();
        drop(spawner.spawn(async move {
            sleep(10 * MS).await;
            drop(spawner2.spawn(async move {
                let _inside = inside;
                sleep(10 * MS).await;
                Ok::<_, ()>(())
            }));
            Ok::<_, ()>(())
        }));
        Ok::<_, ()>(())
    }));
    assert_eq!(scope.running(), 1);
    scope.join().await;
    assert_eq!(start.elapsed(), 30 * MS);
    assert_eq!(alive.others(), 0);
}

#[tokio::test]
async fn an_empty_scope_joins_at_once() {
    assert!(
        poll_once(Box::pin(Scope::new().join()).as_mut())
            .await
            .is_ready()
    );
}

#[tokio::test]
async fn errors_are_the_handles_own_and_stop_nobody() {
    let scope = Scope::new();
    let no = scope.spawn(ready(Err::<(), _>("no")));
    let yes = scope.spawn(async {
        tokio::task::yield_now().await;
        Ok::<_, ()>(7)
    });
    scope.join().await;
    assert!(matches!(probe([no]).remove(0), Outcome::Rejected("no")));
    assert_eq!(probe([yes]).remove(0).fulfilled(), Some(7));
}

#[tokio::test]
async fn a_panic_cancels_the_siblings_and_comes_out_of_the_join() {
    let (scope, alive) = (Scope::new(), Alive::default());
    let siblings: Vec<Handle<(), ()>> = (0..10)
        .map(|_| {
            let inside = alive.clone();
            scope.spawn(async move {
                let _inside = inside;
                pending::<Never>().await
            })
        })
        .collect();
    let bad = scope.spawn(async {
        if true {
            std::panic::panic_any(7_u8)
        } else {
            Never::Ok(())
        }
    });
    let (signal, spawner) = (scope.signal(), scope.spawner());
    let Outcome::Panicked(panic) = join(scope).await else {
        panic!("the join did not panic")
    };
    assert_eq!(alive.others(), 0, "all were gone before the panic came out");
    assert_eq!(
        *panic.take_payload().unwrap().downcast::<u8>().unwrap(),
        7,
        "it is the panic itself"
    );
    assert_eq!(probe([bad]).remove(0).kind(), OutcomeKind::Panicked);
    for outcome in probe(siblings) {
        assert_eq!(why(outcome).kind(), ReasonKind::Failed);
    }
    assert_eq!(signal.reason().unwrap().kind(), ReasonKind::Failed);
    let late = spawner.spawn(polled());
    assert_eq!(
        why::<()>(probe([late]).remove(0)).kind(),
        ReasonKind::Failed
    );
}

#[tokio::test]
async fn a_panic_in_a_destructor_counts_as_well() {
    let scope = Scope::new();
    let bad = scope.spawn(async {
        let _bomb = DropBomb;
        pending::<Never>().await
    });
    tokio::task::yield_now().await;
    scope.abort("enough");
    assert_eq!(join(scope).await.kind(), OutcomeKind::Panicked);
    assert_eq!(probe([bad]).remove(0).kind(), OutcomeKind::Panicked);
}

/// What nobody takes is dropped by the task, and if that panics, it is a panic of the task: the join goes on with it, and does not
/// wait for a task that never gets to its end.
#[tokio::test]
async fn a_value_that_nobody_takes_may_explode() {
    for is_ignored in [false, true] {
        for is_error in [false, true] {
            let scope = Scope::new();
            let sibling = scope.spawn(pending::<Never>());
            let bad = scope.spawn(async move {
                match is_error {
                    false => Ok(DropBomb),
                    true => Err(DropBomb),
                }
            });
            match is_ignored {
                false => drop(bad),
                true => bad.ignore(),
            }
            let Some(ended) = ended_soon(join(scope)).await else {
                panic!("the join hangs: ignored {is_ignored}, an error {is_error}");
            };
            assert_eq!(ended.kind(), OutcomeKind::Panicked);
            assert_eq!(why(probe([sibling]).remove(0)).kind(), ReasonKind::Failed);
        }
    }
}

/// Whoever awaits a handle may have a waker that panics. That is loud, and no hang.
#[tokio::test]
async fn a_waker_that_panics_keeps_no_task_from_its_end() {
    struct Hostile;
    impl Wake for Hostile {
        fn wake(self: Arc<Self>) {
            panic!("the waker panicked")
        }
    }
    let scope = Scope::new();
    let mut handle = scope.spawn(async { Ok::<_, ()>(7) });
    let waker = Waker::from(Arc::new(Hostile));
    let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let ended = ended_soon(join(scope)).await;
    assert_eq!(ended.expect("no hang").kind(), OutcomeKind::Panicked);
    assert_eq!(probe([handle]).remove(0).fulfilled(), Some(7));
}

#[tokio::test]
async fn an_abort_reaches_every_child_with_its_reason() {
    let parent = AbortController::new();
    let (scope, alive) = (Scope::below(&parent.signal()), Alive::default());
    let handles: Vec<Handle<(), ()>> = (0..10)
        .map(|number| {
            let inside = alive.clone();
            scope.spawn(async move {
                let _inside = inside;
                for _ in 0..number {
                    tokio::task::yield_now().await;
                }
                pending::<Never>().await
            })
        })
        .collect();
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    handles[3].abort("only this one");
    assert!(parent.abort(ReasonKind::Interrupted));
    assert!(!scope.abort("too late"));
    let never_polled = scope.spawn(polled());
    scope.join().await;
    assert_eq!(alive.others(), 0);
    for (number, outcome) in probe(handles).into_iter().enumerate() {
        let kind = if number == 3 {
            ReasonKind::Aborted
        } else {
            ReasonKind::Interrupted
        };
        assert_eq!(why(outcome).kind(), kind);
    }
    assert_eq!(
        why(probe([never_polled]).remove(0)).kind(),
        ReasonKind::Interrupted
    );
}

/// What was started, but not polled yet when the abort came, is dropped without ever being polled.
#[tokio::test]
async fn an_abort_before_the_first_poll_starts_nothing() {
    let scope = Scope::new();
    let handle = scope.spawn(polled());
    scope.abort("enough");
    scope.join().await;
    assert_eq!(why(probe([handle]).remove(0)).text(), Some("enough"));
}

#[tokio::test]
async fn an_abort_of_one_stops_one() {
    let scope = Scope::new();
    let (one, other) = (
        scope.spawn(pending::<Never>()),
        scope.spawn(ready(Ok::<_, ()>(7))),
    );
    assert!(one.abort("only this one"));
    assert!(!one.abort("again"));
    scope.join().await;
    assert_eq!(why(probe([one]).remove(0)).text(), Some("only this one"));
    assert_eq!(probe([other]).remove(0).fulfilled(), Some(7));
}

#[tokio::test]
async fn what_is_started_after_the_end_settles_as_cancelled() {
    let scope = Scope::new();
    let spawner = scope.spawner();
    scope.join().await;
    let handle = spawner.spawn(polled());
    assert_eq!(why(probe([handle]).remove(0)).kind(), ReasonKind::Closed);
    let scope = Scope::new();
    let spawner = scope.spawner();
    drop(scope);
    assert_eq!(
        why(probe([spawner.spawn(pending::<Never>())]).remove(0)).kind(),
        ReasonKind::Dropped
    );
}

/// Dropping a handle says that nobody wants to know; the task is the scope's.
#[tokio::test(start_paused = true)]
async fn a_dropped_handle_leaves_the_task_alone() {
    let (scope, count) = (Scope::new(), Arc::new(AtomicUsize::new(0)));
    let inside = Arc::clone(&count);
    drop(scope.spawn(async move {
        sleep(MS).await;
        inside.fetch_add(1, Ordering::SeqCst);
        Ok::<_, ()>(())
    }));
    scope.join().await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_dropped_scope_is_adopted_counted_and_drained() {
    let (scope, alive) = (Scope::new(), Alive::default());
    let handles: Vec<Handle<(), ()>> = (0..10)
        .map(|_| {
            let inside = alive.clone();
            scope.spawn(async move {
                let _inside = inside;
                pending::<Never>().await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let signal = scope.signal();
    drop(scope);
    assert_eq!(
        signal.reason().unwrap().kind(),
        ReasonKind::Dropped,
        "aborted at once"
    );
    // Other tests may have theirs in the same registry.
    assert!(settled::running() >= 10, "they are counted");
    settled::drained().await;
    assert_eq!(alive.others(), 0);
    for outcome in probe(handles) {
        assert_eq!(why(outcome).kind(), ReasonKind::Dropped);
    }
}

/// The join itself dropped after any number of polls: it aborts, and nothing is pending once all has been drained.
#[tokio::test(start_paused = true)]
async fn a_join_dropped_at_any_step_leaves_nothing_behind() {
    struct World {
        alive: Alive,
        handles: std::cell::RefCell<Vec<Handle<(), ()>>>,
    }
    let polls = sweep(
        || World {
            alive: Alive::default(),
            handles: std::cell::RefCell::default(),
        },
        async |world: &World| {
            let scope = Scope::new();
            for number in 1..6 {
                let inside = world.alive.clone();
                world.handles.borrow_mut().push(scope.spawn(async move {
                    let _inside = inside;
                    sleep(number * MS).await;
                    Ok(())
                }));
                tokio::task::yield_now().await;
            }
            scope.join().await;
        },
        async |_, _| advance(MS).await,
        async |world, polls| {
            settled::drained().await;
            assert_eq!(world.alive.others(), 0, "after {polls} polls");
            for outcome in probe(world.handles.take()) {
                assert!(outcome.is_fulfilled() || why(outcome).kind() == ReasonKind::Dropped);
            }
        },
    )
    .await;
    assert!(polls > 6, "{polls}");
}

/// A runtime that is shut down drops its tasks wherever they are: each handle settles all the same, and the count is right.
#[test]
fn a_runtime_that_shuts_down_settles_every_handle() {
    let alive = Alive::default();
    let (scope, dying) = (Scope::new(), runtime());
    let start = |aborted: bool| {
        let inside = alive.clone();
        let _context = dying.enter();
        let handle = scope.spawn(async move {
            let _inside = inside;
            pending::<Never>().await
        });
        if aborted {
            handle.abort("before");
        }
        handle
    };
    let polled = start(false);
    dying.block_on(tokio::task::yield_now());
    let (never_polled, aborted) = (start(false), start(true));
    drop(dying);
    assert_eq!((alive.others(), scope.running()), (0, 0));
    let reasons: Vec<_> = probe([polled, never_polled, aborted])
        .into_iter()
        .map(why)
        .collect();
    assert_eq!(reasons[0].kind(), ReasonKind::Dropped);
    assert_eq!(reasons[1].text(), Some("the task's runtime was shut down"));
    assert_eq!(reasons[2].text(), Some("before"));
    assert_eq!(probe([scope.join()]).len(), 1);
}

#[test]
fn a_scope_spans_runtimes() {
    let (scope, count) = (Scope::new(), Arc::new(AtomicUsize::new(0)));
    std::thread::scope(|threads| {
        for _ in 0..4 {
            let (spawner, count) = (scope.spawner(), Arc::clone(&count));
            threads.spawn(move || {
                runtime().block_on(async {
                    let handles: Vec<_> = (0..100)
                        .map(|_| {
                            let count = Arc::clone(&count);
                            spawner.spawn(async move {
                                tokio::task::yield_now().await;
                                count.fetch_add(1, Ordering::SeqCst);
                                Ok::<_, ()>(())
                            })
                        })
                        .collect();
                    for handle in handles {
                        assert!(handle.await.is_fulfilled());
                    }
                });
            });
        }
        runtime().block_on(async { sleep(MS).await });
    });
    runtime().block_on(scope.join());
    assert_eq!(count.load(Ordering::SeqCst), 400);
}

#[test]
fn no_runtime_is_a_panic_and_leaves_the_count_right() {
    let scope = Scope::new();
    let started = std::panic::catch_unwind(AssertUnwindSafe(|| scope.spawn(pending::<Never>())));
    assert!(started.is_err());
    assert_eq!(scope.running(), 0);
    let spawned =
        std::panic::catch_unwind(AssertUnwindSafe(|| scope.spawn_local(pending::<Never>())));
    assert!(spawned.is_err());
    assert_eq!(probe([scope.join()]).len(), 1);
}

#[tokio::test]
async fn local_tasks_are_children_like_any_other() {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let (scope, alive) = (Scope::new(), Alive::default());
            let not_send = std::rc::Rc::new(alive.clone());
            let handle = scope.spawn_local(async move {
                let _not_send = not_send;
                pending::<Never>().await
            });
            tokio::task::yield_now().await;
            scope.abort("enough");
            scope.join().await;
            assert_eq!(alive.others(), 0);
            assert_eq!(why(probe([handle]).remove(0)).text(), Some("enough"));
        })
        .await;
}
