//! What each verb answers, and what has become of the others by then.

use std::future::{Future, pending, ready};
use std::task::Poll;

use settled::{Empty, Outcome, all, all_settled, any, race, race_keyed, series};

use super::children::{Act, Answer, FORMS, Form, Remote, VERBS, Verb, child, children, combine};
use crate::steps::{Alive, Watch};

/// What it answers if it is polled now.
fn now<F: Future>(future: F) -> Option<F::Output> {
    match Watch::default().poll(std::pin::pin!(future)) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// Every form of the verb of as many children, in which these end one after the other.
fn of(
    verb: Verb,
    count: usize,
    acts: &[(usize, Act)],
    mut check: impl FnMut(Option<Answer>, &[Remote]),
) {
    for form in FORMS {
        let (remotes, futures) = children(count);
        let Some(mut combined) = combine(verb, form, futures) else {
            continue;
        };
        let watch = Watch::default();
        let mut polled = watch.poll(combined.as_mut());
        for &(child, act) in acts {
            if polled.is_pending() {
                remotes[child].act(act);
                polled = watch.poll(combined.as_mut());
            }
        }
        match polled {
            Poll::Ready(answer) => check(Some(answer), &remotes),
            Poll::Pending => check(None, &remotes),
        }
    }
}

const fn ok(value: u32) -> Act {
    Act::End(Ok(value))
}

const fn err(error: u32) -> Act {
    Act::End(Err(error))
}

fn nobody() -> Vec<std::future::Ready<Result<u32, u32>>> {
    Vec::new()
}

#[test]
fn all_of_nobody_is_empty() {
    assert_eq!(now(all(nobody())), Some(Ok(vec![])));
    assert_eq!(
        now(settled::all_keyed::<u8, _, _>([].into_iter().zip(nobody()))),
        Some(Ok(vec![]))
    );
}

#[test]
fn values_come_in_the_order_of_the_input_whoever_ends_first() {
    of(
        Verb::All,
        3,
        &[(2, ok(30)), (0, ok(10)), (1, ok(20))],
        |answer, _| {
            assert_eq!(answer, Some(Answer::Values(vec![10, 20, 30])));
        },
    );
}

#[test]
fn all_fails_with_the_first_failure_in_time() {
    of(
        Verb::All,
        3,
        &[(1, ok(1)), (2, err(2)), (0, err(0))],
        |answer, _| {
            assert_eq!(answer, Some(Answer::Failed(2)));
        },
    );
}

#[test]
fn of_failures_at_one_time_all_takes_the_first_in_the_input() {
    for form in FORMS {
        let (remotes, futures) = children(3);
        remotes[2].err(2);
        remotes[1].err(1);
        let answer = now(combine(Verb::All, form, futures).unwrap());
        assert_eq!(answer, Some(Answer::Failed(1)));
        assert_eq!(
            remotes[2].polls(),
            0,
            "whose failure would be lost was not even asked"
        );
    }
}

#[test]
fn losers_are_dropped_before_the_answer() {
    for (verb, decides) in [
        (Verb::All, err(1)),
        (Verb::Any, ok(1)),
        (Verb::Race, ok(1)),
        (Verb::Race, err(1)),
    ] {
        of(verb, 3, &[(1, decides)], |answer, remotes| {
            assert!(answer.is_some());
            assert!(remotes.iter().all(Remote::is_dropped), "{verb:?}");
        });
    }
}

/// The winner's future too: what it holds is free when the caller goes on.
#[test]
fn who_ends_is_dropped_at_once_and_not_at_the_end() {
    for verb in [Verb::All, Verb::AllSettled] {
        of(verb, 3, &[(1, ok(1))], |answer, remotes| {
            assert_eq!(answer, None);
            assert!(remotes[1].is_dropped() && !remotes[0].is_dropped());
        });
    }
}

#[test]
fn all_settled_gives_every_outcome_in_the_order_of_the_input() {
    assert_eq!(now(all_settled(nobody())).map(|all| all.len()), Some(0));
    let script = [(2, ok(2)), (1, Act::Panic), (0, err(0))];
    of(Verb::AllSettled, 3, &script, |answer, _| {
        let outcomes = vec![Some(Err(0)), None, Some(Ok(2))];
        assert_eq!(answer, Some(Answer::Outcomes(outcomes)));
    });
}

#[test]
fn all_settled_never_fails_for_a_child() {
    of(Verb::AllSettled, 2, &[(0, err(0))], |answer, remotes| {
        assert_eq!(answer, None, "it waits for the other one");
        assert!(!remotes[1].is_dropped());
    });
}

#[test]
fn any_gives_the_first_success_even_after_failures() {
    of(Verb::Any, 3, &[(0, err(0)), (2, ok(2))], |answer, _| {
        assert_eq!(answer, Some(Answer::First(2)));
    });
}

#[test]
fn any_that_fails_has_every_error_in_the_order_of_the_input() {
    of(
        Verb::Any,
        3,
        &[(2, err(2)), (0, err(0)), (1, err(1))],
        |answer, _| {
            assert_eq!(answer, Some(Answer::Errors(vec![0, 1, 2])));
        },
    );
}

#[test]
fn any_of_nobody_fails_at_once_without_errors() {
    let error = now(any(nobody())).unwrap().unwrap_err();
    assert_eq!(error.errors(), [0; 0]);
    assert_eq!(error.to_string(), "there was nobody to succeed");
}

#[test]
fn an_error_of_all_says_how_many_and_the_first() {
    let say = |errors: &[&'static str]| {
        let failed = errors.iter().map(|&error| ready(Err::<(), _>(error)));
        now(any(failed)).unwrap().unwrap_err()
    };
    assert_eq!(say(&["a"]).to_string(), "a");
    assert_eq!(say(&["a", "b"]).to_string(), "all 2 failed; the first: a");
    assert_eq!(say(&["a", "b"]).errors(), ["a", "b"]);
    assert_eq!(say(&["a", "b"]).into_errors(), ["a", "b"]);
}

#[test]
fn errors_keep_their_source() {
    use std::error::Error;
    use std::io;
    let fails = || ready(Err::<(), _>(io::Error::other(io::Error::other("cause"))));
    let all = now(any([fails()])).unwrap().unwrap_err();
    assert_eq!(
        all.source().map(ToString::to_string),
        fails()
            .into_inner()
            .unwrap_err()
            .source()
            .map(ToString::to_string)
    );
    let keyed = now(settled::all_keyed([("k", fails())]))
        .unwrap()
        .unwrap_err();
    assert_eq!(keyed.to_string(), "k: cause");
    assert!(keyed.source().is_none() == fails().into_inner().unwrap_err().source().is_none());
}

#[test]
fn a_race_among_nobody_is_an_error_at_once() {
    assert_eq!(now(race(nobody())), Some(Err(Empty)));
    let keyed =
        race_keyed([].into_iter().zip(nobody()) as std::iter::Zip<std::array::IntoIter<u8, 0>, _>);
    assert_eq!(now(keyed), Some(Err(Empty)));
    assert_eq!(
        Empty.to_string(),
        "a race needs at least one that takes part"
    );
}

#[test]
fn the_first_to_settle_wins_a_race_also_with_an_error() {
    of(Verb::Race, 3, &[(2, err(2)), (0, ok(0))], |answer, _| {
        assert_eq!(answer, Some(Answer::Winner(Err(2))));
    });
}

#[test]
fn of_several_at_the_line_the_first_in_the_input_wins() {
    for form in FORMS {
        let (remotes, futures) = children(3);
        remotes[2].ok(2);
        remotes[1].ok(1);
        assert_eq!(
            now(combine(Verb::Race, form, futures).unwrap()),
            Some(Answer::Winner(Ok(1)))
        );
    }
}

#[test]
fn the_winner_of_a_race_may_be_anything() {
    assert_eq!(now(race([ready("x")])), Some(Ok("x")));
    assert_eq!(now(race((pending(), ready(7)))), Some(7));
}

/// An iterator is read to its end before anybody is polled; where it panics, what it gave already is dropped.
#[test]
fn an_iterator_that_panics_leaves_nothing_behind() {
    let alive = Alive::default();
    let made = || {
        (0..20).map(|number| {
            assert!(number < 18, "the iterator fails");
            let inside = alive.clone();
            async move {
                drop(inside);
                Ok::<_, ()>(())
            }
        })
    };
    for verb in 0..4 {
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match verb {
            0 => drop(all(made())),
            1 => drop(all_settled(made())),
            2 => drop(any(made())),
            _ => drop(race(made())),
        }));
        assert!(run.is_err());
        assert_eq!(alive.others(), 0);
    }
}

