//! Scopes in tasks of scopes: who waits for whom.

use std::future::{pending, ready};
use std::pin::pin;

use settled::{Handle, Outcome, Scope, drained, left_over, running, settle, shield};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::{MS, Never, Recursive, join, why};
use crate::steps::{Alive, poll_once, probe};

/// A task that takes a while to be gone: its destructor starts `time` of work that the scope must wait for.
fn slow_to_die(scope: &Scope, alive: &Alive) -> Handle<(), ()> {
    let inside = alive.clone();
    scope.spawn(async move {
        let _inside = inside;
        pending::<Never>().await
    })
}

/// Each level drops its scope without a join; the outermost join waits for all of them, and the root never sees any.
#[tokio::test]
async fn the_join_waits_for_scopes_that_were_dropped_inside_at_any_depth() {
    fn level(depth: usize, alive: Alive) -> Recursive {
        Box::pin(async move {
            let scope = Scope::new();
            slow_to_die(&scope, &alive).ignore();
            if depth > 0 {
                scope.spawn(level(depth - 1, alive.clone())).ignore();
            }
            yield_now().await;
            yield_now().await;
            Ok(())
        })
    }
    let (outer, alive) = (Scope::new(), Alive::default());
    outer.spawn(level(5, alive.clone())).ignore();
    yield_now().await;
    assert!(alive.others() > 0);
    outer.join().await;
    assert_eq!(alive.others(), 0);
}

/// Aborting the outermost reaches the innermost, and the join waits for it.
#[tokio::test]
async fn an_abort_reaches_every_depth() {
    fn level(depth: usize, alive: Alive) -> Recursive {
        Box::pin(async move {
            let scope = Scope::new();
            let inner = match depth {
                0 => slow_to_die(&scope, &alive),
                _ => scope.spawn(level(depth - 1, alive.clone())),
            };
            let _alive = alive;
            inner.ignore();
            scope.join().await;
            Ok(())
        })
    }
    let (outer, alive) = (Scope::new(), Alive::default());
    let handle = outer.spawn(level(6, alive.clone()));
    for _ in 0..10 {
        yield_now().await;
    }
    assert_eq!(alive.others(), 8);
    outer.abort("all of it");
    outer.join().await;
    assert_eq!(alive.others(), 0, "without `drained`");
    assert_eq!(why(probe([handle]).remove(0)).text(), Some("all of it"));
}

/// Hands a scope out of the task that made it.
async fn made_inside(outer: &Scope) -> Scope {
    let made = outer.spawn(async { Ok::<_, ()>(Scope::new()) });
    made.await.fulfilled().unwrap()
}

#[tokio::test]
async fn the_host_is_the_nearest_scope_that_has_not_ended() {
    // Still open, though the task is over.
    let (outer, alive) = (Scope::new(), Alive::default());
    let inner = made_inside(&outer).await;
    slow_to_die(&inner, &alive).ignore();
    yield_now().await;
    drop(inner);
    assert_eq!(outer.running(), 1, "it is the outer one's now");
    assert_eq!(outer.tasks().len(), 1);
    outer.join().await;
    assert_eq!(alive.others(), 0);

    // Ended: the next one around.
    let outer = Scope::new();
    let middle = made_inside(&outer).await;
    let inner = made_inside(&middle).await;
    slow_to_die(&inner, &alive).ignore();
    yield_now().await;
    middle.join().await;
    drop(inner);
    assert_eq!(outer.running(), 1);
    outer.join().await;
    assert_eq!(alive.others(), 0);

    // None is left: the root.
    let outer = Scope::new();
    let inner = made_inside(&outer).await;
    inner.named("of nobody").spawn(pending::<Never>()).ignore();
    outer.join().await;
    drop(inner);
    let listed = || {
        let left = left_over();
        left.iter().any(|task| task.name() == Some("of nobody"))
    };
    assert!(listed() && running() > 0);
    drained().await;
    assert!(!listed());
}

/// A host that is dropped itself takes its guests along to its own host.
#[tokio::test]
async fn guests_move_with_their_host() {
    let (outer, alive) = (Scope::new(), Alive::default());
    let middle = made_inside(&outer).await;
    let inner = made_inside(&middle).await;
    slow_to_die(&inner, &alive).ignore();
    slow_to_die(&middle, &alive).ignore();
    yield_now().await;
    drop(inner);
    drop(middle);
    assert_eq!(outer.running(), 2);
    outer.join().await;
    assert_eq!(alive.others(), 0);
}

