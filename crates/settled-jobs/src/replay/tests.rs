use std::env::temp_dir;

use super::*;

mod again;

type Items = Vec<Verdict<String>>;

/// A ledger that holds these lines: (line number, content, outcome or `None` for an interrupted one).
fn ledger(lines: &[(u64, &str, Option<OutcomeKind>)], redo: Redo) -> Replay<String> {
    let mut replay = Replay::new(redo);
    for (seq, content, outcome) in lines {
        record(&mut replay, &seq.to_string(), *seq, content, *outcome);
    }
    replay
}

fn record(
    replay: &mut Replay<String>,
    id: &str,
    seq: u64,
    content: &str,
    outcome: Option<OutcomeKind>,
) {
    let line = Settled {
        id: id.into(),
        seq,
        key: Key::of(content.as_bytes()),
        outcome: outcome.unwrap_or(OutcomeKind::Cancelled),
        is_final: outcome.is_some(),
    };
    replay.record(&line, &temp_dir()).unwrap();
}

/// What of a list of plain lines is to be done.
fn match_list(replay: &mut Replay<String>, list: &[&str]) -> Vec<String> {
    let mut out = Items::new();
    for (line, seq) in list.iter().zip(1..) {
        replay
            .offer(
                seq,
                &Id::Line,
                Key::of(line.as_bytes()),
                (*line).into(),
                &mut out,
            )
            .unwrap();
    }
    replay.end(&mut out).unwrap();
    out.into_iter()
        .map(|verdict| match verdict {
            Verdict::Run(item) | Verdict::RunAs(item, _) => item,
            Verdict::Repeated(item, _) => format!("repeated {item}"),
        })
        .collect()
}

const OK: Option<OutcomeKind> = Some(OutcomeKind::Fulfilled);
const BAD: Option<OutcomeKind> = Some(OutcomeKind::Rejected);

#[test]
fn a_list_that_did_not_change_goes_on_where_it_was() {
    let mut replay = ledger(
        &[(1, "a", OK), (4, "d", BAD), (3, "c", None)],
        Redo::default(),
    );
    assert_eq!(
        match_list(&mut replay, &["a", "b", "c", "d", "e"]),
        ["b", "c", "e"]
    );
    assert_eq!(
        (replay.skipped().total(), replay.skipped().fulfilled()),
        (2, 1)
    );
    assert!(!replay.skipped().edited);
}

#[test]
fn the_newest_line_counts() {
    let lines = [(1, "a", OK), (2, "b", BAD), (1, "a", None), (2, "b", OK)];
    assert_eq!(
        match_list(&mut ledger(&lines, Redo::default()), &["a", "b"]),
        ["a"]
    );
}

#[test]
fn redo_takes_what_it_names() {
    let mut redo = Redo::default();
    redo.add(OutcomeKind::Rejected);
    let mut replay = ledger(&[(1, "a", OK), (2, "b", BAD), (3, "c", OK)], redo);
    assert_eq!(match_list(&mut replay, &["a", "b", "c"]), ["b"]);
}

#[test]
fn lines_put_in_moved_or_taken_out_are_matched_by_content_and_count() {
    let done = [(1, "a", OK), (2, "b", OK), (3, "c", OK), (4, "c", OK)];
    for (list, todo) in [
        (&["new", "a", "b", "c", "c"][..], &["new"][..]),
        (&["c", "b", "a"], &[]),
        (&["a", "c", "c", "c"], &["c"]),
        (&["a", "b", "changed", "c"], &["changed"]),
    ] {
        let mut replay = ledger(&done, Redo::default());
        assert_eq!(match_list(&mut replay, list), todo, "{list:?}");
        assert!(replay.skipped().edited);
    }
}

#[test]
fn a_hole_is_no_reason_to_repeat_what_moved_into_it() {
    // "b" never settled; then it was taken out of the list, so that "c" stands where "b" stood.
    let done = [(1, "a", OK), (3, "c", OK), (4, "d", OK)];
    assert_eq!(
        match_list(&mut ledger(&done, Redo::default()), &["a", "c", "d"]),
        [""; 0]
    );
    assert_eq!(
        match_list(&mut ledger(&done, Redo::default()), &["a", "c"]),
        [""; 0]
    );
    assert_eq!(
        match_list(
            &mut ledger(&done, Redo::default()),
            &["a", "b", "c", "d", "e"]
        ),
        ["b", "e"]
    );
}

#[test]
fn what_an_edited_list_settled_under_a_reused_number_stays_settled() {
    // First a, b; then "new" was put in front and done as line 1: the ledger's newest line 1 is now "new".
    let lines = [(1, "a", OK), (2, "b", OK), (1, "new", OK)];
    assert_eq!(
        match_list(&mut ledger(&lines, Redo::default()), &["new", "a", "b"]),
        [""; 0]
    );
    assert_eq!(
        match_list(
            &mut ledger(&lines, Redo::default()),
            &["new", "a", "b", "z"]
        ),
        ["z"]
    );
}

