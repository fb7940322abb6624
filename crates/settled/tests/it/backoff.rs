use std::time::Duration;

use settled::{Backoff, Jitter};

use crate::steps::rng;

const MS: Duration = Duration::from_millis(1);
const ALL: [Jitter; 4] = [
    Jitter::Full,
    Jitter::Equal,
    Jitter::Decorrelated,
    Jitter::None,
];

fn plain(min: Duration, factor: f64, max: Duration) -> Vec<u128> {
    let backoff = Backoff::exponential(min)
        .max(max)
        .jitter(Jitter::None)
        .factor(factor)
        .unwrap();
    backoff
        .delays(0)
        .take(4)
        .map(|delay| delay.as_millis())
        .collect()
}

#[test]
fn without_jitter_it_is_the_ceiling() {
    let ever = Duration::MAX;
    assert_eq!(plain(100 * MS, 2.0, ever), [100, 200, 400, 800]);
    assert_eq!(plain(100 * MS, 3.0, 150 * MS), [100, 150, 150, 150]);
    assert_eq!(plain(100 * MS, 1.0, ever), [100, 100, 100, 100]);
    assert_eq!(plain(100 * MS, 1.5, ever), [100, 150, 225, 337]);
    assert_eq!(
        plain(100 * MS, 2.0, 50 * MS),
        [50, 50, 50, 50],
        "the cap is below the start"
    );
    assert_eq!(plain(Duration::ZERO, 2.0, ever), [0, 0, 0, 0]);
}

/// Nothing times infinity is no number, and is not taken for the cap.
#[test]
fn nothing_stays_nothing() {
    for jitter in ALL {
        let backoff = Backoff::exponential(Duration::ZERO)
            .jitter(jitter)
            .factor(f64::MAX)
            .unwrap();
        assert!(backoff.delays(7).take(10_000).all(|delay| delay.is_zero()));
        assert!(backoff.delay(u32::MAX, &mut rng()).is_zero());
    }
}

#[test]
fn doubling_is_exact() {
    let backoff = Backoff::exponential(Duration::from_nanos(1))
        .max(Duration::MAX)
        .jitter(Jitter::None);
    for (power, delay) in backoff.delays(0).take(53).enumerate() {
        assert_eq!(delay.as_nanos(), 1 << power);
    }
}

#[test]
fn a_factor_below_one_is_refused() {
    let backoff = Backoff::exponential(MS);
    for factor in [0.0, 0.999, -2.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = backoff.factor(factor).unwrap_err();
        assert!(error.to_string().ends_with(&format!("not by {factor}")));
    }
    assert!(backoff.factor(f64::MAX).is_ok());
}

/// Whatever the settings and however late, a delay is at most the cap, and computing it neither overflows nor panics.
#[test]
fn the_cap_holds_after_the_jitter_for_ten_thousand_delays() {
    let mut rng = rng();
    let some = |rng: &mut fastrand::Rng| match rng.u8(..8) {
        0 => Duration::ZERO,
        1 => Duration::MAX,
        2 => Duration::from_nanos(1),
        _ => Duration::from_nanos(rng.u64(..) >> rng.u8(..64)),
    };
    for _ in 0..40 {
        let (min, max) = (some(&mut rng), some(&mut rng));
        let factor = [1.0, 1.0 + f64::EPSILON, 2.0, 10.0, f64::MAX][rng.usize(..5)];
        for jitter in ALL {
            let backoff = Backoff::exponential(min)
                .max(max)
                .jitter(jitter)
                .factor(factor)
                .unwrap();
            let delays = backoff.delays(rng.u64(..)).take(10_000);
            assert!(delays.into_iter().all(|delay| delay <= max), "{backoff:?}");
            for retry in [0, 1, 2, 31, 32, 64, 65, 10_000, u32::MAX] {
                assert!(backoff.delay(retry, &mut rng) <= max, "{backoff:?} {retry}");
            }
        }
    }
}

#[test]
fn each_jitter_keeps_to_its_range_and_fills_it() {
    let (min, max) = (100 * MS, 1000 * MS);
    let mut rng = rng();
    let mut draws = |jitter, retry| {
        let backoff = Backoff::exponential(min).max(max).jitter(jitter);
        let mut all: Vec<_> = (0..4000).map(|_| backoff.delay(retry, &mut rng)).collect();
        all.sort();
        let mean = all.iter().sum::<Duration>() / 4000;
        (all[0], all[3999], mean)
    };
    // Of 4,000 even draws the least is above a fiftieth of the range with a chance of 1e-35, and the mean is off by a
    // twentieth of it with one of 1e-27.
    let near =
        |value: Duration, wanted: Duration, range: Duration| value.abs_diff(wanted) <= range / 20;
    for (retry, ceiling) in [
        (1, 100 * MS),
        (2, 200 * MS),
        (3, 400 * MS),
        (4, 800 * MS),
        (5, max),
        (50, max),
    ] {
        let (least, most, mean) = draws(Jitter::Full, retry);
        assert!(least <= ceiling / 50 && most <= ceiling && most >= ceiling / 50 * 49);
        assert!(near(mean, ceiling / 2, ceiling), "{mean:?}");
        let (least, most, mean) = draws(Jitter::Equal, retry);
        assert!(least >= ceiling / 2 && most <= ceiling && most >= ceiling / 50 * 49);
        assert!(near(mean, ceiling / 4 * 3, ceiling / 2), "{mean:?}");
    }
    let (least, most, mean) = draws(Jitter::Decorrelated, 1);
    assert!(least >= min && most <= 3 * min && near(mean, 2 * min, 2 * min));
}

/// Each decorrelated delay is at most three times the one before, and never below the start.
#[test]
fn decorrelated_jitter_walks() {
    let backoff = Backoff::exponential(10 * MS)
        .max(1000 * MS)
        .jitter(Jitter::Decorrelated);
    let mut rng = rng();
    for _ in 0..100 {
        let mut last = 10 * MS;
        for delay in backoff.delays(rng.u64(..)).take(200) {
            assert!(delay >= 10 * MS && delay <= (3 * last).min(1000 * MS));
            last = delay;
        }
    }
}

/// The walk that is drawn anew for a bare count is as far as the walk of the iterator: same mean at each retry.
#[test]
fn decorrelated_by_count_is_spread_as_the_walk_is() {
    let backoff = Backoff::exponential(10 * MS)
        .max(1000 * MS)
        .jitter(Jitter::Decorrelated);
    let mut rng = rng();
    for retry in [1, 3, 10, 40] {
        let walked: Duration = (0..4000)
            .filter_map(|_| backoff.delays(rng.u64(..)).nth(retry - 1))
            .sum::<Duration>()
            / 4000;
        let counted = (0..4000)
            .map(|_| backoff.delay(retry as u32, &mut rng))
            .sum::<Duration>()
            / 4000;
        // Standard error of each mean: below 300 ms / sqrt(4000) < 5 ms.
        assert!(
            walked.abs_diff(counted) < 50 * MS,
            "{retry}: {walked:?} {counted:?}"
        );
    }
}

#[test]
fn equal_seeds_give_equal_delays() {
    for jitter in ALL {
        let backoff = Backoff::exponential(MS).jitter(jitter);
        assert!(backoff.delays(7).take(100).eq(backoff.delays(7).take(100)));
        if jitter != Jitter::None {
            assert!(!backoff.delays(7).take(100).eq(backoff.delays(8).take(100)));
        }
    }
}
