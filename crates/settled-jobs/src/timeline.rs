//! The timeline: how many tries ran, began and ended in each stretch of a run, in bounded memory however long it is.

use std::collections::BTreeMap;
use std::time::Duration;

/// Stretches of equal length; when there are too many of them, two become one.
#[derive(Debug)]
pub(crate) struct Timeline {
    width_us: u64,
    bins: BTreeMap<u64, Bin>,
    first_us: u64,
    last_us: u64,
}

/// One stretch.
#[derive(Clone, Debug, Default)]
struct Bin {
    began: u64,
    ended: u64,
    /// Of those that ended: answered with 429.
    limited: u64,
    times: Times,
}

const MAX_BINS: usize = 1_024;
const FIRST_WIDTH_US: u64 = 1_000;

/// A small histogram of times: four buckets for each doubling, from 16 µs.
#[derive(Clone, Debug)]
struct Times([u32; Times::BUCKETS]);

impl Default for Times {
    fn default() -> Self {
        Self([0; Self::BUCKETS])
    }
}

impl Times {
    const BUCKETS: usize = 96;

    fn add(&mut self, took: Duration) {
        let steps = (took.as_micros().max(16) as f64 / 16.0).log2() * 4.0;
        self.0[(steps as usize).min(Self::BUCKETS - 1)] += 1;
    }

    fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    fn percentile(&self, part: f64) -> Duration {
        let all: u64 = self.0.iter().map(|&n| u64::from(n)).sum();
        let mut rest = (all as f64 * part).ceil() as u64;
        for (bucket, &n) in self.0.iter().enumerate() {
            if rest <= u64::from(n) {
                return Duration::from_micros((16.0 * 2f64.powf((bucket + 1) as f64 / 4.0)) as u64);
            }
            rest -= u64::from(n);
        }
        Duration::ZERO
    }
}

/// What held while about this many tries were in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    pub(crate) in_flight: f64,
    pub(crate) per_second: f64,
    pub(crate) p99: Duration,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            width_us: FIRST_WIDTH_US,
            bins: BTreeMap::new(),
            first_us: u64::MAX,
            last_us: 0,
        }
    }
}

