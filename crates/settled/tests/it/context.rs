use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::thread;
use std::time::Duration;

use settled::{
    AbortController, AbortSignal, Context, Outcome, current_deadline, deadline, remaining, settle,
    timeout,
};
use tokio::time::{Instant, advance, sleep};

use crate::steps::{Alive, Watch, rng, sweep};

const MS: Duration = Duration::from_millis(1);

/// What is seen here, before and after each poll.
async fn deadline_inside() -> Option<Instant> {
    let first = current_deadline();
    tokio::task::yield_now().await;
    assert_eq!(current_deadline(), first, "it does not change");
    first
}

#[tokio::test(start_paused = true)]
async fn the_earliest_deadline_counts_in_any_order() {
    let start = Instant::now();
    for (outer, inner) in [(10, 20), (20, 10), (10, 10)] {
        let seen = timeout(outer * MS, timeout(inner * MS, deadline_inside())).await;
        assert_eq!(seen.unwrap().unwrap(), Some(start + 10 * MS));
        let seen = deadline(start + outer * MS, timeout(inner * MS, deadline_inside())).await;
        assert_eq!(seen.unwrap().unwrap(), Some(start + 10 * MS));
        let seen = timeout(outer * MS, deadline(start + inner * MS, deadline_inside())).await;
        assert_eq!(seen.unwrap().unwrap(), Some(start + 10 * MS));
    }
    assert_eq!(current_deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn what_remains_goes_down() {
    assert_eq!(remaining(), None);
    let left = timeout(10 * MS, async {
        let first = remaining();
        sleep(3 * MS).await;
        (first, remaining())
    });
    assert_eq!(left.await, Ok((Some(10 * MS), Some(7 * MS))));
    assert_eq!(
        timeout(Duration::MAX, async { remaining() }).await,
        Ok(None)
    );
}

/// Past its end, but not polled by its timeout since: zero, and no panic.
#[tokio::test(start_paused = true)]
async fn nothing_remains_past_the_end() {
    let at = Instant::now();
    let within = Context::within(
        timeout(MS, async { Context::current() }).await.unwrap(),
        async {
            advance(60 * MS).await;
            (current_deadline(), remaining())
        },
    );
    assert_eq!(within.await, (Some(at + MS), Some(Duration::ZERO)));
}

/// A limit has no end before somebody asks or the first poll is over; from then on all agree on it.
#[tokio::test(start_paused = true)]
async fn who_asks_first_fixes_the_end() {
    let begun = Instant::now();
    let inner = async {
        let seen = timeout(30 * MS, async { current_deadline() })
            .await
            .unwrap();
        assert_eq!(seen, Some(begun + 10 * MS));
        assert_eq!(current_deadline(), seen, "the outer limit has heard of it");
        pending::<()>().await;
    };
    assert!(timeout(10 * MS, inner).await.is_err());
    assert_eq!(begun.elapsed(), 10 * MS);
}

#[tokio::test]
async fn the_innermost_signal_is_combined_with_the_outer_ones() {
    for fires in 0..3 {
        let controllers = [(); 3].map(|()| AbortController::new());
        let [outer, middle, inner] = controllers.each_ref().map(AbortController::signal);
        let seen = outer.run(middle.run(inner.run(async { AbortSignal::current() })));
        let seen = seen.await.unwrap().unwrap().unwrap();
        assert!(!seen.is_aborted());
        controllers[fires].abort(format!("{fires}"));
        assert_eq!(seen.reason().unwrap().text(), Some(&*fires.to_string()));
    }
    assert!(AbortSignal::current().same(&AbortSignal::never()));
}

/// A signal that is made of what is around it, or that is around twice, is not combined with that again.
#[tokio::test]
async fn what_adds_nothing_is_left_out() {
    let controller = AbortController::new();
    let (signal, child) = (controller.signal(), controller.signal().child().signal());
    let current = async || AbortSignal::current();
    let twice = signal.run(signal.run(current())).await.unwrap().unwrap();
    assert!(twice.same(&signal));
    let below = signal.run(child.run(current())).await.unwrap().unwrap();
    assert!(below.same(&child));
    let never = AbortSignal::never();
    let through = signal.run(never.run(current())).await.unwrap().unwrap();
    assert!(through.same(&signal));
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_the_context_as_it_was() {
    let signal = AbortController::new().signal();
    let outer = async {
        let before = (current_deadline(), AbortSignal::current());
        let broken = signal.run(timeout(
            MS,
            Context::default().within(async { panic!("inside") }),
        ));
        let outcome = settle(async { broken.await.unwrap() }).await;
        assert!(matches!(outcome, Outcome::Panicked(_)));
        assert_eq!(current_deadline(), before.0);
        assert!(AbortSignal::current().same(&before.1));
        before
    };
    let start = Instant::now();
    let (end, current) = timeout(60 * MS, signal.child().signal().run(outer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(end, Some(start + 60 * MS));
    assert!(!current.same(&AbortSignal::never()));
    assert_eq!(current_deadline(), None);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let watch = Watch::default();
        let _ = watch.poll(pin!(timeout(MS, async { panic!("without a runtime") })));
    }));
    assert!(panicked.is_err());
    assert_eq!(current_deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn a_captured_context_goes_along_to_a_task() {
    let controller = AbortController::new();
    let work = timeout(
        10 * MS,
        controller.signal().run(async { Context::current() }),
    );
    let context = work.await.unwrap().unwrap();
    let end = context.deadline();
    let task = tokio::spawn(context.within(async move {
        let told = remaining();
        let until = current_deadline();
        (told, until, AbortSignal::current().aborted().await)
    }));
    sleep(MS).await;
    controller.abort("enough");
    let (told, until, reason) = task.await.unwrap();
    assert_eq!((told, until), (Some(10 * MS), end));
    assert_eq!(reason.text(), Some("enough"));
}

/// Where tasks are polled inside of somebody's limit, as a `LocalSet` does, a context of their own is in place of that one.
#[tokio::test(start_paused = true)]
async fn a_context_is_in_place_of_the_one_around_the_poll() {
    let signal = AbortController::new().signal();
    let start = Instant::now();
    let inside = async {
        let bare = Context::default()
            .within(async { Context::current() })
            .await;
        let limited = Context::default()
            .within(timeout(60 * MS, async { Context::current() }))
            .await
            .unwrap();
        (bare, limited, current_deadline())
    };
    let (bare, limited, after) = signal.run(timeout(10 * MS, inside)).await.unwrap().unwrap();
    assert_eq!(bare.deadline(), None);
    assert!(bare.signal().same(&AbortSignal::never()));
    assert_eq!(limited.deadline(), Some(start + 60 * MS));
    assert_eq!(after, Some(start + 10 * MS), "and back again");
}

#[test]
fn each_thread_has_a_context_of_its_own() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().unwrap()
    };
    runtime().block_on(async {
        let far = Duration::from_secs(3600);
        let other = timeout(far, async {
            assert!(current_deadline().is_some());
            let other = thread::spawn(move || {
                assert_eq!(current_deadline(), None);
                let own = runtime().block_on(timeout(2 * far, async { remaining() }));
                own.unwrap().unwrap()
            });
            other.join().unwrap()
        });
        assert!(
            other.await.unwrap() > far,
            "the other thread's limit is its own"
        );
    });
}

/// Contexts nested at random, polled in pieces: always the earliest end of all that are around, and any of their signals.
#[tokio::test(start_paused = true)]
async fn nested_at_random_it_is_what_a_list_says() {
    let mut rng = rng();
    for _ in 0..200 {
        let (mut ends, mut controllers) = (Vec::new(), Vec::new());
        let start = Instant::now();
        let depth = rng.usize(1..8);
        nest(&mut rng, depth, start, &mut ends, &mut controllers).await;
        assert_eq!(current_deadline(), None);
        assert!(AbortSignal::current().same(&AbortSignal::never()));
    }
}

async fn nest(
    rng: &mut fastrand::Rng,
    depth: usize,
    start: Instant,
    ends: &mut Vec<Instant>,
    controllers: &mut Vec<AbortController>,
) {
    if rng.bool() {
        assert_eq!(current_deadline(), ends.iter().min().copied());
    }
    if rng.u8(..4) == 0 {
        tokio::task::yield_now().await;
    }
    if depth == 0 {
        let current = AbortSignal::current();
        assert!(!current.is_aborted());
        if let Some(controller) = rng.choice(&*controllers) {
            controller.abort("enough");
            assert!(current.is_aborted());
        }
        return;
    }
    let limit = MS * rng.u32(1000..2000);
    match rng.u8(..4) {
        0 => {
            ends.push(start + limit);
            let inner = Box::pin(nest(rng, depth - 1, start, ends, controllers));
            timeout(limit, inner).await.unwrap();
        }
        1 => {
            ends.push(start + limit);
            let inner = Box::pin(nest(rng, depth - 1, start, ends, controllers));
            deadline(start + limit, inner).await.unwrap();
        }
        2 => {
            let controller = AbortController::new();
            controllers.push(controller.clone());
            let inner = Box::pin(nest(rng, depth - 1, start, ends, controllers));
            // The value is there at the poll that aborts.
            drop(controller.signal().run(inner).await);
        }
        _ => {
            let inner = Box::pin(nest(rng, depth - 1, start, ends, controllers));
            Context::current().within(inner).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_step_it_drops_the_future_and_is_left() {
    let polls = sweep(
        Alive::default,
        async |alive: &Alive| {
            let inside = alive.clone();
            let signal = AbortController::new().signal();
            let work = Context::default().within(signal.run(timeout(60 * MS, async move {
                let _inside = inside;
                for _ in 0..3 {
                    sleep(2 * MS).await;
                }
            })));
            work.await.unwrap().unwrap();
        },
        async |_, _| {
            assert_eq!(
                current_deadline(),
                None,
                "between polls there is no context"
            );
            assert!(AbortSignal::current().same(&AbortSignal::never()));
            advance(MS).await;
        },
        async |alive, polls| {
            assert_eq!(alive.others(), 0, "after {polls} polls");
            assert_eq!(current_deadline(), None);
        },
    )
    .await;
    assert!(polls > 4, "{polls}");
}

/// Two futures polled in turns by one task: each has its own context, and neither leaks into the other.
#[tokio::test(start_paused = true)]
async fn futures_polled_in_turns_have_each_their_own() {
    let start = Instant::now();
    let of = async |limit: u32| {
        let signal = AbortController::new().signal();
        let own = signal.clone();
        let inside = async move {
            for _ in 0..5 {
                assert_eq!(current_deadline(), Some(start + limit * MS));
                assert!(AbortSignal::current().same(&own));
                tokio::task::yield_now().await;
            }
        };
        timeout(limit * MS, signal.run(inside))
            .await
            .unwrap()
            .unwrap();
    };
    tokio::join!(of(10), of(20), of(30));
}
