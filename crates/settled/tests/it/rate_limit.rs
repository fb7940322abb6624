use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use settled::{InvalidRate, RateLimit};
use tokio::time::{Instant, advance};

use crate::steps::{poll_once, probe, rng, sweep};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn limit(count: u32, per: Duration, burst: u32) -> RateLimit {
    RateLimit::new(count, per).unwrap().burst(burst).unwrap()
}

/// What is free goes through without a timer: there is no runtime here to make one.
#[test]
fn what_may_go_needs_no_timer() {
    let limit = limit(1, SECOND, 3);
    probe((0..3).map(|_| limit.acquire()));
    assert!(limit.try_acquire().is_err());
}

#[tokio::test(start_paused = true)]
async fn evenly_spaced_after_the_burst() {
    let limit = limit(10, SECOND, 2);
    let start = Instant::now();
    let mut times = Vec::new();
    for _ in 0..5 {
        limit.acquire().await;
        times.push(start.elapsed().as_millis());
    }
    assert_eq!(times, [0, 0, 100, 200, 300]);
    advance(10 * SECOND).await;
    let start = Instant::now();
    for _ in 0..3 {
        limit.acquire().await;
    }
    assert_eq!(
        start.elapsed(),
        100 * MS,
        "a pause saves up the burst and no more"
    );
}

/// Hazard: with governor one waiter of 500 was overtaken by 495.
#[tokio::test(start_paused = true)]
async fn nobody_is_overtaken() {
    let limit = limit(1000, SECOND, 1);
    let done = RefCell::new(Vec::new());
    let waiter = async |number| {
        limit.acquire().await;
        done.borrow_mut().push(number);
    };
    let mut waiters: Vec<_> = (0..500).map(|number| Box::pin(waiter(number))).collect();
    for waiter in &mut waiters {
        let _ = poll_once(waiter.as_mut()).await;
    }
    assert_eq!(limit.waiting(), 498, "one is through, one has the turn");
    let told = limit.try_acquire().unwrap_err();
    // Polled from the last to the first: what counts is who came first, not who looks first.
    while done.borrow().len() < 500 {
        advance(MS).await;
        let gone = done.borrow().len();
        for waiter in waiters.iter_mut().skip(gone).rev() {
            let _ = poll_once(waiter.as_mut()).await;
        }
    }
    assert!(done.borrow().iter().copied().eq(0..500));
    assert_eq!(
        told - Instant::now(),
        MS,
        "told as the one after all who waited"
    );
}

/// Timers tick in milliseconds; the rate is twenty times that, and is kept.
#[tokio::test(start_paused = true)]
async fn a_rate_far_above_the_timers_tick_is_kept() {
    let limit = Rc::new(limit(20_000, SECOND, 1));
    let start = Instant::now();
    let times = Rc::new(RefCell::new(Vec::new()));
    let local = tokio::task::LocalSet::new();
    for _ in 0..50 {
        let (limit, times) = (Rc::clone(&limit), Rc::clone(&times));
        local.spawn_local(async move {
            for _ in 0..800 {
                limit.acquire().await;
                times.borrow_mut().push(start.elapsed());
            }
        });
    }
    local.await;
    let took = start.elapsed();
    assert!(
        took >= 2 * SECOND - RateLimit::SLACK && took <= 2 * SECOND + MS,
        "40,000 took {took:?}"
    );
    within_bounds(&times.borrow(), 20_000.0, 1.0);
}

/// Also where one task acquires in a loop, and so is never in line when its timer is late.
#[tokio::test(start_paused = true)]
async fn a_loop_gets_the_whole_rate() {
    for (count, burst) in [(20_000, 1), (20_000, 7), (300, 1)] {
        let limit = limit(count, SECOND, burst);
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..2 * count {
            limit.acquire().await;
            times.push(start.elapsed());
        }
        let took = start.elapsed();
        assert!(
            took >= 2 * SECOND - RateLimit::SLACK - 10 * MS && took <= 2 * SECOND + MS,
            "{took:?}"
        );
        within_bounds(&times, f64::from(count), f64::from(burst));
    }
}

/// In every stretch between two admissions there are at most as many as the burst, the time and the slack allow.
fn within_bounds(times: &[Duration], per_second: f64, burst: f64) {
    let slack = RateLimit::SLACK.as_secs_f64();
    // The tightest stretch that ends at each admission, found in one pass: count - rate * time is greatest at its start.
    let mut lowest = f64::INFINITY;
    for (number, time) in times.iter().enumerate() {
        let level = number as f64 - per_second * time.as_secs_f64();
        lowest = lowest.min(level);
        let most = burst + per_second * slack + 1e-6;
        assert!(
            level - lowest + 1.0 <= most + 1e-6,
            "admission {number} at {time:?}: {} > {most}",
            level - lowest + 1.0
        );
    }
}

