//! Concepts inside of each other: what each promises for itself holds for what is made of several.

use std::any::Any;
use std::cell::RefCell;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use settled::{
    AbortController, Grace, Scope, Semaphore, all, all_settled, any, drained, map, race, scope,
    timeout,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use crate::steps::{Alive, poll_once, probe, rng};

type Work = Pin<Box<dyn Future<Output = Result<usize, usize>> + Send>>;

const MICRO: Duration = Duration::from_micros(1);

fn threads(threads: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap()
}

async fn turns(turns: usize) {
    for _ in 0..turns {
        yield_now().await;
    }
}

/// The permit is deep inside of a loser: in an item of a map over all cores, in a task of a scope, inside of a limit. Whoever won gets it.
#[tokio::test]
async fn a_loser_lets_go_of_the_permit_that_the_winner_waits_for() {
    let permits = Arc::new(Semaphore::new(1));
    let all = Arc::clone(&permits);
    let hold = move |_: u32| {
        let permits = Arc::clone(&all);
        async move {
            let _permit = permits.acquire_owned(1).await;
            pending::<Result<(), ()>>().await
        }
    };
    let holds = async |scope: &Scope| {
        let task = scope.spawn(map(0..10, hold).limit(4).spawned().for_each());
        task.await.into_result()
    };
    let loser = async {
        let _never = timeout(Duration::from_secs(600), scope(holds)).await;
        "the loser"
    };
    let winner = async {
        while permits.try_acquire(1).is_ok() {
            yield_now().await;
        }
        "the winner"
    };
    assert_eq!(race((loser, winner)).await, "the winner");
    drop(permits.acquire(1).await.unwrap());
    drained().await;
}

/// A runtime goes away, at any moment, while its tasks run maps over all its cores, some in tasks of their own. Another one joins.
#[test]
fn a_runtime_may_go_in_the_midst_of_maps_in_scopes() {
    let mut rng = rng();
    for round in 0..50 {
        let (runtime, alive, scope) = (threads(2), Alive::default(), Scope::new());
        let inside = runtime.enter();
        let numbers = |number: usize| {
            let (alive, spawner) = (alive.clone(), scope.spawner());
            let items = map(0..1000, move |n| {
                let mine = alive.clone();
                async move {
                    let _mine = mine;
                    turns(usize::from(n % 7 == 0)).await;
                    if n == 900 { Err(()) } else { Ok(n) }
                }
            });
            let all = items.limit(3).spawned().collect();
            scope.spawn(async move {
                match number % 2 {
                    0 => drop(all.await),
                    _ => drop(spawner.spawn(all).await),
                }
                Ok::<_, ()>(())
            })
        };
        let handles: Vec<_> = (0..10).map(numbers).collect();
        drop(inside);
        for _ in 0..rng.u32(0..20_000) {
            std::hint::spin_loop();
        }
        match rng.bool() {
            true => runtime.shutdown_background(),
            false => drop(runtime),
        }
        crate::scope::runtime().block_on(async {
            match round % 2 {
                0 => scope.join().await,
                _ => drop(scope.shutdown("enough", MICRO).await),
            }
        });
        probe(handles);
        crate::scope::runtime().block_on(drained());
        assert_eq!(alive.others(), 0);
    }
}

/// What is left in a thread's variables is dropped when the thread has no others any more.
#[test]
fn what_a_thread_forgets_to_drop_is_dropped_with_it() {
    thread_local! {
        static LEFT: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
    }
    let (runtime, alive) = (threads(2), Alive::default());
    let (inside, theirs) = (runtime.handle().clone(), alive.clone());
    // No scoped thread: of those nobody waits for the end of their variables.
    let thread = std::thread::spawn(move || {
        let alive = theirs;
        let _inside = inside.enter();
        let scope = Scope::new();
        let forever = || {
            let mine = alive.clone();
            async move {
                let _mine = mine;
                pending::<Result<(), ()>>().await
            }
        };
        let handle = scope.spawn(forever());
        let items = [forever(), forever()];
        let stream = map(items, |item| item).limit(2).spawned().stream();
        let mut limited = Box::pin(timeout(Duration::from_secs(600), forever()));
        let mut heard = Box::pin(AbortController::new().signal().aborted());
        inside.block_on(async {
            assert!(poll_once(limited.as_mut()).await.is_pending());
            assert!(poll_once(heard.as_mut()).await.is_pending());
        });
        let left: [Box<dyn Any>; 5] = [
            Box::new(handle),
            Box::new(scope),
            Box::new(stream),
            Box::new(limited),
            Box::new(heard),
        ];
        LEFT.with_borrow_mut(|all| all.extend(left));
    });
    thread.join().unwrap();
    runtime.block_on(drained());
    assert_eq!(alive.others(), 0);
}

/// A random program: combinators, maps, scopes, limits and signals inside of each other, cut off by each other.
fn program(mut rng: Rng, alive: Alive, depth: usize) -> Work {
    Box::pin(async move {
        let (_mine, below) = (alive.clone(), alive);
        let cut = turns(rng.usize(0..8));
        if depth == 0 {
            return match rng.u8(0..6) {
                0 => Err(0),
                1 => panic!("on purpose"),
                2 => pending().await,
                _ => Ok(0),
            };
        }
        let seeds: Vec<_> = (0..rng.usize(1..4)).map(|_| rng.fork()).collect();
        let parts = seeds
            .into_iter()
            .map(move |rng| program(rng, below.clone(), depth - 1));
        let parts: Vec<Work> = parts.collect();
        let made = made(rng, parts);
        let cut = Box::pin(async move {
            cut.await;
            Err(1)
        });
        race([made, cut]).await.unwrap_or(Err(2))
    })
}

fn made(mut rng: Rng, parts: Vec<Work>) -> Work {
    let (count, is_even) = (|all: Vec<usize>| all.len(), rng.bool());
    match rng.u8(0..8) {
        0 => Box::pin(async move { all(parts).await.map(count) }),
        1 => Box::pin(async move { any(parts).await.map_err(|error| error.errors().len()) }),
        2 => Box::pin(async move { Ok(all_settled(parts).await.len()) }),
        3 => Box::pin(scope(async move |scope: &Scope| {
            let tasks = parts.into_iter().map(|part| scope.spawn(part));
            all(tasks).await.map(count).map_err(|_| 3)
        })),
        4 => Box::pin(async move {
            let all = map(parts, |part| part).limit(2).spawned();
            all.collect().await.map(count).map_err(|_| 4)
        }),
        5 => Box::pin(async move {
            let mut stream = map(parts, |part| part).limit(2).spawned().stream();
            drop(stream.next().await);
            if is_even {
                drop(stream.close().await);
            }
            Ok(5)
        }),
        6 => Box::pin(async move {
            let scope = Scope::new();
            let tasks = parts.into_iter().map(|part| scope.spawn(part));
            tasks.for_each(settled::Handle::ignore);
            if is_even {
                return Ok(scope.shutdown("enough", 100 * MICRO).await.len());
            }
            Ok(6)
        }),
        _ => Box::pin(async move {
            let grace = Grace::new(100 * MICRO).all(|_| parts);
            timeout(300 * MICRO, grace)
                .await
                .map_or(Err(7), |all| all.map(count))
        }),
    }
}

/// Whatever the program is made of: when the scope around it has been joined, nothing of it is alive.
async fn nothing_is_left(mut rng: Rng) {
    for _ in 0..300 {
        let alive = Alive::default();
        let program = program(rng.fork(), alive.clone(), rng.usize(1..5));
        let scope = Scope::new();
        scope.spawn(program).ignore();
        turns(rng.usize(0..20)).await;
        scope.abort("enough");
        // With the panic of a task, it may be.
        let _joined = crate::scope::join(scope).await;
        assert_eq!(alive.others(), 0);
    }
    drained().await;
}

#[test]
fn random_programs_leave_nothing_behind() {
    let mut rng = rng();
    let (one, several) = (rng.fork(), rng.fork());
    crate::scope::runtime().block_on(nothing_is_left(one));
    let runtime = threads(3);
    let task = runtime.spawn(nothing_is_left(several));
    runtime.block_on(task).unwrap();
}
