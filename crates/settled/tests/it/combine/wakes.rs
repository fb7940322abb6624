//! Who is polled when: nobody who was not woken, everybody who was, each once before anybody twice.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use settled::{all, race};

use super::children::{Act, Answer, FORMS, Form, VERBS, Verb, children, combine};
use crate::steps::Watch;

/// On both sides of the ends of a block and of a group of blocks.
const SIZES: [usize; 7] = [17, 64, 65, 127, 4096, 4097, 8200];

#[test]
fn all_children_are_polled_at_first() {
    for count in [1, 12, 16].into_iter().chain(SIZES) {
        for form in FORMS {
            for verb in [Verb::All, Verb::AllSettled, Verb::Any, Verb::Race] {
                let (remotes, futures) = children(count);
                if let Some(mut combined) = combine(verb, form, futures) {
                    assert!(Watch::default().poll(combined.as_mut()).is_pending());
                    assert!(remotes.iter().all(|one| one.polls() == 1));
                }
            }
        }
    }
}

#[test]
fn of_many_only_those_that_woke_are_polled() {
    for count in SIZES {
        let (remotes, futures) = children(count);
        let mut all = combine(Verb::All, Form::Iter, futures).unwrap();
        let watch = Watch::default();
        assert!(watch.poll(all.as_mut()).is_pending());
        for woken in [0, 1, 63, 64, count / 2, count - 2, count - 1] {
            let woken = woken.min(count - 1);
            let (before, wakes) = (remotes[woken].polls(), watch.woken());
            remotes[woken].wake();
            remotes[woken].wake();
            assert_eq!(watch.woken(), wakes + 1, "one wake-up for both");
            assert!(watch.poll(all.as_mut()).is_pending());
            assert_eq!(remotes[woken].polls(), before + 1);
        }
        let polls: usize = remotes.iter().map(|one| one.polls()).sum();
        assert_eq!(polls, count + 7);
    }
}

#[test]
fn every_child_gets_to_its_end_whatever_the_order() {
    for count in SIZES {
        let (remotes, futures) = children(count);
        let mut all = combine(Verb::All, Form::Iter, futures).unwrap();
        let watch = Watch::default();
        assert!(watch.poll(all.as_mut()).is_pending());
        // A prime that divides none of the sizes: every child once, all over the place.
        let order = (0..count).map(|turn| turn * 7919 % count);
        let mut woken = 0;
        for (turn, child) in order.enumerate() {
            remotes[child].ok(u32::try_from(child).unwrap());
            if turn % 5 == 0 {
                assert!(watch.woken() > woken);
                assert_eq!(watch.poll(all.as_mut()).is_ready(), turn + 1 == count);
                woken = watch.woken();
            }
        }
        if (count - 1) % 5 != 0 {
            let values = (0..u32::try_from(count).unwrap()).collect();
            assert_eq!(
                watch.poll(all.as_mut()),
                Poll::Ready(Answer::Values(values))
            );
        }
    }
}

/// The task that polled last is the one that is woken.
#[test]
fn moved_to_another_task_it_wakes_that_one() {
    for verb in VERBS {
        for form in FORMS {
            for count in [2, 12, 16, 17, 100] {
                let (remotes, futures) = children(count);
                let Some(mut combined) = combine(verb, form, futures) else {
                    continue;
                };
                let (one, other) = (Watch::default(), Watch::default());
                assert!(one.poll(combined.as_mut()).is_pending());
                assert!(other.poll(combined.as_mut()).is_pending());
                let last = if verb == Verb::Series { 0 } else { count - 1 };
                // Those that were not polled again told the first task's wakers to nobody: it is the second that hears of them.
                remotes[last].wake();
                assert_eq!(
                    (one.woken(), other.woken()),
                    (0, 1),
                    "{verb:?} {form:?} {count}"
                );
                assert!(one.poll(combined.as_mut()).is_pending());
                remotes[0].wake();
                assert_eq!((one.woken(), other.woken()), (1, 1));
            }
        }
    }
}

