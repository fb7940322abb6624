//! Panics of children, of their destructors, and of the task's own waker; and polls after the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use super::children::{Act, Answer, Combined, FORMS, Form, Remote, VERBS, Verb, children, combine};
use crate::steps::Watch;

/// The answer, or `None` for a panic.
fn poll(watch: &Watch, combined: &mut Combined) -> Option<Poll<Answer>> {
    catch_unwind(AssertUnwindSafe(|| watch.poll(combined.as_mut()))).ok()
}

/// What a verb comes to in which these are ready at once.
fn at_once(verb: Verb, form: Form, acts: &[Act]) -> Option<(Option<Poll<Answer>>, Vec<Remote>)> {
    let (remotes, futures) = children(acts.len());
    for (remote, act) in remotes.iter().zip(acts) {
        remote.act(*act);
    }
    let mut combined = combine(verb, form, futures)?;
    let polled = poll(&Watch::default(), &mut combined);
    drop(combined);
    Some((polled, remotes))
}

const OK: Act = Act::End(Ok(1));
const ERR: Act = Act::End(Err(2));

#[test]
fn a_panic_goes_on_after_the_others_were_dropped() {
    for verb in [Verb::All, Verb::Race] {
        for form in FORMS {
            for count in [2, 12, 40] {
                let (remotes, futures) = children(count);
                let Some(mut combined) = combine(verb, form, futures) else {
                    continue;
                };
                let watch = Watch::default();
                assert!(watch.poll(combined.as_mut()).is_pending());
                remotes[1].act(Act::Panic);
                assert_eq!(poll(&watch, &mut combined), None);
                assert!(remotes.iter().all(Remote::is_dropped));
                assert_eq!(poll(&watch, &mut combined), None, "and again");
            }
        }
    }
}

/// The panic of a child is not replaced by those of its siblings' destructors, which are dropped, all of them.
#[test]
fn all_losers_are_dropped_whatever_their_destructors_do() {
    for (verb, first) in [
        (Verb::All, Act::Panic),
        (Verb::All, ERR),
        (Verb::Any, OK),
        (Verb::Race, OK),
    ] {
        for form in FORMS {
            for count in [3, 12, 40] {
                let (remotes, futures) = children(count);
                let Some(mut combined) = combine(verb, form, futures) else {
                    continue;
                };
                for remote in &remotes[1..] {
                    remote.state().bomb = true;
                }
                remotes[0].act(first);
                let run = catch_unwind(AssertUnwindSafe(|| {
                    Watch::default().poll(combined.as_mut())
                }));
                let why = run.expect_err("the destructor's panic is heard");
                let expected = if first == Act::Panic {
                    "a child panicked"
                } else {
                    "a destructor panicked"
                };
                assert_eq!(why.downcast_ref(), Some(&expected));
                assert!(remotes.iter().all(Remote::is_dropped), "{verb:?} {form:?}");
            }
        }
    }
}

/// A child that ends and whose destructor panics has panicked.
#[test]
fn a_destructor_that_panics_at_the_end_is_a_panic() {
    for form in FORMS {
        for verb in [Verb::All, Verb::Race] {
            let (polled, remotes) = at_once(verb, form, &[Act::EndBadly, Act::Wait]).unwrap();
            assert_eq!(polled, None);
            assert!(remotes.iter().all(Remote::is_dropped));
        }
        let (polled, _) = at_once(Verb::AllSettled, form, &[Act::EndBadly, OK]).unwrap();
        assert_eq!(
            polled,
            Some(Poll::Ready(Answer::Outcomes(vec![None, Some(Ok(1))])))
        );
    }
}

/// All the panics there can be in one go: each is one outcome, and nobody is polled twice for it.
#[test]
fn all_settled_outlives_many_panics_in_one_go() {
    for form in FORMS {
        for count in [6, 12, 16, 17, 70] {
            let acts: Vec<_> = (0..count)
                .map(|at| [Act::Wait, Act::Panic, OK][at % 3])
                .collect();
            let Some((polled, remotes)) = at_once(Verb::AllSettled, form, &acts) else {
                continue;
            };
            assert_eq!(polled, Some(Poll::Pending));
            assert!(
                remotes.iter().all(|one| one.polls() == 1),
                "{form:?} {count}"
            );
        }
    }
}

#[test]
fn any_forgets_a_panic_if_another_succeeds() {
    for form in FORMS {
        let (polled, _) = at_once(Verb::Any, form, &[Act::Panic, ERR, OK]).unwrap();
        assert_eq!(polled, Some(Poll::Ready(Answer::First(1))));
        let (polled, _) = at_once(Verb::Any, form, &[ERR, Act::Panic, ERR]).unwrap();
        assert_eq!(polled, None, "it goes on when none has succeeded");
        let (polled, _) = at_once(Verb::Any, form, &[Act::Panic, Act::Wait]).unwrap();
        assert_eq!(polled, Some(Poll::Pending), "and not before");
    }
}

#[test]
fn a_series_ends_with_the_panic_of_a_step() {
    for form in [Form::Iter, Form::Tuple] {
        let (polled, remotes) = at_once(Verb::Series, form, &[OK, Act::Panic, OK]).unwrap();
        assert_eq!(polled, None);
        assert_eq!(remotes[2].polls(), 0);
    }
}

/// As documented: a poll after the answer panics, whatever the answer was, and makes up no other one.
#[test]
fn polled_again_after_the_answer_it_panics() {
    for verb in VERBS {
        for form in FORMS {
            for count in [0, 1, 3, 12, 20] {
                for act in [OK, ERR] {
                    polled_again(verb, form, count, act);
                }
            }
        }
    }
}

macro_rules! twice {
    ($future:expr) => {{
        let mut future = std::pin::pin!($future);
        let watch = Watch::default();
        let first = watch.poll(future.as_mut());
        assert!(first.is_ready(), "it has to be ready for that");
        let again = catch_unwind(AssertUnwindSafe(|| watch.poll(future.as_mut()).is_ready()));
        assert!(again.is_err(), "it was polled again, and did not panic");
    }};
}

/// Not through the `async` blocks of the other tests, which panic by themselves.
fn polled_again(verb: Verb, form: Form, count: usize, act: Act) {
    let (remotes, futures) = children(count);
    for remote in &remotes {
        remote.act(act);
    }
    match (form, verb) {
        (Form::Iter, Verb::All) => twice!(settled::all(futures)),
        (Form::Iter, Verb::AllSettled) => twice!(settled::all_settled(futures)),
        (Form::Iter, Verb::Any) => twice!(settled::any(futures)),
        (Form::Iter, Verb::Race) => twice!(settled::race(futures)),
        (Form::Iter, Verb::Series) => twice!(settled::series(futures)),
        (Form::Keyed, Verb::AllSettled) => twice!(settled::all_settled_keyed((0..).zip(futures))),
        (Form::Keyed, _) => {}
        (Form::Tuple, _) if count == 3 => {
            let mut futures = futures.into_iter();
            let mut next = || futures.next().unwrap();
            let of = (next(), next(), next());
            match verb {
                Verb::All => twice!(settled::all(of)),
                Verb::AllSettled => twice!(settled::all_settled(of)),
                Verb::Any => twice!(settled::any(of)),
                Verb::Race => twice!(settled::race(of)),
                Verb::Series => twice!(settled::series(of)),
            }
        }
        (Form::Tuple, _) => {}
    }
}
