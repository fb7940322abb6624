//! Models of what handles wakers under a lock of its own: every interleaving of a few threads.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p settled --release --test it`

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::thread;
use settled::{AbortController, AbortSignal, AcquireError, Outcome, Scope, Semaphore};

/// Runs the model, and fails if it did not run through at least `least` interleavings: a model of one thread proves nothing.
///
/// Two threads are run through completely; with three, at most three times a thread is stopped where it could go on, as
/// the number of all interleavings is in the millions.
fn model(threads: usize, least: usize, body: impl Fn() + Send + Sync + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = (threads > 2).then_some(3);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        body();
    });
    let runs = runs.load(Ordering::Relaxed);
    println!("{runs} interleavings");
    assert!(runs >= least, "only {runs} interleavings");
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// No wake-up is lost: a waiter gets what another thread releases.
#[test]
fn a_release_reaches_the_waiter() {
    model(2, 20, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let held = semaphore.try_acquire_owned(1).unwrap();
        let waiter = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || block_on(async { drop(semaphore.acquire(1).await.unwrap()) }))
        };
        drop(held);
        waiter.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

/// A waiter that is dropped while a permit is on its way to it passes that on.
#[test]
fn a_cancelled_waiter_passes_its_permit_on() {
    model(3, 1000, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let held = semaphore.try_acquire_owned(1).unwrap();
        let quitter = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || {
                let mut acquire = Box::pin(semaphore.acquire(1));
                drop(poll_once(acquire.as_mut()));
                drop(acquire);
            })
        };
        let waiter = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || block_on(async { drop(semaphore.acquire(1).await.unwrap()) }))
        };
        drop(held);
        quitter.join().unwrap();
        waiter.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

/// A heavy waiter that gives up lets the light one behind it in.
#[test]
fn a_heavy_waiter_that_leaves_makes_way() {
    model(2, 20, || {
        let semaphore = Arc::new(Semaphore::new(2));
        let held = semaphore.try_acquire_owned(1).unwrap();
        let mut heavy = Box::pin(semaphore.acquire_owned(2));
        assert!(poll_once(heavy.as_mut()).is_pending());
        let light = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || block_on(async { drop(semaphore.acquire(1).await.unwrap()) }))
        };
        drop(heavy);
        light.join().unwrap();
        drop(held);
        assert_eq!((semaphore.available(), semaphore.waiting()), (2, 0));
    });
}

/// Closing while somebody gets in line, and while a permit comes back: the waiter settles, and the permit is not lost.
#[test]
fn a_close_settles_the_waiter() {
    model(3, 1000, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let held = semaphore.try_acquire_owned(1).unwrap();
        let waiter = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || match block_on(semaphore.acquire(1)) {
                Ok(permit) => drop(permit),
                Err(error) => assert_eq!(error, AcquireError::Closed),
            })
        };
        let closer = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.close())
        };
        drop(held);
        waiter.join().unwrap();
        closer.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
    });
}

/// A change of size against a waiter and a release: nobody hangs, and the count comes out right.
#[test]
fn a_resize_reaches_the_waiter() {
    model(3, 1000, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let held = semaphore.try_acquire_owned(1).unwrap();
        let waiter = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || block_on(async { drop(semaphore.acquire(1).await.unwrap()) }))
        };
        let resizer = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.resize(2))
        };
        drop(held);
        waiter.join().unwrap();
        resizer.join().unwrap();
        assert_eq!((semaphore.available(), semaphore.waiting()), (2, 0));
    });
}

/// Two at a limit of one: never both inside, and both get in.
#[test]
fn the_limit_holds() {
    model(2, 20, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let inside = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let work = |semaphore: Arc<Semaphore>, inside: Arc<loom::sync::atomic::AtomicUsize>| {
            block_on(async {
                let permit = semaphore.acquire(1).await.unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                inside.fetch_sub(1, Ordering::Relaxed);
                drop(permit);
            });
        };
        let (semaphore2, inside2) = (Arc::clone(&semaphore), Arc::clone(&inside));
        let other = thread::spawn(move || work(semaphore2, inside2));
        work(Arc::clone(&semaphore), inside);
        other.join().unwrap();
        assert_eq!(semaphore.available(), 1);
        let again = pin!(semaphore.acquire(1));
        assert!(poll_once(again).is_ready());
    });
}

/// The count changes places (a resize needs the lock, a try and a release do not) and comes out right.
#[test]
fn no_permit_is_lost_between_word_and_lock() {
    model(3, 1000, || {
        let semaphore = Arc::new(Semaphore::new(2));
        let taker = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || drop(semaphore.try_acquire(2)))
        };
        let resizer = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.resize(1))
        };
        let one = semaphore.try_acquire(1);
        assert!(semaphore.available() <= 2);
        drop(one);
        taker.join().unwrap();
        resizer.join().unwrap();
        assert_eq!(
            (
                semaphore.available(),
                semaphore.capacity(),
                semaphore.waiting()
            ),
            (1, 1, 0)
        );
    });
}