impl Timeline {
    /// A try began at this time (microseconds since 1970) and took this long.
    pub(crate) fn add(&mut self, began_us: u64, took: Duration, limited: bool) {
        let ended_us = began_us + took.as_micros() as u64;
        self.first_us = self.first_us.min(began_us);
        self.last_us = self.last_us.max(ended_us);
        self.bins.entry(began_us / self.width_us).or_default().began += 1;
        let bin = self.bins.entry(ended_us / self.width_us).or_default();
        bin.ended += 1;
        bin.limited += u64::from(limited);
        bin.times.add(took);
        while self.bins.len() > MAX_BINS {
            self.coarsen();
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if other.bins.is_empty() {
            return;
        }
        self.first_us = self.first_us.min(other.first_us);
        self.last_us = self.last_us.max(other.last_us);
        while self.width_us < other.width_us {
            self.coarsen();
        }
        let ratio = self.width_us / other.width_us;
        for (at, bin) in &other.bins {
            self.bins.entry(at / ratio).or_default().merge(bin);
        }
        while self.bins.len() > MAX_BINS {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.width_us *= 2;
        for (at, bin) in std::mem::take(&mut self.bins) {
            self.bins.entry(at / 2).or_default().merge(&bin);
        }
    }

    /// From the first beginning to the last end.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_micros(self.last_us.saturating_sub(self.first_us))
    }

    /// How many answers a second were no 429, while some were: what the service allows. Only where that was about the same every
    /// second for a while, as a limit makes it; refusals that come by chance leave throughput uneven, or are few.
    pub(crate) fn allowed_while_limited(&self) -> Option<f64> {
        let all = self.stretches();
        // The first and the last second were not whole ones.
        let whole = all.len().saturating_sub(2);
        let limited = all
            .values()
            .skip(1)
            .take(whole)
            .filter(|bin| bin.limited > 0);
        let answered: Vec<f64> = limited
            .map(|bin| (bin.ended - bin.limited) as f64)
            .collect();
        if answered.len() < 3 {
            return None;
        }
        let mean = answered.iter().sum::<f64>() / answered.len() as f64;
        let variance =
            answered.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / answered.len() as f64;
        (mean > 0.0 && variance.sqrt() <= mean * 0.25).then(|| mean / STRETCH.as_secs_f64())
    }

    /// Seconds of the run (coarser, if the bins are).
    fn stretches(&self) -> BTreeMap<u64, Bin> {
        let mut all: BTreeMap<u64, Bin> = BTreeMap::new();
        for (at, bin) in &self.bins {
            all.entry(at * self.width_us / STRETCH.as_micros() as u64)
                .or_default()
                .merge(bin);
        }
        all
    }

    /// How throughput and times went with the number of tries in flight: levels that were held long enough to say something.
    pub(crate) fn levels(&self) -> Vec<Level> {
        let width = Duration::from_micros(self.width_us).as_secs_f64();
        let mut in_flight = 0i64;
        let mut levels: BTreeMap<i32, (Bin, f64, u64)> = BTreeMap::new();
        for bin in self.bins.values() {
            let before = in_flight;
            in_flight += bin.began as i64 - bin.ended as i64;
            let mean = (before + in_flight) as f64 / 2.0;
            if bin.ended == 0 || mean < 1.0 {
                continue;
            }
            // Two levels for each doubling.
            let level = levels
                .entry((mean.log2() * 2.0).round() as i32)
                .or_default();
            level.0.merge(bin);
            level.1 += mean;
            level.2 += 1;
        }
        let enough = levels
            .into_values()
            .filter(|(bin, _, bins)| *bins >= 5 && bin.ended >= 200);
        enough
            .map(|(bin, sum, bins)| Level {
                in_flight: sum / bins as f64,
                per_second: bin.ended as f64 / (bins as f64 * width),
                p99: bin.times.percentile(0.99),
            })
            .collect()
    }
}

const STRETCH: Duration = Duration::from_secs(1);

impl Bin {
    fn merge(&mut self, other: &Self) {
        self.began += other.began;
        self.ended += other.ended;
        self.limited += other.limited;
        self.times.merge(&other.times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_000_000_000_000;

    #[test]
    fn memory_is_bounded_and_nothing_is_forgotten() {
        let mut line = Timeline::default();
        for n in 0..50_000 {
            line.add(NOW + n * 17_000, Duration::from_millis(30), false);
        }
        assert!(line.bins.len() <= MAX_BINS);
        assert_eq!(line.bins.values().map(|bin| bin.ended).sum::<u64>(), 50_000);
        assert_eq!(line.span(), Duration::from_micros(49_999 * 17_000 + 30_000));
    }

    #[test]
    fn levels_show_where_more_in_flight_gained_nothing() {
        let mut line = Timeline::default();
        // 20 s with 10 in flight at 10 ms (1,000/s), then 20 s with 40 in flight at 40 ms (1,000/s as well).
        for n in 0..20_000u64 {
            line.add(NOW + n * 1_000, Duration::from_millis(10), false);
            line.add(
                NOW + 20_100_000 + n * 1_000,
                Duration::from_millis(40),
                false,
            );
        }
        let levels = line.levels();
        let near = |n: f64| {
            levels
                .iter()
                .find(|level| (level.in_flight - n).abs() < n / 5.0)
                .unwrap()
        };
        let (few, many) = (near(10.0), near(40.0));
        assert!(
            (few.per_second - many.per_second).abs() < 50.0,
            "{few:?} {many:?}"
        );
        assert!(many.p99 > few.p99 * 3, "{few:?} {many:?}");
    }

    #[test]
    fn what_a_service_allows_is_what_it_answered_while_it_refused_some() {
        let mut line = Timeline::default();
        for second in 0..10u64 {
            for n in 0..30u64 {
                line.add(
                    NOW + second * 1_000_000 + n * 20_000,
                    Duration::from_millis(1),
                    n >= 18,
                );
            }
        }
        assert_eq!(line.allowed_while_limited().map(f64::round), Some(18.0));
    }
}