/// The panic of a scope that nobody joins is not its host's, but it is told.
#[tokio::test]
async fn the_panic_of_a_guest_stops_nobody_else() {
    crate::unhandled::listen();
    let outer = Scope::new();
    let inner = made_inside(&outer).await;
    let bad = inner.named("guest").spawn(async {
        let _bomb = crate::steps::DropBomb;
        pending::<Never>().await
    });
    let sibling = outer.spawn(async {
        for _ in 0..10 {
            yield_now().await;
        }
        Never::Ok(())
    });
    yield_now().await;
    drop((inner, bad));
    outer.join().await;
    assert!(sibling.await.is_fulfilled());
    assert_eq!(crate::unhandled::told("guest").len(), 1);
}

#[tokio::test]
async fn a_detached_scope_is_the_roots_even_inside_of_another() {
    let (outer, alive) = (Scope::new(), Alive::default());
    let (sender, go_on) = oneshot::channel::<()>();
    let inner = made_inside(&outer).await;
    let (inside, spawner) = (alive.clone(), inner.spawner());
    let handle = inner.named("detached inside").spawn(async move {
        let _inside = inside;
        go_on.await.map_err(drop)?;
        // Still open for those that are inside.
        spawner
            .spawn(ready(Ok::<_, ()>(7)))
            .await
            .into_result()
            .map_err(drop)
    });
    let spawner = inner.spawner();
    inner.detach();
    outer.join().await;
    assert_eq!(alive.others(), 1, "it goes on");
    let named = |name| left_over().iter().any(|task| task.name() == Some(name));
    assert!(named("detached inside"));
    sender.send(()).unwrap();
    assert_eq!(handle.await.fulfilled(), Some(7));
    drained().await;
    assert_eq!(alive.others(), 0);
    assert_eq!(
        why::<()>(probe([spawner.spawn(super::polled())]).remove(0)).to_string(),
        "closed: the scope has ended"
    );
}

#[tokio::test]
async fn a_detached_scope_without_tasks_has_ended() {
    let scope = Scope::new();
    let (spawner, signal) = (scope.spawner(), scope.signal());
    scope.detach();
    assert!(!signal.is_aborted());
    let late: Handle<(), ()> = spawner.spawn(super::polled());
    assert!(late.await.is_cancelled());
}

/// A task that owns the scope that it is a part of.
fn its_own<Fut: Future<Output = ()> + Send + 'static>(
    body: impl FnOnce(Scope) -> Fut,
) -> Handle<(), ()> {
    let scope = Scope::new();
    let spawner = scope.spawner();
    let body = body(scope);
    spawner.spawn(async move {
        body.await;
        Ok(())
    })
}

fn message<T, E>(outcome: Outcome<T, E>) -> String {
    match outcome {
        Outcome::Panicked(panic) => panic.message().to_owned(),
        other => panic!("it settled as {}", other.kind()),
    }
}

const ITSELF: &str = "a task waits for the scope that it is a part of, which waits for the task";

#[tokio::test]
async fn to_wait_for_oneself_is_an_error_and_no_hang() {
    let joins = its_own(Scope::join);
    assert_eq!(message(joins.await), ITSELF);

    let shuts = its_own(|scope| async move {
        scope.shutdown("enough", 10 * MS).await;
    });
    assert_eq!(message(shuts.await), ITSELF);

    // From a scope below it.
    let below = its_own(|scope| async move {
        let inner = Scope::new();
        let handle = inner.spawn(async move {
            scope.join().await;
            Never::Ok(())
        });
        let panic = join(inner).await;
        drop(handle);
        assert_eq!(message(panic), ITSELF);
    });
    assert!(below.await.is_fulfilled());

    // In the closed form, in a task of which it waits.
    let outer = Scope::new();
    let spawner = outer.spawner();
    let handle = spawner.spawn(async move {
        settled::scope(async |_| {
            outer.join().await;
            Never::Ok(())
        })
        .await
    });
    assert_eq!(message(handle.await), ITSELF);

    // What the whole process waits for waits for the whole process.
    let shielded = shield(async {
        drained().await;
        Never::Ok(())
    });
    assert_eq!(message(shielded.await), ITSELF);
    drained().await;
}

/// It waits already when it becomes a part of what it waits for.
#[tokio::test]
async fn to_become_a_part_of_what_one_waits_for_is_an_error_too() {
    let scope = Scope::new();
    let handle = scope.spawn(async {
        drained().await;
        Never::Ok(())
    });
    let other = shield(async {
        yield_now().await;
        yield_now().await;
        yield_now().await;
        Never::Ok(())
    });
    yield_now().await;
    scope.detach();
    assert_eq!(message(handle.await), ITSELF);
    assert!(other.await.is_fulfilled());
}

