//! Medians, spreads, and ratios that are paired round by round.

use std::time::Duration;

use settled_bench::figures::{Metric, Sample, Spread, ratio, spread};

/// A sample of 100 jobs that took `ms` and `cpu_ms`.
pub(crate) fn sample(ms: u64, cpu_ms: u64) -> Sample {
    Sample {
        jobs: 100,
        elapsed: Duration::from_millis(ms),
        cpu: Duration::from_millis(cpu_ms),
        peak_kib: 2048,
        lines: 0,
        fault: None,
    }
}

#[test]
fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
    let of = |values: &[f64]| Spread::of(values.iter().copied());
    assert_eq!(
        of(&[3.0, 1.0, 2.0]),
        Some(Spread {
            min: 1.0,
            median: 2.0,
            max: 3.0
        })
    );
    assert_eq!(
        of(&[4.0, 1.0, 2.0, 3.0]),
        Some(Spread {
            min: 1.0,
            median: 2.5,
            max: 4.0
        })
    );
    assert_eq!(
        of(&[7.0]),
        Some(Spread {
            min: 7.0,
            median: 7.0,
            max: 7.0
        })
    );
    assert_eq!(of(&[]), None);
}

#[test]
fn rate_is_jobs_a_second_and_cpu_is_microseconds_a_job() {
    let samples = [sample(1000, 50), sample(500, 20), sample(250, 10)];
    let rate = spread(&samples, Metric::Rate);
    assert_eq!(
        rate,
        Some(Spread {
            min: 100.0,
            median: 200.0,
            max: 400.0
        })
    );
    let cpu = spread(&samples, Metric::Cpu);
    assert_eq!(
        cpu,
        Some(Spread {
            min: 100.0,
            median: 200.0,
            max: 500.0
        })
    );
}

#[test]
fn ratios_compare_samples_of_the_same_round() {
    // The second round was ten times slower for both: that is no difference between them.
    let one = [sample(100, 10), sample(1000, 100), sample(100, 10)];
    let twice = [sample(50, 10), sample(500, 100), sample(50, 10)];
    let expected = Spread {
        min: 2.0,
        median: 2.0,
        max: 2.0,
    };
    assert_eq!(ratio(&twice, &one, Metric::Rate), Some(expected));
    assert_eq!(
        ratio(&twice, &one, Metric::Cpu).map(|cpu| cpu.median),
        Some(1.0)
    );
}

#[test]
fn a_tool_that_did_nothing_has_no_rate() {
    let nothing = [Sample {
        jobs: 0,
        ..sample(100, 10)
    }];
    assert_eq!(spread(&nothing, Metric::Rate), None);
    assert_eq!(ratio(&nothing, &[sample(100, 10)], Metric::Rate), None);
    assert_eq!(ratio(&[sample(100, 10)], &nothing, Metric::Rate), None);
}