/// A light request that needs no lock does not slip past a heavy waiter that has got in line.
#[test]
fn the_fast_way_does_not_go_past_the_line() {
    model(2, 20, || {
        let semaphore = Arc::new(Semaphore::new(2));
        let held = semaphore.try_acquire_owned(1).unwrap();
        let mut heavy = Box::pin(semaphore.acquire_owned(2));
        assert!(poll_once(heavy.as_mut()).is_pending());
        let barger = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.try_acquire(1).is_ok())
        };
        drop(held);
        assert!(
            !barger.join().unwrap(),
            "the two are spoken for, before and after they came back"
        );
        assert!(poll_once(heavy.as_mut()).is_ready());
    });
}

/// A child that is ready once its flag is up, and says so to no one but the waker that it left with it.
struct Flag {
    up: loom::sync::atomic::AtomicBool,
    waker: loom::sync::Mutex<Option<Waker>>,
    polls: AtomicUsize,
}

fn flags(count: usize) -> Vec<Arc<Flag>> {
    let flag = |_| {
        Arc::new(Flag {
            up: loom::sync::atomic::AtomicBool::new(false),
            waker: loom::sync::Mutex::new(None),
            polls: AtomicUsize::new(0),
        })
    };
    (0..count).map(flag).collect()
}

impl Flag {
    fn raise(&self) {
        self.up.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// A future that leaves its waker behind once, and from then on reads the flag without any lock: what was written before the wake-up
    /// is seen only because of the bits.
    fn wait(self: &Arc<Self>) -> impl Future<Output = Result<(), ()>> + use<> {
        let flag = Arc::clone(self);
        let mut is_left = false;
        std::future::poll_fn(move |cx| {
            flag.polls.fetch_add(1, Ordering::Relaxed);
            if flag.up.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            if std::mem::replace(&mut is_left, true) {
                return Poll::Pending;
            }
            *flag.waker.lock().unwrap() = Some(cx.waker().clone());
            // It may have been raised between the two.
            if flag.up.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            Poll::Pending
        })
    }
}

/// Counts the wake-ups of a task, and how many of its wakers are kept.
#[derive(Default)]
struct Task(AtomicUsize);

impl std::task::Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// 18 children are more than are polled all together, and with two bits a word they fill nine blocks and five groups. Two of them, in the
/// same word or not, are woken by two threads while the task polls: both get to their end, whatever comes between.
fn two_wake_ups_reach_the_task(one: usize, other: usize) {
    model(3, 1000, move || {
        let flags = flags(18);
        for (at, flag) in flags.iter().enumerate() {
            if at != one && at != other {
                flag.up.store(true, Ordering::Relaxed);
            }
        }
        let all = settled::all(flags.iter().map(Flag::wait).collect::<Vec<_>>());
        let threads = [one, other].map(|at| {
            let flag = Arc::clone(&flags[at]);
            thread::spawn(move || flag.raise())
        });
        assert_eq!(block_on(all).map(|values| values.len()), Ok(18));
        for thread in threads {
            thread.join().unwrap();
        }
        let polls = flags.iter().map(|flag| flag.polls.load(Ordering::Relaxed));
        assert!(
            polls.sum::<usize>() <= 18 + 2,
            "somebody was polled without having woken"
        );
    });
}

#[test]
fn two_children_of_one_block_wake_at_once() {
    two_wake_ups_reach_the_task(16, 17);
}

#[test]
fn two_children_of_one_group_wake_at_once() {
    two_wake_ups_reach_the_task(1, 2);
}

#[test]
fn two_children_of_two_groups_wake_at_once() {
    two_wake_ups_reach_the_task(0, 17);
}

/// Woken while it moves from one task to another: the task that polled last hears of what that poll did not see.
#[test]
fn a_wake_up_reaches_the_task_that_polled_last() {
    model(2, 20, || {
        let flags = flags(18);
        let mut all = Box::pin(settled::all(
            flags.iter().map(Flag::wait).collect::<Vec<_>>(),
        ));
        let (first, second) = (Arc::new(Task::default()), Arc::new(Task::default()));
        let waker = Waker::from(Arc::clone(&first));
        assert!(
            all.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        let flag = Arc::clone(&flags[5]);
        let thread = thread::spawn(move || flag.raise());
        let waker = Waker::from(Arc::clone(&second));
        assert!(
            all.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        let polls = flags[5].polls.load(Ordering::Relaxed);
        thread.join().unwrap();
        let heard = second.0.load(Ordering::SeqCst) > 0;
        assert!(polls == 2 || heard, "the wake-up was lost");
        assert!(
            all.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert_eq!(flags[5].polls.load(Ordering::Relaxed), 2);
    });
}

/// Wakers are cloned, woken and dropped by others while the set goes: nothing is left of it, and nobody's task is kept.
#[test]
fn wakers_outlive_their_set() {
    model(3, 50, || {
        let flags = flags(18);
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let mut all = Box::pin(settled::all(
            flags.iter().map(Flag::wait).collect::<Vec<_>>(),
        ));
        assert!(
            all.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(waker);
        let threads = [3, 4].map(|at| {
            let waker = flags[at].waker.lock().unwrap().take().unwrap();
            thread::spawn(move || {
                let twin = waker.clone();
                waker.wake();
                twin.wake_by_ref();
            })
        });
        drop(all);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(task.0.load(Ordering::SeqCst) <= 2);
        drop(flags);
        assert_eq!(Arc::strong_count(&task), 1, "the task is kept by somebody");
    });
}

/// How often the hook heard of a task of this name, since somebody asked last.
fn told(name: &str) -> usize {
    use std::collections::HashMap;
    use std::sync::{Mutex, OnceLock};
    static TOLD: OnceLock<Mutex<HashMap<String, usize>>> = OnceLock::new();
    let told = TOLD.get_or_init(|| {
        settled::on_unhandled(|failure| {
            let name = failure.name().unwrap_or_default().to_owned();
            *TOLD.get().unwrap().lock().unwrap().entry(name).or_default() += 1;
        });
        Mutex::default()
    });
    told.lock().unwrap().remove(name).unwrap_or(0)
}

/// The end of a failed task against the drop of its handle: told once, whoever is the last.
#[test]
fn a_failure_is_told_once() {
    told("");
    model(2, 4, || {
        let scope = Scope::new();
        let (handle, task) = scope
            .named("once")
            .unspawned(async { Err::<(), _>("no such file") });
        let task = thread::spawn(move || block_on(task.unwrap()));
        drop(handle);
        task.join().unwrap();
        assert_eq!(told("once"), 1);
        block_on(scope.join());
    });
}

/// The end of a task against whoever waits for its handle: no wake-up is lost, and the join sees it gone.
#[test]
fn a_handle_hears_of_the_end() {
    model(2, 10, || {
        let scope = Scope::new();
        let (handle, task) = scope.spawner().unspawned(async { Ok::<_, ()>(7) });
        let task = thread::spawn(move || block_on(task.unwrap()));
        assert_eq!(block_on(handle).fulfilled(), Some(7));
        block_on(scope.join());
        task.join().unwrap();
    });
}

/// The end of the last task against the drop of its scope: the root gets it or it does not, and either way it is gone at last.
#[test]
fn a_scope_that_is_dropped_finds_a_host_or_needs_none() {
    model(2, 10, || {
        let scope = Scope::new();
        let (handle, task) = scope.spawner().unspawned(async { Ok::<_, ()>(7) });
        let task = thread::spawn(move || block_on(task.unwrap()));
        drop(scope);
        block_on(settled::drained());
        assert_eq!(settled::running(), 0);
        assert!(handle.is_finished());
        task.join().unwrap();
    });
}

/// The same inside of another scope, whose join waits for it, while that itself is joined.
#[test]
fn a_scope_below_is_waited_for() {
    model(2, 10, || {
        let outer = Scope::new();
        let (made, mut maker) = outer
            .spawner()
            .unspawned(async { Ok::<_, ()>(Scope::new()) });
        assert!(poll_once(pin!(maker.take().unwrap())).is_ready());
        let inner = block_on(made).fulfilled().unwrap();
        let (handle, task) = inner.spawner().unspawned(async { Ok::<_, ()>(7) });
        let task = thread::spawn(move || block_on(task.unwrap()));
        drop(inner);
        block_on(outer.join());
        assert!(handle.is_finished());
        assert_eq!(settled::running(), 0);
        task.join().unwrap();
    });
}

/// A scope that ends while a scope below it looks for a host: that finds another one, and nobody is lost.
#[test]
fn a_host_that_ends_takes_nobody_in() {
    model(3, 100, || {
        let outer = Scope::new();
        let (made, mut maker) = outer
            .spawner()
            .unspawned(async { Ok::<_, ()>(Scope::new()) });
        assert!(poll_once(pin!(maker.take().unwrap())).is_ready());
        let inner = block_on(made).fulfilled().unwrap();
        let (handle, task) = inner.spawner().unspawned(async { Ok::<_, ()>(7) });
        let task = thread::spawn(move || block_on(task.unwrap()));
        let joiner = thread::spawn(move || block_on(outer.join()));
        drop(inner);
        joiner.join().unwrap();
        block_on(settled::drained());
        assert!(handle.is_finished());
        task.join().unwrap();
    });
}

/// A detached scope against the end of its last task.
#[test]
fn a_detached_scope_is_the_roots_until_it_is_quiet() {
    model(2, 10, || {
        let scope = Scope::new();
        let (handle, task) = scope.spawner().unspawned(async { Ok::<_, ()>(7) });
        let task = thread::spawn(move || block_on(task.unwrap()));
        scope.detach();
        block_on(settled::drained());
        assert!(handle.is_finished());
        task.join().unwrap();
    });
}

/// A task that leaves its waker, against the abort of that task alone: it is heard, and woken if it was not.
#[test]
fn an_abort_of_one_task_reaches_it() {
    model(2, 10, || {
        let scope = Scope::new();
        let (handle, task) = scope.spawner().unspawned(pending::<Result<(), ()>>());
        let task = thread::spawn(move || block_on(task.unwrap()));
        assert!(handle.abort("enough"));
        task.join().unwrap();
        let Outcome::Cancelled(reason) = block_on(handle) else {
            panic!("it was cancelled")
        };
        assert_eq!(reason.text(), Some("enough"));
        block_on(scope.join());
    });
}

/// The same with its scope, and with what is above that.
#[test]
fn an_abort_of_the_scope_reaches_its_tasks() {
    for from_above in [false, true] {
        model(2, 10, move || {
            let controller = AbortController::new();
            let scope = match from_above {
                true => Scope::below(&controller.signal()),
                false => Scope::new(),
            };
            let (handle, task) = scope.spawner().unspawned(pending::<Result<(), ()>>());
            let task = thread::spawn(move || block_on(task.unwrap()));
            assert!(match from_above {
                true => controller.abort("enough"),
                false => scope.abort("enough"),
            });
            task.join().unwrap();
            assert!(block_on(handle).is_cancelled());
            block_on(scope.join());
        });
    }
}

/// Both at once: the task ends with the reason of one of them, and later ones are told that they came too late.
#[test]
fn a_task_and_its_scope_are_aborted_at_once() {
    model(3, 100, || {
        let scope = Scope::new();
        let (handle, task) = scope.spawner().unspawned(pending::<Result<(), ()>>());
        let task = thread::spawn(move || block_on(task.unwrap()));
        let spawner = scope.spawner();
        let all = thread::spawn(move || assert!(spawner.abort("all")));
        let first = handle.abort("this one");
        task.join().unwrap();
        all.join().unwrap();
        assert!(!handle.abort("too late"));
        let Outcome::Cancelled(reason) = block_on(handle) else {
            panic!("it was cancelled")
        };
        assert!(first || reason.text() == Some("all"));
        block_on(scope.join());
    });
}

/// A look remembers that nothing had fired; whoever has seen an abort above sees it below all the same, at once.
#[test]
fn an_abort_is_seen_below_by_whoever_saw_it_above() {
    model(2, 20, || {
        let controller = AbortController::new();
        let below = controller.signal().child().signal();
        assert!(!below.is_aborted(), "remembered from here on");
        let (above, deep) = (controller.signal(), below.child().signal());
        let looker = thread::spawn(move || {
            let seen = [above.is_aborted(), below.is_aborted(), deep.is_aborted()];
            assert!(seen.is_sorted(), "{seen:?}");
            below
        });
        controller.abort("enough");
        assert!(looker.join().unwrap().is_aborted());
    });
}

/// The same while something else is aborted: what is remembered at a wrong moment would stay for ever.
#[test]
fn two_aborts_at_once_are_both_seen() {
    model(3, 1000, || {
        let (one, other) = (AbortController::new(), AbortController::new());
        let below = one.signal().child().signal();
        let looker = {
            let (above, below) = (one.signal(), below.clone());
            thread::spawn(move || {
                let seen = [above.is_aborted(), below.is_aborted()];
                assert!(seen.is_sorted(), "{seen:?}");
            })
        };
        let second = thread::spawn(move || assert!(other.abort("other")));
        assert!(one.abort("one"));
        assert!(below.is_aborted());
        looker.join().unwrap();
        second.join().unwrap();
        assert_eq!(below.reason().unwrap().text(), Some("one"));
    });
}

/// Of two aborts of one tree, one is first, and all of the tree has its reason.
#[test]
fn of_two_aborts_one_is_first() {
    model(2, 20, || {
        let controller = AbortController::new();
        let child = controller.signal().child();
        let both = AbortSignal::any([child.signal(), controller.signal()]);
        let other = {
            let controller = controller.clone();
            thread::spawn(move || controller.abort("other"))
        };
        let first = controller.abort("one");
        assert_ne!(first, other.join().unwrap());
        let expected = Some(if first { "one" } else { "other" });
        for signal in [controller.signal(), child.signal(), both] {
            assert_eq!(signal.reason().unwrap().text(), expected);
        }
        assert!(!child.abort("too late"));
    });
}