/// Woken ever so late, those who wait catch up two milliseconds' worth and no more; the bound holds at every moment.
#[tokio::test(start_paused = true)]
async fn the_slack_is_small_and_is_all_there_is() {
    let mut rng = rng();
    for burst in [1, 5] {
        let limit = Rc::new(limit(5000, SECOND, burst));
        let start = Instant::now();
        let times = Rc::new(RefCell::new(Vec::new()));
        let local = tokio::task::LocalSet::new();
        for _ in 0..20 {
            let (limit, times) = (Rc::clone(&limit), Rc::clone(&times));
            local.spawn_local(async move {
                for _ in 0..100 {
                    limit.acquire().await;
                    times.borrow_mut().push(start.elapsed());
                }
            });
        }
        let hiccups = async {
            loop {
                advance(Duration::from_micros(rng.u64(..9000))).await;
                tokio::task::yield_now().await;
            }
        };
        let mut hiccups = pin!(hiccups);
        let mut local = pin!(local);
        while poll_once(local.as_mut()).await.is_pending() {
            assert!(
                poll_once(hiccups.as_mut())
                    .await
                    .map(|(): ()| ())
                    .is_pending()
            );
            tokio::task::yield_now().await;
        }
        assert_eq!(times.borrow().len(), 2000);
        within_bounds(&times.borrow(), 5000.0, f64::from(burst));
    }
}

/// An idle limiter does not hand out its slack: who comes after a pause has not waited.
#[tokio::test(start_paused = true)]
async fn idleness_earns_no_slack() {
    let limit = limit(20_000, SECOND, 1);
    advance(SECOND).await;
    assert!(limit.try_acquire().is_ok());
    assert!(limit.try_acquire().is_err());
}

/// A waiter that is dropped at any point uses nothing up, and those behind it get its turn.
#[tokio::test(start_paused = true)]
async fn dropped_at_any_step_it_uses_nothing_up() {
    let polls = sweep(
        || {
            let limit = limit(10, SECOND, 1);
            limit.try_acquire().unwrap();
            limit
        },
        async |limit: &RateLimit| limit.acquire().await,
        async |_, _| advance(35 * MS).await,
        async |limit, polls| {
            let start = Instant::now();
            // One was taken at the start; the swept one counts only if it got to its end.
            let gone = 35 * MS * u32::try_from(polls).unwrap();
            limit.acquire().await;
            match polls {
                0..4 => assert_eq!(start.elapsed(), (100 * MS).saturating_sub(gone)),
                _ => assert!(start.elapsed() >= 90 * MS),
            }
        },
    )
    .await;
    assert_eq!(polls, 4);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_gives_its_turn_on() {
    let limit = limit(10, SECOND, 1);
    let start = Instant::now();
    limit.acquire().await;
    let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(limit.acquire())).collect();
    for waiter in &mut waiters {
        assert!(poll_once(waiter.as_mut()).await.is_pending());
    }
    assert_eq!(limit.waiting(), 2);
    drop(waiters.remove(0));
    waiters.remove(0).await;
    assert_eq!(start.elapsed(), 100 * MS);
    waiters.remove(0).await;
    assert_eq!(start.elapsed(), 200 * MS);
}

#[tokio::test(start_paused = true)]
async fn trying_never_goes_past_a_waiter() {
    let limit = limit(10, SECOND, 1);
    limit.acquire().await;
    let mut waiter = pin!(limit.acquire());
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    advance(150 * MS).await;
    assert_eq!(
        limit.try_acquire().unwrap_err() - Instant::now(),
        100 * MS,
        "one could go since 50 ms, but somebody else waits for that"
    );
    waiter.await;
}

#[tokio::test(start_paused = true)]
async fn a_change_reaches_who_waits() {
    let limit = limit(1, 3600 * SECOND, 1);
    let start = Instant::now();
    limit.acquire().await;
    let change = async {
        tokio::time::sleep(10 * MS).await;
        limit.set_rate(10, SECOND).unwrap();
    };
    let mut change = pin!(change);
    let mut waiter = pin!(limit.acquire());
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    change.as_mut().await;
    waiter.await;
    assert!(start.elapsed() <= 110 * MS + MS, "{:?}", start.elapsed());

    limit.set_rate(1, 3600 * SECOND).unwrap();
    let mut waiter = pin!(limit.acquire());
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    limit.refund();
    assert!(
        poll_once(waiter).await.is_ready(),
        "what was given back is taken at once"
    );
    assert_eq!(limit.set_rate(0, SECOND), Err(InvalidRate::Count));
}

/// Four runtimes on the real clock share one limit: together they keep it. The clock is only asked for what can't be
/// broken by a slow machine: that it was not too fast.
#[test]
fn several_runtimes_share_it() {
    const EACH: u32 = 250;
    let limit = limit(5000, SECOND, 1);
    let start = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    for _ in 0..EACH {
                        limit.acquire().await;
                    }
                });
            });
        }
    });
    let least = SECOND * (4 * EACH - 1) / 5000 - RateLimit::SLACK;
    assert!(
        start.elapsed() >= least,
        "{:?} < {least:?}",
        start.elapsed()
    );
    assert_eq!(limit.waiting(), 0);
}
