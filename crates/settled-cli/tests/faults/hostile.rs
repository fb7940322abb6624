//! Lists of anything: no crash, one line in the ledger for each line that is not blank, and a resume finds nothing to do.

use std::collections::HashSet;
use std::fs;

use fastrand::Rng;

use crate::ledger::whole;
use crate::rig::{Cases, Dir, random, run, settled};

/// Runs a list to its end, twice; gives how many outcomes there are.
#[track_caller]
fn outcomes(dir: &Dir, list: &[u8], more: &[&str]) -> usize {
    let _ = fs::remove_file(dir.path("ledger"));
    let (list, ledger) = (dir.file("list", list), dir.arg("ledger"));
    let mut args = vec!["run", "-q", "-j4", "-i", &list, "-o", &ledger];
    args.extend(more);
    args.extend(["--", "true"]);
    let first = run(&mut settled(&args));
    first.did_not_crash();
    let lines = whole(&dir.path("ledger"));
    let ids: HashSet<_> = lines.iter().map(|line| &line.id).collect();
    assert_eq!(ids.len(), lines.len(), "an id has two lines");
    assert!(lines.iter().all(|line| line.is_final));
    let before = fs::read(&ledger).expect("a ledger");
    let second = run(&mut settled(&args));
    assert_eq!(second.status, first.status, "{}", second.stderr);
    assert_eq!(
        fs::read(&ledger).expect("a ledger"),
        before,
        "a resume with nothing to do wrote something"
    );
    let report = run(&mut settled(&["report", &ledger])).exits(0);
    assert!(!report.stderr.contains("damaged"), "{}", report.stderr);
    lines.len()
}

/// How many lines of a list are not blank.
fn not_blank(list: &[u8], separator: u8) -> usize {
    let lines = list.split(|&b| b == separator).enumerate();
    let lines = lines.map(|(at, line)| {
        if separator == 0 {
            return line;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if at == 0 {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        } else {
            line
        }
    });
    lines
        .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
        .count()
}

#[test]
fn random_bytes() {
    let mut rng = random("random bytes");
    let mut cases = Cases::of("random bytes");
    let dir = Dir::new();
    for round in 0..16 {
        let length = rng.usize(..6_000);
        // Every second list has many line ends and spaces.
        let mut list: Vec<u8> = (0..length)
            .map(|_| {
                if round % 2 == 0 && rng.u8(..4) == 0 {
                    b"\n\r \t\0{"[rng.usize(..6)]
                } else {
                    rng.u8(..)
                }
            })
            .collect();
        if round % 4 == 0 {
            list.splice(0..0, *b"\xef\xbb\xbf");
        }
        for more in [
            &[][..],
            &["--input-format=lines"],
            &["--input-format=jsonl"],
            &["-0"],
            &["--max-line=64"],
        ] {
            let separator = if more == ["-0"] { 0 } else { b'\n' };
            assert_eq!(
                outcomes(&dir, &list, more),
                not_blank(&list, separator),
                "{more:?}"
            );
            cases.one_more();
        }
    }
    cases.end();
}

/// Pieces of which jobs are made, good and bad.
fn member(rng: &mut Rng) -> String {
    let deep = rng.usize(1..3_000);
    match rng.u8(..20) {
        0..6 => format!("\"id\":\"{}\"", rng.u8(..12)),
        6 => format!(
            "\"id\":{}",
            ["7", "1e99", "-3", "null", "1.5", "[]", "true"][rng.usize(..7)]
        ),
        7 => format!("\"id\":\"{}@{}\"", rng.u8(..12), rng.u8(..30)),
        8..11 => format!("\"args\":[\"{}\"]", rng.u8(..9)),
        11 => "\"args\":[1,true,null,{},\"\\u0000\"]".to_owned(),
        12 => format!(
            "\"input\":\"{}\"",
            ["x", "\\u0000", "\\ud800", "\\n", "\u{202e}", ""][rng.usize(..6)]
        ),
        13 => format!(
            "\"timeout\":{}",
            [
                "1e308",
                "1e999",
                "0",
                "-1",
                "\"1s\"",
                "99999999999999999999"
            ][rng.usize(..6)]
        ),
        14 => format!("\"meta\":{}1{}", "[".repeat(deep), "]".repeat(deep)),
        15 => format!("\"meta\":{}", "{\"a\":".repeat(deep)),
        16 => format!("\"meta\":{}", "9".repeat(deep)),
        17 => format!(
            "\"env\":{{\"A\":\"{}\"}}",
            ["1", "\\u0000", "="][rng.usize(..3)]
        ),
        18 => "\"cwd\":\"/nowhere/at/all\"".to_owned(),
        _ => "\"unknown\":1".to_owned(),
    }
}

#[test]
fn random_json() {
    let mut rng = random("random JSON");
    let mut cases = Cases::of("random JSON");
    let dir = Dir::new();
    for _ in 0..30 {
        let mut list = Vec::new();
        for _ in 0..rng.usize(1..60) {
            let members: Vec<_> = (0..rng.usize(..5)).map(|_| member(&mut rng)).collect();
            let mut line = format!("{{{}}}", members.join(",")).into_bytes();
            if rng.u8(..8) == 0 {
                let at = rng.usize(..line.len());
                line[at] = rng.u8(..);
            }
            line.retain(|&b| b != b'\n');
            list.extend(line);
            list.push(b'\n');
        }
        let count = outcomes(&dir, &list, &["--input-format=jsonl"]);
        let text = String::from_utf8_lossy(&list);
        assert_eq!(count, not_blank(&list, b'\n'), "{text}");
        cases.one_more();
    }
    cases.end();
}

/// With NUL between the jobs, a job's JSON may have line ends in it; a line of the ledger may not.
#[test]
fn json_with_line_ends_in_it() {
    let dir = Dir::new();
    let list = b"{\"id\":\"a\",\n\"args\":[\n\"1\",\r\n\"2\"\n],\n\"meta\":{\n\"x\":\n1}}\0{\"id\":\"b\",\"input\":\"x\\ny\",\"meta\":[\n]}\0";
    assert_eq!(outcomes(&dir, list, &["-0"]), 2);
    let lines = whole(&dir.path("ledger"));
    let a = lines.iter().find(|line| line.id == "a").expect("a line");
    assert_eq!(a.value["meta"], serde_json::json!({"x": 1}));
}

/// The id that a repeated one settles under may itself be taken.
#[test]
fn ids_that_look_like_those_of_repeated_ones() {
    let dir = Dir::new();
    let mut cases = Cases::of("repeated ids");
    for ids in [
        &["x@3", "x", "x"][..],
        &["x", "x", "x@2"],
        &["x@2", "x", "x@3", "x", "x"],
        &["2", "", "2"],
        &["x@3@3", "x@3", "x", "x"],
        &["x@4", "x@4@4", "x", "x", "x@4"],
    ] {
        let line = |id: &&str| {
            if id.is_empty() {
                "{\"args\":[]}\n".to_owned()
            } else {
                format!("{{\"id\":\"{id}\"}}\n")
            }
        };
        let list: String = ids.iter().map(line).collect();
        assert_eq!(
            outcomes(&dir, list.as_bytes(), &["--input-format=jsonl"]),
            ids.len(),
            "{ids:?}"
        );
        cases.one_more();
    }
    cases.end();
}
