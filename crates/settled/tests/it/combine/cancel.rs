//! Dropped at every step: no child, no waker and no permit is left, in any verb, any form, any size.

use std::sync::Arc;

use settled::{Reason, ReasonKind, Scope, Semaphore, all, all_settled, any, race, series};
use tokio::task::yield_now;

use super::children::{FORMS, Remote, VERBS, children, combine};
use crate::steps::{Alive, Watch, probe, sweep};

/// Waits for a permit, holds it for a step, and ends.
async fn step(semaphore: &Semaphore, inside: Alive) -> Result<(), ()> {
    let permit = semaphore.acquire(1).await.map_err(drop)?;
    yield_now().await;
    drop((permit, inside));
    Ok(())
}

fn free(world: &(Semaphore, Alive)) {
    assert_eq!((world.0.available(), world.0.waiting()), (2, 0));
    assert_eq!(world.1.others(), 0);
}

#[tokio::test]
async fn dropped_at_any_step_they_leave_no_permit_behind() {
    for count in [1, 2, 5, 16, 17, 70] {
        for verb in 0..5 {
            let body = async |(semaphore, alive): &(Semaphore, Alive)| {
                let children = (0..count).map(|_| step(semaphore, alive.clone()));
                match verb {
                    0 => drop(all(children).await),
                    1 => drop(all_settled(children).await),
                    2 => drop(any(children).await),
                    3 => drop(race(children).await),
                    _ => drop(series(children).await),
                }
            };
            let world = || (Semaphore::new(2), Alive::default());
            sweep(
                world,
                body,
                async |_, _| yield_now().await,
                async |world, _| free(world),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn tuples_dropped_at_any_step_leave_no_permit_behind() {
    for verb in 0..5 {
        let body = async |(semaphore, alive): &(Semaphore, Alive)| {
            let one = || step(semaphore, alive.clone());
            let of = (one(), one(), one(), one(), one());
            match verb {
                0 => drop(all(of).await),
                1 => drop(all_settled(of).await),
                2 => drop(any(of).await),
                3 => drop(race(of).await),
                _ => drop(series(of).await),
            }
        };
        let world = || (Semaphore::new(2), Alive::default());
        sweep(
            world,
            body,
            async |_, _| yield_now().await,
            async |world, _| free(world),
        )
        .await;
    }
}

/// Every size, tuples of every arity: dropped after the first poll, after some have ended, and before it was polled at all.
#[test]
fn dropped_at_any_size_they_leave_no_child_and_no_waker() {
    for count in (0..=18).chain([63, 64, 65, 4096, 4097]) {
        for verb in VERBS {
            for form in FORMS {
                for polls in 0..3 {
                    let (remotes, futures) = children(count);
                    let Some(mut combined) = combine(verb, form, futures) else {
                        continue;
                    };
                    let watch = Watch::default();
                    for _ in 0..polls.min(count) {
                        drop(watch.poll(combined.as_mut()));
                        if let [_, other, ..] = remotes.as_slice() {
                            other.wake();
                        }
                    }
                    drop(combined);
                    assert!(remotes.iter().all(Remote::is_dropped));
                    assert_eq!(watch.kept(), 0, "{verb:?} {form:?} {count}");
                }
            }
        }
    }
}

/// A handle that loses lets go of its task, which is its scope's: the scope's end settles it, and nothing is left.
#[tokio::test]
async fn tasks_whose_handles_have_lost_end_with_their_scope() {
    for verb in 0..4 {
        let scope = Scope::new();
        let alive = Alive::default();
        let spawn = |inside: Alive| {
            scope.spawn(async move {
                let _inside = inside;
                std::future::pending::<Result<(), ()>>().await
            })
        };
        let mut lost: Vec<_> = (0..20).map(|_| spawn(alive.clone())).collect();
        lost.push(scope.spawn(async { Ok(()) }));
        match verb {
            0 => {
                lost.push(scope.spawn(async { Err(()) }));
                assert!(all(lost).await.is_err());
            }
            1 => any(lost).await.unwrap(),
            2 => drop(race(lost).await.unwrap()),
            _ => {
                let mut all = Box::pin(all_settled(lost));
                assert!(crate::steps::poll_once(all.as_mut()).await.is_pending());
            }
        }
        scope.abort(Reason::new(ReasonKind::Aborted));
        scope.join().await;
        assert_eq!(alive.others(), 0);
    }
}

/// The three-state probe: a combinator by reference leaves its handles with their owner, and a teardown settles each.
#[tokio::test]
async fn handles_by_reference_settle_with_their_scope() {
    let scope = Scope::new();
    let semaphore = Arc::new(Semaphore::new(0));
    let mut handles: Vec<_> = (0..20)
        .map(|_| {
            let semaphore = Arc::clone(&semaphore);
            scope.spawn(async move { semaphore.acquire_owned(1).await.map(drop) })
        })
        .collect();
    {
        let mut all = Box::pin(all(handles.iter_mut()));
        assert!(crate::steps::poll_once(all.as_mut()).await.is_pending());
    }
    scope.abort(Reason::new(ReasonKind::Aborted));
    scope.join().await;
    let outcomes = probe(handles.iter_mut());
    assert!(
        outcomes
            .iter()
            .all(|one| matches!(one, settled::Outcome::Cancelled(_)))
    );
    assert_eq!(semaphore.waiting(), 0);
}
