//! Wakers of the task that panic, or that do something when they are cloned, dropped or woken.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::children::{Answer, Form, Verb, children, combine};
use crate::steps::{Alive, Watch};

type Hook = Box<dyn Fn() + Send + Sync>;

/// What a waker does besides.
struct Hooks {
    clone: Hook,
    drop: Hook,
    wake: Hook,
}

impl Hooks {
    fn none() -> Self {
        Self {
            clone: Box::new(|| {}),
            drop: Box::new(|| {}),
            wake: Box::new(|| {}),
        }
    }

    fn waker(self) -> Waker {
        let data = Arc::into_raw(Arc::new(self)).cast();
        // SAFETY: the functions of the table take such a pointer, and each waker owns one count of it.
        unsafe { Waker::new(data, &TABLE) }
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: the waker that is cloned owns a count.
        unsafe { (*data.cast::<Hooks>()).clone.as_ref()() };
        // SAFETY: as above; the new one owns this count.
        unsafe { Arc::increment_strong_count(data.cast::<Hooks>()) };
        RawWaker::new(data, &TABLE)
    },
    // SAFETY: the waker's count is given away with it.
    |data| (unsafe { Arc::from_raw(data.cast::<Hooks>()) }.wake)(),
    // SAFETY: the waker owns a count.
    |data| (unsafe { &*data.cast::<Hooks>() }.wake)(),
    // SAFETY: the waker's count goes with it.
    |data| (unsafe { Arc::from_raw(data.cast::<Hooks>()) }.drop)(),
);

fn fails() {
    resume_unwind(Box::new("the waker panicked"));
}

/// It is the waker's panic, and no child's: the next poll goes on as if nothing had been.
#[test]
fn a_waker_that_panics_when_it_is_cloned_costs_no_child() {
    for verb in [Verb::All, Verb::AllSettled, Verb::Any, Verb::Race] {
        let (remotes, futures) = children(40);
        let mut combined = combine_bare(verb, futures);
        let waker = Hooks {
            clone: Box::new(fails),
            ..Hooks::none()
        }
        .waker();
        let run = catch_unwind(AssertUnwindSafe(|| {
            combined.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        assert!(run.is_err(), "it is heard");
        assert!(
            remotes
                .iter()
                .all(|one| one.polls() == 0 && !one.is_dropped())
        );
        assert!(Watch::default().poll(combined.as_mut()).is_pending());
        assert!(remotes.iter().all(|one| one.polls() == 1));
    }
}

/// Not inside of an `async` block, which a panic ends.
fn combine_bare(
    verb: Verb,
    futures: Vec<super::children::Child>,
) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    struct Bare<F>(F);
    impl<F: Future + Unpin> Future for Bare<F> {
        type Output = ();
        fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            std::pin::Pin::new(&mut self.0).poll(cx).map(drop)
        }
    }
    match verb {
        Verb::All => Box::pin(Bare(settled::all(futures))),
        Verb::AllSettled => Box::pin(Bare(settled::all_settled(futures))),
        Verb::Any => Box::pin(Bare(settled::any(futures))),
        _ => Box::pin(Bare(settled::race(futures))),
    }
}

/// A waker that wakes a child when it is cloned, or dropped: no lock is held there.
#[test]
fn a_waker_may_wake_children_whatever_it_is_asked_for() {
    let (remotes, futures) = children(40);
    let mut combined = combine(Verb::All, Form::Iter, futures).unwrap();
    assert!(Watch::default().poll(combined.as_mut()).is_pending());
    let hook = |child: usize| -> Hook {
        let remote = remotes[child].clone();
        Box::new(move || {
            remote.wake();
        })
    };
    for turn in 0..3 {
        let waker = Hooks {
            clone: hook(1),
            drop: hook(2),
            wake: hook(3),
        }
        .waker();
        assert!(
            combined
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        remotes[4].wake();
        drop(waker);
        assert!(Watch::default().poll(combined.as_mut()).is_pending());
        assert!(remotes[1].polls() > turn);
    }
    for (value, remote) in (0..).zip(&remotes) {
        remote.ok(value);
    }
    let answer = Watch::default().poll(combined.as_mut());
    assert_eq!(answer, Poll::Ready(Answer::Values((0..40).collect())));
}

/// The wake-up that panicked is not lost for whoever polls next, and nothing leaks by it.
#[test]
fn a_waker_that_panics_when_it_wakes_loses_no_child() {
    let alive = Alive::default();
    let (remotes, futures) = children(40);
    let mut combined = combine(Verb::All, Form::Iter, futures).unwrap();
    let inside = alive.clone();
    let wake: Hook = Box::new(move || {
        let _inside = &inside;
        fails();
    });
    let waker = Hooks {
        wake,
        ..Hooks::none()
    }
    .waker();
    assert!(
        combined
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(waker);
    let run = catch_unwind(AssertUnwindSafe(|| remotes[7].ok(7)));
    assert!(run.is_err(), "it is heard by who has woken");
    let watch = Watch::default();
    assert!(watch.poll(combined.as_mut()).is_pending());
    assert_eq!(remotes[7].polls(), 2);
    drop(combined);
    assert_eq!((alive.others(), watch.kept()), (0, 0));
}

/// A child that is woken while it is dropped, and one that drops a sibling's wakers.
#[test]
fn a_waker_may_drop_the_last_waker_of_a_child() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (remotes, futures) = children(40);
    let mut combined = combine(Verb::All, Form::Iter, futures).unwrap();
    let (count, victims) = (Arc::clone(&drops), remotes.clone());
    let wake: Hook = Box::new(move || {
        for victim in &victims {
            let waker = victim.state().waker.take();
            count.fetch_add(usize::from(waker.is_some()), Ordering::Relaxed);
            drop(waker);
        }
    });
    let waker = Hooks {
        wake,
        ..Hooks::none()
    }
    .waker();
    assert!(
        combined
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    remotes[0].wake();
    assert_eq!(drops.load(Ordering::Relaxed), 40);
    drop(combined);
}
