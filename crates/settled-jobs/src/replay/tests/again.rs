//! Runs one after the other, of a list that is edited between them.

use super::*;

/// What of a list of plain lines is to be done, and under which ids.
fn to_do(replay: &mut Replay<(u64, String)>, list: &[&str]) -> Vec<(String, u64, String)> {
    let mut out = Vec::new();
    for (line, seq) in list.iter().zip(1..) {
        let (key, item) = (Key::of(line.as_bytes()), (seq, (*line).to_owned()));
        replay.offer(seq, &Id::Line, key, item, &mut out).unwrap();
    }
    replay.end(&mut out).unwrap();
    out.into_iter()
        .map(|verdict| match verdict {
            Verdict::Run((seq, line)) => (seq.to_string(), seq, line),
            Verdict::RunAs((seq, line), id) | Verdict::Repeated((seq, line), id) => (id, seq, line),
        })
        .collect()
}

#[test]
fn an_edited_list_that_was_finished_is_finished() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let words = ["a", "b", "c"];
    let mut random = |most| -> Vec<&str> {
        (0..rng.usize(..most))
            .map(|_| words[rng.usize(..words.len())])
            .collect()
    };
    for _ in 0..5_000 {
        // A few runs of a list that is edited between them; the last one runs twice, and has nothing to do the second time.
        let mut ledger: Vec<(String, u64, String)> = Vec::new();
        let mut list = random(6);
        for edit in 0..4 {
            if edit < 3 {
                list = random(6);
            }
            let mut replay = Replay::new(Redo::default());
            for (id, seq, line) in &ledger {
                let key = Key::of(line.as_bytes());
                let (id, outcome) = (id.as_str().into(), OutcomeKind::Fulfilled);
                let line = Settled {
                    id,
                    seq: *seq,
                    key,
                    outcome,
                    is_final: true,
                };
                replay.record(&line, &temp_dir()).unwrap();
            }
            let todo = to_do(&mut replay, &list);
            assert!(
                edit < 3 || todo.is_empty(),
                "{list:?} again: {todo:?}, {ledger:?}"
            );
            ledger.extend(todo);
        }
    }
}
