use std::collections::VecDeque;
use std::time::Duration;

use settled::RetryBudget;
use tokio::time::Instant;

use crate::steps::rng;

const SECOND: Duration = Duration::from_secs(1);

fn withdraw_all(budget: &RetryBudget, now: Instant) -> usize {
    std::iter::from_fn(|| budget.try_withdraw(now).ok())
        .take(1_000_000)
        .count()
}

fn deposit(budget: &RetryBudget, times: usize) {
    (0..times).for_each(|_| budget.deposit());
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_first_attempts() {
    let budget = RetryBudget::new(0.2, 0.0).unwrap();
    let now = Instant::now();
    let error = budget.try_withdraw(now).unwrap_err();
    assert_eq!(error.until(), None, "time alone brings nothing");
    deposit(&budget, 4);
    assert_eq!(withdraw_all(&budget, now), 0);
    deposit(&budget, 1);
    assert_eq!(withdraw_all(&budget, now), 1);
    deposit(&budget, 5000);
    assert_eq!(withdraw_all(&budget, now), 1000);
}

#[tokio::test(start_paused = true)]
async fn tokens_come_with_time_up_to_ten_seconds_worth() {
    let budget = RetryBudget::new(0.0, 10.0).unwrap();
    let now = Instant::now();
    assert_eq!(withdraw_all(&budget, now), 100, "it starts full");
    assert_eq!(
        budget.try_withdraw(now).unwrap_err().until(),
        Some(now + SECOND / 10)
    );
    assert_eq!(
        withdraw_all(&budget, now + SECOND / 10 - Duration::from_nanos(1)),
        0
    );
    assert_eq!(withdraw_all(&budget, now + SECOND / 10), 1);
    assert_eq!(withdraw_all(&budget, now + SECOND), 9);
    assert_eq!(withdraw_all(&budget, now + 3600 * SECOND), 100);
}

#[tokio::test(start_paused = true)]
async fn less_than_a_token_in_ten_seconds_still_makes_a_token() {
    let budget = RetryBudget::new(0.0, 0.01).unwrap();
    let now = Instant::now();
    assert_eq!(withdraw_all(&budget, now), 1);
    let until = budget.try_withdraw(now).unwrap_err().until().unwrap();
    assert_eq!(until, now + 100 * SECOND);
    assert_eq!(withdraw_all(&budget, until), 1);
}

/// What was said of the time when a token will be there is kept, to the nanosecond, also at rates that are no whole number.
#[tokio::test(start_paused = true)]
async fn the_time_that_is_told_is_kept() {
    let mut rng = rng();
    for _ in 0..200 {
        let budget = RetryBudget::new(0.0, rng.f64() * 50.0 + 0.001).unwrap();
        let mut now = Instant::now();
        withdraw_all(&budget, now);
        for _ in 0..20 {
            now += Duration::from_nanos(rng.u64(..100_000_000));
            withdraw_all(&budget, now);
            let until = budget.try_withdraw(now).unwrap_err().until().unwrap();
            assert!(until > now);
            assert!(budget.try_withdraw(until).is_ok(), "{budget:?}");
            now = until;
        }
    }
}

/// An hour of good health buys no storm: of deposits long ago only those of the last ten seconds count.
#[tokio::test(start_paused = true)]
async fn deposits_are_forgotten() {
    let budget = RetryBudget::new(1.0, 0.0).unwrap();
    let now = Instant::now();
    deposit(&budget, 1000);
    assert_eq!(withdraw_all(&budget, now + SECOND), 1000);
    deposit(&budget, 1000);
    assert!(budget.try_withdraw(now + SECOND).is_ok());
    assert_eq!(
        withdraw_all(&budget, now + 11 * SECOND),
        0,
        "999 went out of date"
    );
    deposit(&budget, 3600);
    let later = now + 3611 * SECOND;
    assert_eq!(
        withdraw_all(&budget, later),
        9,
        "one a second, of the last nine whole seconds and this one"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_about_to_expire_goes_first() {
    let budget = RetryBudget::new(1.0, 1.0).unwrap();
    let now = Instant::now();
    deposit(&budget, 5);
    let late = now + Duration::from_millis(9900);
    budget.try_withdraw(now).unwrap();
    (0..4).for_each(|_| budget.try_withdraw(late).unwrap());
    assert_eq!(
        withdraw_all(&budget, now + 10 * SECOND),
        10,
        "the time's tokens were not touched"
    );
}

#[test]
fn a_clock_that_goes_back_is_no_harm() {
    let budget = RetryBudget::new(1.0, 1.0).unwrap();
    let now = Instant::now() + 100 * SECOND;
    assert_eq!(withdraw_all(&budget, now), 10);
    deposit(&budget, 3);
    assert_eq!(withdraw_all(&budget, now - 50 * SECOND), 3);
    assert_eq!(withdraw_all(&budget, now), 0);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (share, per_second) in [
        (-0.1, 1.0),
        (f64::NAN, 1.0),
        (0.2, -1.0),
        (0.2, f64::NAN),
        (f64::INFINITY, 0.0),
        (1001.0, 0.0),
        (0.0, 2e9),
    ] {
        assert!(
            RetryBudget::new(share, per_second).is_err(),
            "{share} {per_second}"
        );
    }
    assert_eq!(
        withdraw_all(&RetryBudget::new(0.0, 0.0).unwrap(), Instant::now()),
        0
    );
}

/// Against the plain statement: over any ten seconds, the retries are at most the share of the first attempts of those and
/// the ten seconds before, plus twice ten seconds' worth of what comes with time (what was saved, and what came).
#[tokio::test(start_paused = true)]
async fn a_storm_is_bounded_in_every_window() {
    let mut rng = rng();
    for _ in 0..30 {
        let (share, per_second) = (rng.f64(), rng.f64() * 5.0);
        let budget = RetryBudget::new(share, per_second).unwrap();
        let mut now = Instant::now();
        let (mut firsts, mut retries) = (VecDeque::new(), VecDeque::new());
        for _ in 0..3000 {
            now += Duration::from_micros(rng.u64(..20_000));
            budget.deposit();
            firsts.push_back(now);
            while rng.u8(..4) != 0 {
                if budget.try_withdraw(now).is_ok() {
                    retries.push_back(now);
                }
            }
            while firsts.front().is_some_and(|at| now - *at > 20 * SECOND) {
                firsts.pop_front();
            }
            while retries.front().is_some_and(|at| now - *at > 10 * SECOND) {
                retries.pop_front();
            }
            let bound =
                share * firsts.len() as f64 + (20.0 * per_second).max(1.0 + 10.0 * per_second);
            assert!(
                retries.len() as f64 <= bound + 1e-3,
                "{} > {bound} {budget:?}",
                retries.len()
            );
        }
    }
}

#[test]
fn threads_share_one_budget() {
    let budget = RetryBudget::new(0.5, 0.0).unwrap();
    let now = Instant::now();
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut taken = 0;
                    for _ in 0..10_000 {
                        budget.deposit();
                        taken += usize::from(budget.try_withdraw(now).is_ok());
                    }
                    taken
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(
        taken + withdraw_all(&budget, now),
        20_000,
        "half of 40,000, each token once"
    );
}
