//! Trees that are deep, and trees that meet again.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use settled::{AbortController, AbortSignal};
use tokio::time::advance;

use super::{MS, text};
use crate::steps::{Watch, rng};

const DEEP: usize = 100_000;

/// A child of a child of a child ..; the first is at the top.
fn chain(top: AbortController) -> Vec<AbortController> {
    let mut chain = vec![top];
    for level in 1..DEEP {
        chain.push(chain[level - 1].signal().child());
    }
    chain
}

/// A test thread has a small stack: a recursion would end it. That each level is looked at after the abort, from both ends, would take
/// minutes if every look went all the way up.
#[test]
fn a_chain_of_100000_levels_fires_is_looked_at_and_dropped() {
    let chain = chain(AbortController::new());
    let deepest = chain[DEEP - 1].signal();
    let watch = Watch::default();
    let mut aborted = pin!(deepest.aborted());
    assert!(watch.poll(aborted.as_mut()).is_pending());
    assert!(chain[DEEP / 2].abort("from the middle"));
    assert_eq!(watch.woken(), 1);
    assert!(watch.poll(aborted.as_mut()).is_ready());
    for controller in chain.iter().rev().chain(&chain) {
        let signal = controller.signal();
        drop((signal.reason(), signal.child()));
    }
    let first = chain.iter().position(|one| one.signal().is_aborted());
    assert_eq!(first, Some(DEEP / 2));
    assert_eq!(text(&deepest).as_deref(), Some("from the middle"));
    assert!(!chain[DEEP - 1].abort("too late"));
}

/// Only the end of a chain holds it, so that all of it goes at once.
#[test]
fn the_end_of_a_chain_takes_it_along() {
    let mut last = chain(AbortController::new()).pop().unwrap();
    assert!(!last.signal().is_aborted());
    last = AbortSignal::any([last.signal(), AbortController::new().signal()]).child();
    drop(last);
    let aborted = AbortController::new();
    aborted.abort("at the top");
    let last = chain(aborted).pop().unwrap();
    assert_eq!(text(&last.signal()).as_deref(), Some("at the top"));
}

/// Each level doubles the ways up: 2^60 of them, if a look went them all.
#[tokio::test(start_paused = true)]
async fn a_tree_that_meets_again_is_visited_once() {
    let top = AbortController::new();
    let mut signal = AbortSignal::any([top.signal(), AbortSignal::timeout(60_000 * MS)]);
    for _ in 0..60 {
        let child = || signal.child().signal();
        signal = AbortSignal::any([child(), child()]);
    }
    // Here nobody has but one above it.
    let mut pair = [top.signal(), AbortController::new().signal()];
    for _ in 0..60 {
        pair = [AbortSignal::any(pair.clone()), AbortSignal::any(pair)];
    }
    assert!(!signal.is_aborted() && !pair[0].is_aborted());
    let watch = Watch::default();
    let mut aborted = Box::pin(signal.aborted());
    assert!(watch.poll(aborted.as_mut()).is_pending());
    top.abort("enough");
    assert!(watch.woken() > 0);
    assert!(watch.poll(aborted.as_mut()).is_ready());
    drop(aborted);
    assert_eq!(watch.kept(), 0);
    for signal in [&signal, &pair[1]] {
        assert_eq!(text(signal).as_deref(), Some("enough"));
    }
}

/// Tokens from elsewhere, times and controllers, combined at random: what has fired first is the reason, whoever looks when.
#[tokio::test(start_paused = true)]
async fn sources_of_all_kinds_fire_in_their_order() {
    let mut rng = rng();
    for _ in 0..200 {
        let controllers: Vec<_> = (0..rng.usize(1..5))
            .map(|_| AbortController::new())
            .collect();
        let times: Vec<_> = (0..rng.usize(0..3)).map(|_| rng.u32(1..100)).collect();
        let timers = times.iter().map(|after| AbortSignal::timeout(*after * MS));
        let mut signals: Vec<_> = controllers.iter().map(AbortController::signal).collect();
        signals.extend(timers);
        for _ in 0..rng.usize(0..6) {
            let some = |rng: &mut fastrand::Rng| rng.choice(&signals).unwrap().clone();
            let (one, other) = (some(&mut rng), some(&mut rng));
            signals.push(AbortSignal::any([one.child().signal(), other]));
        }
        let all = AbortSignal::any(signals);
        let earliest = times.iter().min().copied();
        let mut expected = None;
        for now in 0..110 {
            if expected.is_none() && earliest.is_some_and(|at| at <= now) {
                expected = Some(None);
            }
            if rng.u8(..40) == 0 {
                rng.choice(&controllers).unwrap().abort(now.to_string());
                expected.get_or_insert_with(|| Some(now.to_string()));
            }
            if rng.u8(..8) == 0 {
                let seen = all.reason().map(|reason| reason.text().map(String::from));
                assert_eq!(seen, expected, "after {now} ms");
            }
            advance(MS).await;
        }
    }
}

/// An abort calls wakers, and a waker may do what it likes with the very tree that is being aborted.
#[test]
fn a_waker_may_touch_the_tree_that_wakes_it() {
    type Deed = Box<dyn FnOnce(AbortSignal, AbortController) + Send>;
    struct Meddler(Mutex<Option<(Deed, AbortSignal, AbortController)>>);
    impl Wake for Meddler {
        fn wake(self: Arc<Self>) {
            let Some((deed, top, child)) = self.0.lock().unwrap().take() else {
                return;
            };
            deed(top, child);
        }
    }
    let deeds: [Deed; 5] = [
        Box::new(|top, child| assert!(top.is_aborted() && child.signal().is_aborted())),
        Box::new(|top, child| {
            assert!(top.child().signal().is_aborted());
            assert!(child.signal().child().signal().is_aborted());
        }),
        Box::new(|_, child| drop(child)),
        Box::new(|_, child| assert!(!child.abort("too late"))),
        Box::new(|top, child| {
            assert!(
                AbortSignal::any([top, child.signal()])
                    .to_token()
                    .is_cancelled()
            );
        }),
    ];
    for deed in deeds {
        let top = AbortController::new();
        let child = top.signal().child();
        let mut aborted = Box::pin(child.signal().aborted());
        let meddler = Meddler(Mutex::new(Some((deed, top.signal(), child))));
        let waker = Waker::from(Arc::new(meddler));
        let mut cx = Context::from_waker(&waker);
        assert!(aborted.as_mut().poll(&mut cx).is_pending());
        assert!(top.abort("enough"));
        assert!(aborted.as_mut().poll(&mut cx).is_ready());
    }
}
