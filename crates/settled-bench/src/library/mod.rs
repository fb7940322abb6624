//! `bench all | map | timeout | cancel | semaphore`: what one operation of the library costs, in
//! nanoseconds and allocations, beside its peers.
//!
//! Each case runs in a process of its own, once a round (`src/bin/library`, `peers/library.*`), and
//! prints a [`Figure`].

mod figure;
pub mod tables;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

pub use figure::Figure;

use crate::error::{Doing, Result};
use crate::figures::{Metric, Sample, Spread, ratio, spread};
use crate::interrupt::Interrupt;
use crate::options::Library;
use crate::peer::Toolbox;
use crate::rounds::{self, Row};
use crate::table::Table;
use crate::tool::{Ready, Values, ready};
use crate::{machine, measure};

use tables::Part;

/// Far more than a process takes, unless it hangs.
const LIMIT: Duration = Duration::from_secs(120);

const SCRIPTS: [(&str, &str); 2] = [
    ("library.mjs", include_str!("../../peers/library.mjs")),
    ("library.py", include_str!("../../peers/library.py")),
];

/// Allocations and bytes of one operation, by the case's name.
pub type Heap = BTreeMap<&'static str, (f64, f64)>;

/// Prints the tables of these parts.
///
/// # Errors
/// If a case can't be started, or a signal arrived.
pub fn run(
    options: &Library,
    parts: &[Part],
    toolbox: &Toolbox,
    dir: &Path,
    interrupt: &Interrupt,
) -> Result<()> {
    for (name, text) in SCRIPTS {
        fs::write(dir.join(name), text).doing("writing a script")?;
    }
    for (index, part) in parts.iter().enumerate() {
        let ready = ready(part.cases, &[], &options.common, toolbox)?;
        if index == 0 {
            let line = machine::line(&ready, &[], dir, toolbox);
            println!(
                "{line}; {}; load {}",
                machine::crates(tables::CRATES),
                machine::load()
            );
        }
        let mut heap = Heap::new();
        let one = |ready: &Ready<'_>| {
            let (sample, per_op) = one(ready, part, options, toolbox, dir, interrupt)?;
            heap.extend(per_op.map(|per_op| (ready.tool.name, per_op)));
            Ok(sample)
        };
        let rows = rounds::run(&ready, options.rounds, |_| None, one)?;
        println!("\n{}, {} rounds\n", part.title, options.rounds);
        print!(
            "{}",
            table(part, &rows, &heap).render(options.common.style())
        );
        rows.iter()
            .filter_map(Row::fault)
            .for_each(|fault| println!("{fault}"));
    }
    Ok(())
}

fn one(
    ready: &Ready<'_>,
    part: &Part,
    options: &Library,
    toolbox: &Toolbox,
    dir: &Path,
    interrupt: &Interrupt,
) -> Result<(Sample, Option<(f64, f64)>)> {
    let values = Values::from([
        ("HOW", part.how.to_owned()),
        ("MILLIS", options.millis.to_string()),
        ("SCRIPTS", dir.to_string_lossy().into_owned()),
    ]);
    let measured = measure::run(&mut ready.command(toolbox, &values), LIMIT, dir, interrupt)?;
    let said = fs::read_to_string(dir.join("stdout")).doing("reading a figure")?;
    let (figure, fault) = match (said.parse::<Figure>(), measured.fault) {
        (Ok(figure), None) => (figure, None),
        (Err(()), None) => (Figure::default(), Some(format!("no figure: {said:?}"))),
        (_, fault) => (Figure::default(), fault),
    };
    let ops = figure.ops as f64;
    // Of one thread, CPU time is what it takes where nobody else wants the core; node's and Python's
    // may have more threads than the one that works.
    let nanos = if part.parallel {
        figure.nanos
    } else {
        figure.nanos.min(figure.cpu_nanos)
    };
    let sample = Sample {
        jobs: figure.ops,
        elapsed: Duration::from_nanos(nanos),
        cpu: Duration::from_nanos(figure.cpu_nanos),
        peak_kib: measured.ended.peak_kib,
        lines: 0,
        fault,
    };
    let per_op = figure
        .heap
        .map(|(calls, bytes)| (calls as f64 / ops, bytes as f64 / ops));
    Ok((sample, per_op))
}

/// The quickest first. Ratios are of rates, paired by rounds: 2.00 is twice as fast. The best peer is
/// the quickest row that is neither ours nor a floor, the floor the quickest one of those.
#[must_use]
pub fn table(part: &Part, rows: &[Row], heap: &Heap) -> Table {
    let mut sorted: Vec<(f64, &Row)> = rows
        .iter()
        .map(|row| (nanos(row).map_or(f64::MAX, |nanos| nanos.median), row))
        .collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let first = |wanted: fn(&str) -> bool| {
        let found = sorted.iter().find(|(_, row)| wanted(&row.name));
        found.map(|(_, row)| row.samples.as_slice())
    };
    let (peer, floor) = (first(is_peer), first(is_floor));
    let mut head = vec!["case", "ns", "min..max"];
    head.extend(part.parallel.then_some("CPU ns"));
    head.extend(["allocations", "bytes", "x best peer (min..max)"]);
    head.extend(floor.map(|_| "x floor"));
    let mut table = Table::new(head);
    for (_, row) in &sorted {
        let mut cells = vec![row.name.clone()];
        cells.extend(times(row, part.parallel));
        let per_op = heap.get(row.name.as_str());
        cells.push(per_op.map_or_else(dash, |per_op| short(per_op.0)));
        cells.push(per_op.map_or_else(dash, |per_op| short(per_op.1)));
        let to = |one: &[Sample]| ratio(&row.samples, one, Metric::Rate);
        cells.push(peer.and_then(to).map_or_else(dash, |ratio| {
            let [median, min, max] = [ratio.median, ratio.min, ratio.max].map(short);
            format!("{median} ({min}..{max})")
        }));
        cells.extend(floor.map(|floor| to(floor).map_or_else(dash, |ratio| short(ratio.median))));
        table.push(cells);
    }
    table
}

fn times(row: &Row, parallel: bool) -> Vec<String> {
    let nanos = nanos(row);
    let mut cells = vec![
        nanos.map_or_else(dash, |nanos| short(nanos.median)),
        nanos.map_or_else(dash, |nanos| {
            format!("{}..{}", short(nanos.min), short(nanos.max))
        }),
    ];
    if parallel {
        let cpu = spread(&row.samples, Metric::Cpu);
        cells.push(cpu.map_or_else(dash, |cpu| short(cpu.median * 1e3)));
    }
    cells
}

fn dash() -> String {
    "-".into()
}

/// Nanoseconds an operation.
fn nanos(row: &Row) -> Option<Spread> {
    let rates = row
        .samples
        .iter()
        .filter_map(|sample| sample.get(Metric::Rate));
    Spread::of(rates.map(|rate| 1e9 / rate))
}

fn is_floor(name: &str) -> bool {
    name.starts_with("floor")
}

fn is_peer(name: &str) -> bool {
    !is_floor(name) && !name.starts_with("settled")
}

/// Three figures where they say something.
fn short(value: f64) -> String {
    let digits = match value {
        0.0 => 0,
        ..0.00995 => 4,
        ..0.0995 => 3,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}