/// A waker that somebody keeps wakes nobody, and keeps no task, when the combinator is gone.
#[test]
fn a_waker_that_was_kept_is_dead_when_the_children_are_gone() {
    let kept = Mutex::new(Vec::new());
    let children = (0..100).map(|_| {
        poll_fn(|cx| {
            kept.lock().unwrap().push(cx.waker().clone());
            Poll::<Result<(), ()>>::Pending
        })
    });
    let watch = Watch::default();
    let mut all = Box::pin(all(children));
    assert!(watch.poll(all.as_mut()).is_pending());
    drop(all);
    assert_eq!(watch.kept(), 0, "the task is kept by nobody");
    for waker in kept.into_inner().unwrap() {
        waker.wake_by_ref();
        let twin = waker.clone();
        twin.wake();
    }
    assert_eq!(watch.woken(), 0);
}

/// A wake-up after the child's end is harmless.
#[test]
fn a_child_that_has_ended_may_be_woken() {
    for count in [2, 100] {
        let (remotes, futures) = children(count);
        let mut all = combine(Verb::All, Form::Iter, futures).unwrap();
        let watch = Watch::default();
        assert!(watch.poll(all.as_mut()).is_pending());
        let waker = remotes[1].state().waker.clone().unwrap();
        remotes[1].ok(1);
        assert!(watch.poll(all.as_mut()).is_pending());
        waker.wake_by_ref();
        assert!(watch.poll(all.as_mut()).is_pending());
        assert_eq!(remotes[1].polls(), 2);
    }
}

#[test]
fn wakers_tell_children_apart() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let children = (0..130).map(|_| {
        let kept = Arc::clone(&kept);
        poll_fn(move |cx| {
            let twin = cx.waker().clone();
            assert!(twin.will_wake(cx.waker()));
            kept.lock().unwrap().push(twin);
            Poll::<Result<(), ()>>::Pending
        })
    });
    let mut all = Box::pin(all(children));
    assert!(Watch::default().poll(all.as_mut()).is_pending());
    let kept = kept.lock().unwrap();
    for (at, one) in kept.iter().enumerate() {
        assert!(kept[..at].iter().all(|other| !one.will_wake(other)));
    }
}

/// Who wakes itself while it is polled, and who wakes others, has its turn in the next poll: nobody is polled for ever.
#[test]
fn each_has_one_turn_before_anybody_has_two() {
    for count in [3, 17, 64, 65, 200] {
        let log = Arc::new(Mutex::new(Vec::new()));
        let wakers = Arc::new(Mutex::new(vec![None; count]));
        let children = (0..count).map(|child| {
            let (log, wakers) = (Arc::clone(&log), Arc::clone(&wakers));
            poll_fn(move |cx| {
                log.lock().unwrap().push(child);
                let mut wakers = wakers.lock().unwrap();
                wakers[child] = Some(cx.waker().clone());
                // Itself, the one before and the one behind.
                for one in [child, (child + count - 1) % count, (child + 1) % count] {
                    if let Some(waker) = &wakers[one] {
                        std::task::Waker::wake_by_ref(waker);
                    }
                }
                Poll::<Result<(), ()>>::Pending
            })
        });
        let mut all = Box::pin(all(children));
        let watch = Watch::default();
        for round in 1..5 {
            let woken = watch.woken();
            assert!(watch.poll(all.as_mut()).is_pending());
            assert!(watch.woken() > woken, "and the task comes again");
            let log = std::mem::take(&mut *log.lock().unwrap());
            assert_eq!(log, (0..count).collect::<Vec<_>>(), "round {round}");
        }
    }
}

/// A combinator inside of another: the wake-up goes all the way up, and only the way that it came is polled.
#[test]
fn wake_ups_go_up_through_combinators() {
    let (remotes, futures) = children(400);
    let mut futures = futures.into_iter();
    let inner: Vec<_> = (0..20)
        .map(|_| all(futures.by_ref().take(20).collect::<Vec<_>>()))
        .collect();
    let mut outer = Box::pin(race(inner));
    let watch = Watch::default();
    assert!(watch.poll(outer.as_mut()).is_pending());
    remotes[277].wake();
    assert_eq!(watch.woken(), 1);
    assert!(watch.poll(outer.as_mut()).is_pending());
    assert_eq!(remotes.iter().map(|one| one.polls()).sum::<usize>(), 401);
    remotes[278].act(Act::End(Err(9)));
    assert_eq!(watch.poll(outer.as_mut()), Poll::Ready(Ok(Err(9))));
}
