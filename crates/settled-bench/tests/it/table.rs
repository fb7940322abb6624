//! What is printed.

use settled_bench::figures::{Metric, Sample};
use settled_bench::rounds::{self, Ratio, Row};
use settled_bench::table::{Style, Table};

use crate::figures::sample;

fn cells(row: &[&str]) -> Vec<String> {
    row.iter().map(|cell| (*cell).to_owned()).collect()
}

#[test]
fn columns_are_aligned_by_characters() {
    let mut table = Table::new(["tool", "µs"]);
    table.push(cells(&["a", "1000"]));
    table.push(cells(&["longer", "1"]));
    assert_eq!(
        table.render(Style::Text),
        "tool      µs\na       1000\nlonger     1\n"
    );
    assert_eq!(
        table.render(Style::Markdown),
        "| tool   |   µs |\n| ------ | ---: |\n| a      | 1000 |\n| longer |    1 |\n"
    );
}

#[test]
#[should_panic(expected = "one cell a column")]
fn a_row_of_another_width_is_a_mistake() {
    Table::new(["tool", "rate"]).push(cells(&["a"]));
}

const RATIOS: &[Ratio] = &[
    Ratio {
        metric: Metric::Rate,
        to: "one",
    },
    Ratio {
        metric: Metric::Cpu,
        to: "absent",
    },
];

fn row(name: &str, samples: Vec<Sample>, jobs: Option<u64>) -> Row {
    Row {
        name: name.into(),
        samples,
        jobs,
    }
}

#[test]
fn the_fastest_is_first_and_the_reference_is_one() {
    let rows = [
        row("one", vec![sample(100, 10), sample(200, 10)], Some(100)),
        row("half", vec![sample(200, 10), sample(400, 10)], Some(100)),
        row("twice", vec![sample(50, 10), sample(100, 10)], Some(100)),
    ];
    let text = rounds::table(&rows, RATIOS, "served", Style::Text);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "no faults, so no notes: {text}");
    assert!(
        lines[0].contains("x one (min..max)") && lines[0].ends_with("CPU x absent"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("twice ") && lines[1].contains("2.00 (2.00..2.00)"),
        "{text}"
    );
    assert!(
        lines[2].starts_with("one ") && lines[2].contains("1.00 (1.00..1.00)"),
        "{text}"
    );
    assert!(
        lines[3].starts_with("half ") && lines[3].contains("0.50 (0.50..0.50)"),
        "{text}"
    );
    assert!(
        lines[3].ends_with(" -"),
        "no ratio to a tool that did not run: {text}"
    );
}

#[test]
fn a_tool_that_left_jobs_out_or_failed_is_marked() {
    let failed = Sample {
        fault: Some("exit 7 no such host".into()),
        ..sample(100, 10)
    };
    let rows = [
        row("one", vec![sample(100, 10)], Some(100)),
        row("lazy", vec![sample(100, 10)], Some(200)),
        row("failed", vec![failed], Some(100)),
        row("free", vec![sample(100, 10)], None),
    ];
    let text = rounds::table(&rows, RATIOS, "served", Style::Text);
    let marked = |name: &str| {
        text.lines()
            .any(|line| line.starts_with(name) && line.contains("! 100"))
    };
    assert!(
        marked("lazy") && marked("failed") && !marked("one") && !marked("free"),
        "{text}"
    );
    assert!(
        text.contains("! lazy, round 1: did 100 jobs of 200"),
        "{text}"
    );
    assert!(
        text.contains("! failed, round 1: exit 7 no such host"),
        "{text}"
    );
}