#[test]
fn a_series_is_one_at_a_time_up_to_the_first_failure() {
    of(Verb::Series, 3, &[], |answer, remotes| {
        assert_eq!(answer, None);
        assert_eq!(
            remotes.iter().map(Remote::polls).collect::<Vec<_>>(),
            [1, 0, 0]
        );
    });
    of(
        Verb::Series,
        3,
        &[(0, ok(0)), (1, err(1))],
        |answer, remotes| {
            assert_eq!(answer, Some(Answer::Failed(1)));
            assert_eq!(remotes[2].polls(), 0, "a later step has started");
        },
    );
    of(
        Verb::Series,
        3,
        &[(0, ok(0)), (1, ok(1)), (2, ok(2))],
        |answer, _| {
            assert_eq!(answer, Some(Answer::Values(vec![0, 1, 2])));
        },
    );
    assert_eq!(now(series(nobody())), Some(Ok(vec![])));
}

#[test]
fn a_series_takes_a_step_only_when_its_turn_has_come() {
    let taken = std::cell::Cell::new(0);
    let (remote, first) = child();
    let mut first = Some(first);
    let steps = std::iter::from_fn(|| {
        taken.set(taken.get() + 1);
        first.take()
    });
    let mut series = Box::pin(series(steps));
    assert_eq!(taken.get(), 0, "nothing before the first poll");
    let watch = Watch::default();
    assert!(watch.poll(series.as_mut()).is_pending());
    assert_eq!(taken.get(), 1);
    remote.ok(5);
    assert_eq!(watch.poll(series.as_mut()), Poll::Ready(Ok(vec![5])));
}