#[test]
fn any_edit_repeats_nothing_that_settled_and_skips_nothing_that_did_not() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..2_000 {
        let words = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let list: Vec<&str> = (0..rng.usize(1..9))
            .map(|_| words[rng.usize(..words.len())])
            .collect();
        let mut settled: HashMap<&str, usize> = HashMap::new();
        let mut lines = Vec::new();
        for (word, seq) in list.iter().zip(1..) {
            if rng.u8(..3) > 0 {
                lines.push((seq, *word, OK));
                *settled.entry(*word).or_default() += 1;
            }
        }
        let mut edited = list.clone();
        for _ in 0..rng.usize(..3) {
            match rng.u8(..3) {
                0 => edited.insert(rng.usize(..=edited.len()), words[rng.usize(..words.len())]),
                1 if !edited.is_empty() => drop(edited.remove(rng.usize(..edited.len()))),
                _ => rng.shuffle(&mut edited),
            }
        }
        let todo = match_list(&mut ledger(&lines, Redo::default()), &edited);
        // A word is skipped no more often than it was settled. And nothing that settled is repeated, as far as an edit can be seen:
        // every line of the ledger finds its line, wherever the words say that it is still there.
        for word in words {
            let wanted = edited.iter().filter(|w| **w == word).count();
            let done = settled.get(word).copied().unwrap_or(0);
            let again = todo.iter().filter(|w| *w == word).count();
            assert!(
                wanted - again <= done,
                "{word} was skipped too often: {lines:?} {edited:?} {todo:?}"
            );
            if edited == list {
                assert_eq!(
                    again,
                    wanted - done,
                    "{word}: {lines:?} {edited:?} {todo:?}"
                );
            }
        }
    }
}

#[test]
fn own_ids_match_by_id_wherever_they_stand() {
    let redo = Redo {
        changed: true,
        ..Redo::default()
    };
    for redo in [Redo::default(), redo] {
        let mut replay = Replay::new(redo);
        record(&mut replay, "x", 1, "a", OK);
        record(&mut replay, "2", 2, "b", OK);
        record(&mut replay, "y", 3, "c", None);
        let mut out = Items::new();
        for (seq, id, content) in [
            (1, "2", "b"),
            (2, "y", "c"),
            (3, "x", "other"),
            (4, "z", "d"),
        ] {
            let id = Id::Own(id.into());
            replay
                .offer(
                    seq,
                    &id,
                    Key::of(content.as_bytes()),
                    content.into(),
                    &mut out,
                )
                .unwrap();
        }
        replay.end(&mut out).unwrap();
        let mut expected = vec![Verdict::Run("c".into()), Verdict::Run("d".into())];
        if redo.changed {
            expected.insert(1, Verdict::Run("other".into()));
        }
        assert_eq!(out, expected);
        assert_eq!(replay.skipped().changed, 1);
    }
}

#[test]
fn a_repeated_id_is_found_among_ids_and_line_numbers_and_settles_once() {
    let ids = |replay: &mut Replay<String>| {
        replay.expect_own_ids();
        let mut out = Items::new();
        let own = |id: &str| Id::Own(id.into());
        for (seq, id) in [
            (1, own("a")),
            (2, own("a")),
            (3, Id::Line),
            (4, own("3")),
            (5, own("6")),
            (6, Id::Line),
        ] {
            replay
                .offer(seq, &id, Key::of(b"same"), seq.to_string(), &mut out)
                .unwrap();
        }
        replay.end(&mut out).unwrap();
        out
    };
    let out = ids(&mut Replay::new(Redo::default()));
    let run = |seq: &str| Verdict::Run(seq.to_owned());
    let repeated = |seq: &str, id: &str| Verdict::Repeated(seq.to_owned(), id.to_owned());
    assert_eq!(
        out,
        [
            run("1"),
            repeated("2", "a@2"),
            run("3"),
            repeated("4", "3@4"),
            run("5"),
            repeated("6", "6@6")
        ]
    );

    let mut resumed = Replay::new(Redo::default());
    for (id, seq) in [
        ("a", 1),
        ("a@2", 2),
        ("3", 3),
        ("3@4", 4),
        ("6", 5),
        ("6@6", 6),
    ] {
        record(&mut resumed, id, seq, "same", OK);
    }
    assert_eq!(ids(&mut resumed), []);
    assert_eq!(resumed.skipped().total(), 6);
}

#[test]
fn the_newest_line_of_a_number_that_is_an_id_counts_wherever_it_stood() {
    let own = Id::Own("7".into());
    for (older, newer) in [(3, 7), (7, 3)] {
        let mut replay = Replay::new(Redo::default());
        record(&mut replay, "7", older, "same", OK);
        // Interrupted when it was done again, on another line of the list.
        record(&mut replay, "7", newer, "same", None);
        let mut out = Vec::new();
        replay
            .offer(newer, &own, Key::of(b"same"), "runs".to_owned(), &mut out)
            .unwrap();
        assert_eq!(
            out,
            [Verdict::Run("runs".to_owned())],
            "line {older}, then {newer}"
        );
    }
}

#[test]
fn a_long_number_that_is_an_id_costs_nothing_beside_line_numbers() {
    let mut replay = Replay::new(Redo::default());
    record(&mut replay, "1", 1, "plain", OK);
    record(&mut replay, "18446744073709551615", 2, "own", OK);
    let lines = replay.lines.as_ref().unwrap();
    assert_eq!(lines.last(), 1);
}

#[test]
fn a_line_that_settled_further_down_before_an_edit_is_not_done_again() {
    // The list was a, b, c, d, of which b did not settle; then it became x, d, c.
    let lines = [(1, "a", OK), (3, "c", OK), (4, "d", OK)];
    assert_eq!(
        match_list(&mut ledger(&lines, Redo::default()), &["x", "d", "c"]),
        ["x"]
    );
    let lines = [lines[0], lines[1], lines[2], (1, "x", OK)];
    let again = match_list(&mut ledger(&lines, Redo::default()), &["x", "d", "c"]);
    assert!(again.is_empty(), "{again:?}");
}