#[tokio::test]
async fn a_task_that_waits_for_its_own_handle_is_an_error() {
    let scope = Scope::new();
    let (sender, own) = oneshot::channel::<Handle<(), ()>>();
    let handle =
        scope.spawn(async move { own.await.map_err(drop)?.await.into_result().map_err(drop) });
    sender.send(handle).unwrap();
    assert_eq!(
        message(join(scope).await),
        "a task waits for its own handle, which waits for the task"
    );
}

/// The other way round is fine: an outer scope's task may wait for whatever is not waiting for it.
#[tokio::test]
async fn to_wait_for_what_does_not_wait_for_one_is_none() {
    let (one, other) = (Scope::new(), Scope::new());
    one.spawn(async { Never::Ok(()) }).ignore();
    let handle = other.spawn(async move {
        one.join().await;
        drained().await;
        let inner = Scope::new();
        inner.spawn(async { Never::Ok(()) }).ignore();
        inner.join().await;
        Never::Ok(())
    });
    other.join().await;
    assert!(handle.await.is_fulfilled());
}

/// A chain of scopes, each made in a task of the one before, which ends: the old ones are let go of. If they were not, the last
/// one would be dropped in a recursion of this depth.
#[tokio::test]
async fn a_chain_of_scopes_does_not_grow() {
    let mut last = Scope::new();
    for _ in 0..20_000 {
        let next = made_inside(&last).await;
        last.join().await;
        last = next;
    }
    drop(last);
}

/// After an error, a panic, an abort: what a scope, its tasks, its handles and its errors held is gone, with no cycle keeping it.
#[tokio::test]
async fn nothing_is_kept_after_the_end() {
    let alive = Alive::default();
    for round in 0..4 {
        let inside = alive.clone();
        let outcome = settle(settled::scope(async move |outer| {
            let spawner = outer.spawner();
            let (one, two) = (inside.clone(), inside.clone());
            let error = outer.spawn(ready(Err::<(), _>(one)));
            let inner = Scope::new();
            let inner_spawner = inner.spawner();
            // Holds what could close a circle: its own scope's spawner and the outer one's.
            let pending: Handle<(), ()> = inner.spawn(async move {
                let _held = (two, inner_spawner, spawner);
                if round == 1 {
                    panic!("on purpose");
                }
                pending().await
            });
            yield_now().await;
            match round {
                2 => drop(inner.abort("enough")),
                3 => inner.join().await,
                _ => drop(inner),
            }
            let (error, _pending) = (error.await, pending);
            error.into_result().map_err(|_| inside.clone())
        }));
        if round == 3 {
            // The task never ends, so the whole is given up.
            let mut outcome = pin!(outcome);
            for _ in 0..5 {
                assert!(poll_once(outcome.as_mut()).await.is_pending());
                yield_now().await;
            }
        } else {
            assert!(outcome.await.is_rejected() || round == 1);
        }
        drained().await;
        assert_eq!(alive.others(), 0, "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_say_what_runs_since_when_and_who_started_it() {
    let scope = Scope::new();
    let (spawner, line) = (scope.named("child"), line!() + 1);
    let parent = scope.named("parent").spawn(async move {
        sleep(10 * MS).await;
        spawner.spawn(pending::<Never>()).ignore();
        let inner = Scope::new();
        inner
            .named("in a scope below")
            .spawn(pending::<Never>())
            .ignore();
        sleep(5 * MS).await;
        inner.detach();
        pending::<Never>().await
    });
    scope.spawn(ready(Never::Ok(()))).ignore();
    let start = Instant::now();
    sleep(12 * MS).await;
    let tasks = scope.tasks();
    let names: Vec<_> = tasks.iter().map(|task| task.name()).collect();
    assert_eq!(
        names,
        [Some("parent"), Some("child")],
        "in the order of their start"
    );
    assert_eq!(tasks[0].parent(), None);
    assert_eq!(tasks[1].parent(), Some(tasks[0].id()));
    assert_eq!((tasks[0].started(), tasks[0].age()), (start, 12 * MS));
    assert_eq!(tasks[1].age(), 2 * MS);
    assert_eq!(
        (tasks[0].location().file(), tasks[0].location().line()),
        (file!(), line)
    );
    assert!(format!("{:?}", tasks[1]).contains("child"));
    sleep(5 * MS).await;
    let left = left_over();
    let left = left
        .iter()
        .find(|task| task.name() == Some("in a scope below"))
        .unwrap();
    assert_eq!(left.parent(), Some(tasks[0].id()));
    parent.abort("enough");
    assert_eq!(scope.running(), 2);
    scope.abort("enough");
    scope.join().await;
}
