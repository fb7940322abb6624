//! Every tool in turn, several times over, and the table of it.

use crate::error::Result;
use crate::figures::{Metric, Sample, Spread, ratio, spread};
use crate::table::{Style, Table};
use crate::tool::Ready;

/// What one tool did in all rounds.
#[derive(Clone, Debug)]
pub struct Row {
    /// The tool's name.
    pub name: String,
    /// One sample a round.
    pub samples: Vec<Sample>,
    /// How many jobs it had to do a round; `None` if it decides that itself.
    pub jobs: Option<u64>,
}

/// A column of ratios.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    /// What is compared.
    pub metric: Metric,
    /// The tool that is 1.
    pub to: &'static str,
}

/// Runs every tool once a round, so that a noisy minute hits all of them; each round starts with
/// another tool, so that none always follows the same one.
///
/// # Errors
/// The first of `one`.
pub fn run(
    ready: &[Ready<'_>],
    rounds: u64,
    jobs: impl Fn(&Ready<'_>) -> Option<u64>,
    mut one: impl FnMut(&Ready<'_>) -> Result<Sample>,
) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = ready
        .iter()
        .map(|ready| Row {
            name: ready.tool.name.into(),
            samples: Vec::new(),
            jobs: jobs(ready),
        })
        .collect();
    for round in 1..=rounds {
        for turn in 0..ready.len() {
            let index = (turn + round as usize - 1) % ready.len();
            let sample = one(&ready[index])?;
            let rate = sample.get(Metric::Rate).unwrap_or(0.0);
            let fault = sample.fault.as_deref().unwrap_or("");
            eprintln!(
                "round {round}/{rounds}  {:<20} {rate:>9.0}/s  {fault}",
                rows[index].name
            );
            rows[index].samples.push(sample);
        }
    }
    Ok(rows)
}

/// The table of the rows, the fastest first, and a line for every fault. `done` is the title of the
/// column that says how many jobs were really done in the last round.
#[must_use]
pub fn table(rows: &[Row], ratios: &[Ratio], done: &str, style: Style) -> String {
    let head = [
        "tool",
        "jobs/s",
        "min..max",
        "CPU µs/job",
        "peak MiB",
        done,
        "lines",
    ];
    let titles = ratios.iter().map(Ratio::title);
    let mut table = Table::new(head.into_iter().map(str::to_owned).chain(titles));
    let rate = |row: &Row| spread(&row.samples, Metric::Rate).map_or(0.0, |rate| rate.median);
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    for row in &sorted {
        let mut cells = row.cells();
        cells.extend(ratios.iter().map(|ratio| ratio.cell(row, rows)));
        table.push(cells);
    }
    let mut text = table.render(style);
    let faults: Vec<String> = sorted.iter().filter_map(|row| row.fault()).collect();
    if !faults.is_empty() {
        text += &format!("\n{}\n", faults.join("\n"));
    }
    text
}

impl Ratio {
    fn title(&self) -> String {
        match self.metric {
            Metric::Rate => format!("x {} (min..max)", self.to),
            Metric::Cpu => format!("CPU x {}", self.to),
        }
    }

    fn cell(&self, row: &Row, rows: &[Row]) -> String {
        let reference = rows.iter().find(|other| other.name == self.to);
        let spread = reference.and_then(|one| ratio(&row.samples, &one.samples, self.metric));
        match (spread, self.metric) {
            (None, _) => "-".into(),
            (Some(x), Metric::Rate) => {
                format!("{} ({}..{})", short(x.median), short(x.min), short(x.max))
            }
            (Some(x), Metric::Cpu) => short(x.median),
        }
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let whole = |spread: Option<Spread>, show: fn(Spread) -> String| {
            spread.map_or_else(|| "-".into(), show)
        };
        let rate = spread(&self.samples, Metric::Rate);
        let peak = Spread::of(
            self.samples
                .iter()
                .map(|sample| sample.peak_kib as f64 / 1024.0),
        );
        let last = self.samples.last();
        let done = last.map_or(0, |sample| sample.jobs);
        // What a tool left out would make it look fast: such a row is marked.
        let mark = if self.fault().is_some() { "! " } else { "" };
        vec![
            self.name.clone(),
            whole(rate, |rate| format!("{:.0}", rate.median)),
            whole(rate, |rate| format!("{:.0}..{:.0}", rate.min, rate.max)),
            whole(spread(&self.samples, Metric::Cpu), |cpu| {
                format!("{:.1}", cpu.median)
            }),
            whole(peak, |peak| format!("{:.1}", peak.median)),
            format!("{mark}{done}"),
            last.map_or(0, |sample| sample.lines).to_string(),
        ]
    }

    /// The first thing that went wrong in any round.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.samples.iter().enumerate().find_map(|(round, sample)| {
            let short = self.jobs.filter(|jobs| *jobs != sample.jobs);
            let why = match (&sample.fault, short) {
                (Some(fault), _) => fault.clone(),
                (None, Some(jobs)) => format!("did {} jobs of {jobs}", sample.jobs),
                (None, None) => return None,
            };
            Some(format!("! {}, round {}: {why}", self.name, round + 1))
        })
    }
}

/// Two digits after the point, three where the first two would be 0.0.
fn short(ratio: f64) -> String {
    if ratio < 0.095 {
        format!("{ratio:.3}")
    } else {
        format!("{ratio:.2}")
    }
}
