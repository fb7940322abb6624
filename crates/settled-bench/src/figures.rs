//! Medians and ratios over the rounds of a bench.

use std::time::Duration;

/// What one tool did in one round.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The jobs that it really did.
    pub jobs: u64,
    /// From its start to its end.
    pub elapsed: Duration,
    /// CPU time, its children's included.
    pub cpu: Duration,
    /// Peak resident memory in KiB.
    pub peak_kib: u64,
    /// Lines that it recorded.
    pub lines: u64,
    /// What went wrong, if anything did.
    pub fault: Option<String>,
}

/// A figure over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The middle one; of an even number the mean of both middle ones.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Jobs a second.
    Rate,
    /// CPU microseconds a job.
    Cpu,
}

impl Sample {
    /// The figure of this sample; `None` where it would be a division by nothing.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<f64> {
        if self.jobs == 0 || self.elapsed.is_zero() {
            return None;
        }
        let jobs = self.jobs as f64;
        Some(match metric {
            Metric::Rate => jobs / self.elapsed.as_secs_f64(),
            Metric::Cpu => self.cpu.as_secs_f64() * 1e6 / jobs,
        })
    }
}

/// The spread of a metric over the samples that have it.
#[must_use]
pub fn spread(samples: &[Sample], metric: Metric) -> Option<Spread> {
    Spread::of(samples.iter().filter_map(|sample| sample.get(metric)))
}

/// How many times the reference's figure a tool's is, paired round by round: what slowed down one
/// round slowed down both.
#[must_use]
pub fn ratio(tool: &[Sample], reference: &[Sample], metric: Metric) -> Option<Spread> {
    let pairs = tool.iter().zip(reference);
    Spread::of(pairs.filter_map(|(tool, one)| {
        let ratio = tool.get(metric)? / one.get(metric)?;
        ratio.is_finite().then_some(ratio)
    }))
}

impl Spread {
    /// The spread of the values; `None` if there are none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { min, median, max })
    }
}
