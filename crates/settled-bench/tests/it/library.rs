//! The tables of the library: their arrangement, and that what they name is there.

use std::collections::BTreeSet;
use std::time::Duration;

use settled_bench::figures::Sample;
use settled_bench::library::{Figure, Heap, table, tables};
use settled_bench::rounds::Row;
use settled_bench::table::Style;

fn row(name: &str, nanos: &[u64]) -> Row {
    let sample = |nanos: &u64| Sample {
        jobs: 1000,
        elapsed: Duration::from_nanos(nanos * 1000),
        cpu: Duration::from_nanos(2 * nanos * 1000),
        peak_kib: 0,
        lines: 0,
        fault: None,
    };
    Row {
        name: name.into(),
        samples: nanos.iter().map(sample).collect(),
        jobs: None,
    }
}

#[test]
fn the_quickest_is_first_and_ratios_are_to_the_best_peer_and_the_floor() {
    let rows = [
        row("slow peer", &[40, 44, 40]),
        row("settled::all", &[5, 4, 5]),
        row("peer", &[20, 24, 10]),
        row("floor: by hand", &[2, 2, 2]),
    ];
    let heap = Heap::from([("settled::all", (0.002, 49.25))]);
    let text = table(&tables::ALL[0], &rows, &heap).render(Style::Text);
    let cells: Vec<Vec<&str>> = text
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(
        cells,
        [
            vec![
                "case",
                "ns",
                "min..max",
                "allocations",
                "bytes",
                "x best peer (min..max)",
                "x floor"
            ],
            vec![
                "floor: by hand",
                "2.00",
                "2.00..2.00",
                "-",
                "-",
                "10.0 (5.00..12.0)",
                "1.00"
            ],
            vec![
                "settled::all",
                "5.00",
                "4.00..5.00",
                "0.0020",
                "49.2",
                "4.00 (2.00..6.00)",
                "0.40"
            ],
            vec![
                "peer",
                "20.0",
                "10.0..24.0",
                "-",
                "-",
                "1.00 (1.00..1.00)",
                "0.10"
            ],
            vec![
                "slow peer",
                "40.0",
                "40.0..44.0",
                "-",
                "-",
                "0.50 (0.25..0.55)",
                "0.050"
            ],
        ]
    );
}

#[test]
fn where_several_threads_work_cpu_time_is_shown_and_what_failed_has_no_figure() {
    let mut broken = row("peer", &[7]);
    broken.samples[0].jobs = 0;
    let rows = [broken, row("settled::map", &[30])];
    let text = table(&tables::MAP[2], &rows, &Heap::new()).render(Style::Text);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].contains("CPU ns") && !lines[0].contains("floor"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("settled::map") && lines[1].contains("60.0"),
        "{text}"
    );
    assert!(
        lines[2].starts_with("peer") && !lines[2].contains('7'),
        "{text}"
    );
}

#[test]
fn every_table_compares_ours_with_a_peer_under_names_of_their_own() {
    let all = [
        tables::ALL,
        tables::MAP,
        tables::TIMEOUT,
        tables::CANCEL,
        tables::SEMAPHORE,
    ];
    for part in all.into_iter().flatten() {
        let names: BTreeSet<&str> = part.cases.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), part.cases.len(), "{}", part.title);
        let (ours, others): (Vec<&str>, Vec<&str>) = names
            .into_iter()
            .partition(|name| name.starts_with("settled"));
        assert!(!ours.is_empty() && !others.is_empty(), "{}", part.title);
        let args: BTreeSet<&str> = part.cases.iter().map(|case| case.args).collect();
        assert_eq!(
            args.len(),
            part.cases.len(),
            "two rows of {} are one",
            part.title
        );
    }
}

#[test]
fn a_figure_that_is_none_is_refused() {
    for text in ["", "1 2 3 4", "1 2 3 4 5 6", "1 2 3 - 5", "1 2 x - -"] {
        assert_eq!(text.parse::<Figure>(), Err(()), "{text:?}");
    }
    let script: Figure = "20000 5 6 - -\n".parse().unwrap();
    assert_eq!((script.ops, script.heap), (20_000, None));
}
