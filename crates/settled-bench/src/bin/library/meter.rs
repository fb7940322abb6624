//! How a case is measured.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use settled_bench::figures::Spread;
use settled_bench::library::Figure;

use crate::heap;

/// So many batches at least, however long one takes.
const BATCHES: usize = 3;

/// Runs a case again and again for a while.
pub(crate) struct Meter {
    budget: Duration,
}

/// What one batch took: of the part that counts.
pub(crate) struct Batch {
    elapsed: Duration,
    cpu: Duration,
}

impl Meter {
    pub(crate) fn new(budget: Duration) -> Self {
        Self { budget }
    }

    /// Measures batches of `ops` operations, the median of which is the figure: a batch that was
    /// interrupted by somebody else does not count for more than any other. What is allocated is
    /// counted in a batch of its own.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "a case that is not there is `None`, so that `match` can be the table of cases"
    )]
    pub(crate) fn run(&self, ops: u64, mut batch: impl FnMut() -> Batch) -> Option<Figure> {
        let warm = Instant::now();
        while {
            batch();
            warm.elapsed() < self.budget / 4
        } {}
        let (mut batches, start) = (Vec::new(), Instant::now());
        while batches.len() < BATCHES || start.elapsed() < self.budget {
            batches.push(batch());
        }
        let (allocations, bytes) = heap::counted(|| _ = batch());
        let median = |of: fn(&Batch) -> Duration| {
            let nanos = batches.iter().map(|batch| of(batch).as_nanos() as f64);
            Spread::of(nanos).map_or(0, |spread| spread.median as u64)
        };
        Some(Figure {
            ops,
            nanos: median(|batch| batch.elapsed),
            cpu_nanos: median(|batch| batch.cpu),
            heap: Some((allocations, bytes)),
        })
    }
}

/// Times the part that counts.
pub(crate) fn timed<R>(work: impl FnOnce() -> R) -> Batch {
    let (cpu, start) = (cpu(), Instant::now());
    drop(std::hint::black_box(work()));
    batch(start, cpu)
}

/// Times the part that counts, where it has to be awaited.
pub(crate) async fn timed_async<R>(work: impl Future<Output = R>) -> Batch {
    let (cpu, start) = (cpu(), Instant::now());
    drop(std::hint::black_box(work.await));
    batch(start, cpu)
}

fn batch(start: Instant, before: Duration) -> Batch {
    let elapsed = start.elapsed();
    Batch {
        elapsed,
        cpu: cpu().saturating_sub(before),
    }
}

/// The CPU time of all threads of this process.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}
