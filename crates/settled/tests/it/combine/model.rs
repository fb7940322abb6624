//! Every verb in every form against a plain model of it: random children wake, end, fail and panic in random order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use super::children::{Act, Answer, FORMS, Form, Remote, VERBS, Verb, children, combine};
use crate::steps::{Watch, rng};

/// How many children: on both sides of where the ways of polling change, and of where a word of bits ends.
const SIZES: [usize; 14] = [0, 1, 2, 3, 7, 12, 16, 17, 18, 63, 64, 65, 130, 300];
const SCRIPTS: usize = 60;

/// What the verb says by itself once the children in `ended` have ended, in this order; `Some(None)` is a panic.
fn model(verb: Verb, count: usize, ended: &[(usize, Act)]) -> Option<Option<Answer>> {
    let mut results = vec![None; count];
    let mut panicked = false;
    for &(child, act) in ended {
        results[child] = Some(match act {
            Act::End(result) => Some(result),
            _ => None,
        });
        panicked |= results[child] == Some(None);
        match (verb, results[child].unwrap()) {
            (Verb::All | Verb::Series | Verb::Race, None) => return Some(None),
            (Verb::All | Verb::Series, Some(Err(error))) => {
                return Some(Some(Answer::Failed(error)));
            }
            (Verb::Any, Some(Ok(value))) => return Some(Some(Answer::First(value))),
            (Verb::Race, Some(result)) => return Some(Some(Answer::Winner(result))),
            _ => {}
        }
    }
    let results: Vec<_> = results.into_iter().collect::<Option<_>>()?;
    let values = results.iter().flatten().flatten().copied().collect();
    let errors = results
        .iter()
        .flatten()
        .filter_map(|one| one.err())
        .collect();
    Some(match verb {
        Verb::All | Verb::Series => Some(Answer::Values(values)),
        Verb::AllSettled => Some(Answer::Outcomes(results)),
        Verb::Any => (!panicked).then_some(Answer::Errors(errors)),
        Verb::Race => Some(Answer::Nobody),
    })
}

fn random_act(rng: &mut fastrand::Rng, verb: Verb, count: usize) -> Act {
    // What ends all of it is rare enough to let most of them get somewhere.
    let rare = 20 + 2 * count;
    let decides = rng.usize(0..rare) == 0;
    let plain = match verb {
        Verb::Any => Err(rng.u32(..)),
        _ => Ok(rng.u32(..)),
    };
    match rng.usize(0..rare) {
        0 => Act::Panic,
        1 => Act::EndBadly,
        _ if rng.bool() => Act::Wait,
        _ if decides || verb == Verb::AllSettled && rng.bool() => Act::End(Err(rng.u32(..))),
        _ if rng.usize(0..rare) == 0 => Act::End(Ok(rng.u32(..))),
        _ => Act::End(plain),
    }
}

/// Who ends in the next poll, in the order in which they do.
fn who_ends(verb: Verb, remotes: &[Remote], ended: &mut Vec<(usize, Act)>) {
    for (child, remote) in remotes.iter().enumerate() {
        if remote.is_dropped() {
            continue;
        }
        match remote.state().act {
            Act::Wait if verb == Verb::Series => return,
            Act::Wait => {}
            act => ended.push((child, act)),
        }
    }
}

fn script(rng: &mut fastrand::Rng, verb: Verb, form: Form) {
    let count = match form {
        Form::Tuple => rng.usize(1..=12),
        _ => SIZES[rng.usize(..SIZES.len())],
    };
    let (remotes, futures) = children(count);
    let Some(mut combined) = combine(verb, form, futures) else {
        return;
    };
    let (mut watch, mut ended) = (Watch::default(), Vec::new());
    for _ in 0..10_000 {
        let woken = watch.woken();
        let mut somebody = false;
        for _ in 0..rng.usize(0..=count.min(3 + count / 8)) {
            let child = rng.usize(..count);
            let may = {
                let state = remotes[child].state();
                !state.dropped && state.act == Act::Wait
            };
            if may {
                somebody |= remotes[child].act(random_act(rng, verb, count));
            }
        }
        assert!(!somebody || watch.woken() > woken, "a wake-up was lost");
        if rng.u8(0..8) == 0 {
            // It has moved to another task, which hears of what comes from now on.
            watch = Watch::default();
        }
        who_ends(verb, &remotes, &mut ended);
        let polls: Vec<_> = remotes.iter().map(Remote::polls).collect();
        let woken = watch.woken();
        let polled = catch_unwind(AssertUnwindSafe(|| watch.poll(combined.as_mut())));
        for (remote, before) in remotes.iter().zip(polls) {
            assert!(remote.polls() <= before + 1, "polled twice in one go");
        }
        let expected = model(verb, count, &ended);
        match (polled, &expected) {
            (Ok(Poll::Pending), None) => {}
            // After so many steps in one poll others have their turn.
            (Ok(Poll::Pending), Some(_)) if verb == Verb::Series && count > 256 => {
                assert!(watch.woken() > woken, "it would never come again");
                continue;
            }
            (Ok(Poll::Ready(answer)), Some(Some(expected))) => assert_eq!(answer, *expected),
            (Err(_), Some(None)) => {}
            (polled, expected) => {
                panic!("{verb:?} {form:?}: {expected:?}, and not {:?}", polled.ok())
            }
        }
        if expected.is_some() {
            let left = remotes.iter().filter(|one| !one.is_dropped()).count();
            // Steps that were not started go with the future, which an `.await` drops at once.
            assert!(
                left == 0 || verb == Verb::Series,
                "{left} were not dropped before the answer"
            );
            return;
        }
    }
    panic!("it never came to an end");
}

#[test]
fn the_verbs_do_as_their_model() {
    let mut rng = rng();
    for _ in 0..SCRIPTS {
        for verb in VERBS {
            for form in FORMS {
                script(&mut rng, verb, form);
            }
        }
    }
    println!("scripts: {} cases", SCRIPTS * VERBS.len() * FORMS.len());
}
