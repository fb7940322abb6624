//! Random trees of scopes on one thread and on several, against what must hold of every one of them.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use settled::{Handle, Outcome, Scope, drained, settle};
use tokio::runtime::Builder;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::{MS, Recursive};
use crate::steps::{Alive, probe, rng};
use crate::unhandled::{listen, told};

/// How a task means to end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Value,
    Error,
    Panic,
    Never,
}

/// What is done with a handle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Interest {
    Kept,
    Dropped,
    Ignored,
}

/// What a task was, and what came of it.
struct Record {
    fate: Fate,
    interest: Interest,
    /// Its body came to its own end.
    ended: Arc<AtomicBool>,
}

struct World {
    name: String,
    /// In tasks that the outermost join waits for.
    attached: Alive,
    /// In tasks of detached scopes, and below.
    detached: Alive,
    records: Mutex<BTreeMap<u64, Record>>,
    handles: Mutex<Vec<(u64, Handle<u64, u64>)>>,
}

fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.usize(..choices.len())]
}

/// One task, with perhaps a tree of scopes in it.
fn spawn(world: &Arc<World>, scope: &Scope, mut rng: Rng, depth: usize, attached: bool) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let fates = [
        Fate::Value,
        Fate::Value,
        Fate::Error,
        Fate::Error,
        Fate::Never,
    ];
    let fate = if rng.u8(..20) == 0 {
        Fate::Panic
    } else {
        pick(&mut rng, &fates)
    };
    let interest = pick(
        &mut rng,
        &[Interest::Kept, Interest::Dropped, Interest::Ignored],
    );
    let ended = Arc::new(AtomicBool::new(false));
    let record = Record {
        fate,
        interest,
        ended: Arc::clone(&ended),
    };
    world.records.lock().unwrap().insert(number, record);

    let inside = if attached {
        world.attached.clone()
    } else {
        world.detached.clone()
    };
    let below = (depth > 0 && rng.bool()).then(|| tree(world, rng.fork(), depth - 1, attached));
    let steps = rng.u32(..4);
    let time = rng.bool().then(|| rng.u32(..5));
    let handle = scope.named(world.name.as_str()).spawn(async move {
        let _inside = inside;
        for _ in 0..steps {
            yield_now().await;
        }
        if let Some(below) = below {
            let _panic_is_the_handles = below.await;
        }
        if let Some(time) = time {
            sleep(time * MS).await;
        }
        match fate {
            Fate::Never => pending().await,
            Fate::Panic => std::panic::resume_unwind(Box::new("on purpose")),
            Fate::Value | Fate::Error => ended.store(true, Ordering::SeqCst),
        }
        if fate == Fate::Value {
            Ok(number)
        } else {
            Err(number)
        }
    });
    match interest {
        Interest::Kept => world.handles.lock().unwrap().push((number, handle)),
        Interest::Dropped => drop(handle),
        Interest::Ignored => handle.ignore(),
    }
}

/// A scope with some tasks, ended in one of all the ways.
fn tree(world: &Arc<World>, mut rng: Rng, depth: usize, attached: bool) -> Recursive {
    let world = Arc::clone(world);
    Box::pin(async move {
        let scope = Scope::new();
        let way = rng.u8(..6);
        let attached = attached && way != 5;
        for _ in 0..rng.usize(1..5) {
            spawn(&world, &scope, rng.fork(), depth, attached);
            if rng.bool() {
                yield_now().await;
            }
        }
        if rng.bool() {
            sleep(rng.u32(..4) * MS).await;
        }
        let spawner = scope.spawner();
        let aborter = tokio::spawn(async move {
            sleep(10 * MS).await;
            spawner.abort("time to go");
        });
        let end = async move {
            match way {
                0 => scope.join().await,
                1 => drop(scope),
                2 => {
                    scope.abort("enough");
                    scope.join().await;
                }
                3 => drop(scope.shutdown("enough", rng.u32(..5) * MS).await),
                4 => {
                    let _late = settled::timeout(3 * MS, scope.join()).await;
                }
                _ => scope.detach(),
            }
            Ok::<_, ()>(())
        };
        let ended = settle(end).await;
        drop(aborter);
        match ended {
            Outcome::Fulfilled(()) => Ok(()),
            other => {
                assert!(other.is_panicked());
                Err(())
            }
        }
    })
}

fn check(world: &World) {
    let kept: BTreeMap<u64, _> = {
        let (numbers, handles): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *world.handles.lock().unwrap())
                .into_iter()
                .unzip();
        numbers.into_iter().zip(probe(handles)).collect()
    };
    let mut told_of: BTreeMap<u64, usize> = BTreeMap::new();
    for told in told(&world.name) {
        *told_of.entry(told.number.unwrap_or(u64::MAX)).or_default() += 1;
    }
    for (number, record) in &*world.records.lock().unwrap() {
        let ended = record.ended.load(Ordering::SeqCst);
        if let Some(outcome) = kept.get(number) {
            let fits = match outcome {
                Outcome::Fulfilled(value) => record.fate == Fate::Value && value == number && ended,
                Outcome::Rejected(error) => record.fate == Fate::Error && error == number && ended,
                Outcome::Panicked(_) => record.fate == Fate::Panic,
                Outcome::Cancelled(_) | Outcome::TimedOut => !ended,
                Outcome::Abandoned => false,
            };
            assert!(fits, "{number}: {:?} and {outcome:?}", record.fate);
        }
        let due = ended && record.fate == Fate::Error && record.interest == Interest::Dropped;
        let told = told_of.remove(number).unwrap_or(0);
        assert_eq!(told, usize::from(due), "{number}: {:?}", record.interest);
    }
    // Panics have no number; nothing else is left.
    assert!(
        told_of.keys().all(|number| *number == u64::MAX),
        "{told_of:?}"
    );
}

async fn one(mut rng: Rng, name: String) {
    let world = Arc::new(World {
        name,
        attached: Alive::default(),
        detached: Alive::default(),
        records: Mutex::default(),
        handles: Mutex::default(),
    });
    let outer = Scope::new();
    for _ in 0..3 {
        spawn(&world, &outer, rng.fork(), 3, true);
    }
    if rng.bool() {
        yield_now().await;
    }
    let ended = settle(async { Ok::<_, ()>(outer.shutdown("the end", 15 * MS).await) }).await;
    assert!(ended.is_fulfilled() || ended.is_panicked());
    assert_eq!(
        world.attached.others(),
        0,
        "the join of the outermost waits for all below"
    );
    drained().await;
    assert_eq!(world.detached.others(), 0);
    check(&world);
}

fn many(rng: &mut Rng, rounds: usize, threads: Option<usize>) {
    listen();
    for round in 0..rounds {
        let mut builder = match threads {
            None => Builder::new_current_thread(),
            Some(_) => Builder::new_multi_thread(),
        };
        builder.enable_time();
        match threads {
            None => builder.start_paused(true),
            Some(threads) => builder.worker_threads(threads),
        };
        let (rng, name) = (rng.fork(), format!("model {threads:?} {round}"));
        builder.build().unwrap().block_on(async {
            // Without a limit: the root is every test's, so on a paused clock a limit would be over at once.
            one(rng, name).await;
        });
    }
}

#[test]
fn random_trees_on_one_thread() {
    many(&mut rng(), 300, None);
}

#[test]
fn random_trees_on_several_threads() {
    many(&mut rng(), 40, Some(3));
}