/// Dropped between two steps, a series starts no other.
#[test]
fn a_dropped_series_stops_between_steps() {
    let (remotes, futures) = children(2);
    let mut combined = combine(Verb::Series, Form::Iter, futures).unwrap();
    assert!(Watch::default().poll(combined.as_mut()).is_pending());
    drop(combined);
    assert!(remotes.iter().all(Remote::is_dropped));
    assert_eq!(remotes[1].polls(), 0);
}

/// Nothing is polled, and so nothing starts, before the verb itself is.
#[test]
fn nothing_starts_before_it_is_waited_for() {
    for verb in VERBS {
        for form in FORMS {
            let (remotes, futures) = children(2);
            drop(combine(verb, form, futures));
            assert!(
                remotes
                    .iter()
                    .all(|one| one.polls() == 0 && one.is_dropped())
            );
        }
    }
}

#[test]
fn children_may_be_outcomes() {
    let outcome = |good| {
        ready(if good {
            Outcome::Fulfilled(1)
        } else {
            Outcome::<_, &str>::TimedOut
        })
    };
    assert_eq!(now(all([outcome(true)])).unwrap().unwrap(), [1]);
    assert!(matches!(
        now(all([outcome(true), outcome(false)])),
        Some(Err(settled::Failed::TimedOut))
    ));
    let both = now(all_settled((outcome(true), outcome(false)))).unwrap();
    assert!(both.0.is_fulfilled() && matches!(both.1, Outcome::TimedOut));
    assert_eq!(
        now(any([outcome(false), outcome(true)])).unwrap().unwrap(),
        1
    );
}
