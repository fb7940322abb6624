use std::time::Duration;

use settled::{Gcra, InvalidRate};

use crate::steps::rng;

const SECOND: u64 = 1_000_000_000;

fn per_second(count: f64) -> Gcra {
    Gcra::new(count, Duration::from_secs(1)).unwrap()
}

#[test]
fn a_burst_and_then_evenly() {
    let mut rate = per_second(10.0).burst(3).unwrap();
    assert_eq!(rate.max_burst(), 3);
    assert_eq!((0..5).filter(|_| rate.take(SECOND, 1).is_ok()).count(), 3);
    assert_eq!(rate.peek(SECOND, 1), Some(SECOND + SECOND / 10));
    assert!(rate.take(SECOND + SECOND / 10 - 1, 1).is_err());
    assert!(rate.take(SECOND + SECOND / 10, 1).is_ok());
    assert_eq!(
        (0..5)
            .filter(|_| rate.take(100 * SECOND, 1).is_ok())
            .count(),
        3,
        "a pause saves up the burst and no more"
    );
}

/// A third of a second is no whole number of nanoseconds: three million of them are a million seconds all the same.
#[test]
fn it_does_not_drift() {
    for count in [3.0, 7.0, 20_000.0, 0.3, 999_999.937] {
        let mut rate = per_second(count);
        let mut now = 0;
        let cells = 1_000_000_u64;
        for _ in 0..cells {
            now = rate.peek(now, 1).unwrap();
            // Who waits for a whole nanosecond is a part of one late.
            rate.take_since(0, now, 1).unwrap();
        }
        let exact =
            (cells - 1) as u128 * u128::from(SECOND) * 1_000_000 / (count * 1e6).round() as u128;
        assert!(
            u128::from(now).abs_diff(exact) <= 1,
            "{count}: {now} {exact}"
        );
    }
}

/// Against the plain statement of what it is: in every stretch of time, at most the burst and what the time brings; and what it
/// says of when it will be ready is true to the nanosecond.
#[test]
fn it_is_a_bucket_in_every_window() {
    let mut rng = rng();
    for _ in 0..100 {
        let (count, burst) = (rng.u32(1..50), rng.u32(1..6));
        let mut rate = per_second(f64::from(count)).burst(burst).unwrap();
        // The model: an exact bucket, in units of 1 / count nanoseconds.
        let cell = u128::from(SECOND);
        let (mut level, mut at) = (0_u128, 0_u64);
        let mut now = 0;
        for _ in 0..500 {
            now += rng.u64(..SECOND / u64::from(count) * 2);
            let weight = rng.u32(..=burst);
            level = level.saturating_sub(u128::from(now - at) * u128::from(count));
            at = now;
            let fits = level + cell * u128::from(weight) <= cell * u128::from(burst);
            let ready = rate.peek(now, weight).unwrap();
            assert_eq!(ready == now, fits);
            assert_eq!(rate.take(now, weight).is_ok(), fits);
            if fits {
                level += cell * u128::from(weight);
            } else {
                let (mut early, mut late) = (rate, rate);
                assert!(early.take(ready - 1, weight).is_err());
                assert!(late.take(ready, weight).is_ok());
            }
        }
    }
}

#[test]
fn a_late_one_is_dated_back() {
    let mut rate = per_second(10.0);
    rate.take(0, 1).unwrap();
    let tenth = SECOND / 10;
    rate.take_since(tenth, tenth + 7, 1).unwrap();
    assert_eq!(
        rate.peek(tenth, 1),
        Some(2 * tenth),
        "the seven nanoseconds are not lost"
    );
    rate.take(5 * tenth + 7, 1).unwrap();
    assert_eq!(
        rate.peek(0, 1),
        Some(6 * tenth + 7),
        "who has not waited is not dated back"
    );
    let before = rate;
    assert!(
        rate.take_since(0, 6 * tenth + 6, 1).is_err(),
        "nobody is let in early"
    );
    assert_eq!(rate, before);
}

#[test]
fn weights() {
    let mut rate = per_second(10.0).burst(5).unwrap();
    assert!(rate.take(0, 0).is_ok());
    assert!(rate.take(0, 5).is_ok());
    assert!(rate.take(0, 0).is_ok(), "nothing is always there");
    assert_eq!(rate.peek(0, 2), Some(SECOND / 5));
    let never = rate.take(0, 6).unwrap_err();
    assert_eq!((never.ready(), rate.peek(0, 6)), (None, None));
}

#[test]
fn what_is_given_back_is_there_again_but_never_more_than_the_burst() {
    let mut rate = per_second(10.0).burst(2).unwrap();
    rate.take(SECOND, 2).unwrap();
    rate.refund(1);
    assert!(rate.take(SECOND, 1).is_ok());
    assert!(rate.take(SECOND, 1).is_err());
    rate.refund(1000);
    assert_eq!((0..9).filter(|_| rate.take(SECOND, 1).is_ok()).count(), 2);
}

#[test]
fn a_change_of_rate_keeps_the_debt() {
    let minute = Duration::from_secs(60);
    let mut rate = Gcra::new(1, minute).unwrap().burst(4).unwrap();
    rate.take(0, 4).unwrap();
    rate.set_rate(0, 1, Duration::from_secs(1)).unwrap();
    assert_eq!(
        rate.peek(0, 4),
        Some(4 * SECOND),
        "four owed, now at a second each"
    );
    rate.set_rate(2 * SECOND, 1, minute).unwrap();
    assert_eq!(rate.peek(2 * SECOND, 4), Some(122 * SECOND), "two are left");
    let before = rate;
    assert_eq!(rate.set_rate(0, 0, minute), Err(InvalidRate::Count));
    assert_eq!(rate, before);
}

#[test]
fn extremes_neither_overflow_nor_pass_for_something_else() {
    let longest = Duration::from_nanos(u64::MAX);
    for (count, per) in [
        (1e-6, longest),
        (1e12, Duration::from_nanos(1)),
        (1e12, longest),
        (1e-6, Duration::from_nanos(1)),
    ] {
        let mut rate = Gcra::new(count, per).unwrap().burst(u32::MAX).unwrap();
        for now in [0, 1, u64::MAX / 2, u64::MAX] {
            for weight in [0, 1, u32::MAX] {
                let _ = rate.take(now, weight);
                let _ = rate.peek(0, weight);
            }
            rate.set_rate(now, 1e12, longest).unwrap();
            rate.set_rate(now, count, per).unwrap();
        }
    }
    for count in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-7, 1e13] {
        assert_eq!(
            Gcra::new(count, longest).unwrap_err(),
            InvalidRate::Count,
            "{count}"
        );
    }
    assert_eq!(
        Gcra::new(1, Duration::ZERO).unwrap_err(),
        InvalidRate::Period
    );
    assert_eq!(
        Gcra::new(1, Duration::MAX).unwrap_err(),
        InvalidRate::Period
    );
    assert_eq!(per_second(1.0).burst(0).unwrap_err(), InvalidRate::Burst);
}
