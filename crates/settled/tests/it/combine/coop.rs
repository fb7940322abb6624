//! What tokio lets a task do in one go: who uses it up starves nobody, and nobody is asked again and again in vain.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::task::Poll;

use settled::{all, all_settled, any, race, series};
use tokio::task::coop::{consume_budget, has_budget_remaining};

use crate::steps::poll_once;

/// Is ready whenever it may be, and so ends a poll only when the task has to let others run.
async fn greedy(rest: &AtomicIsize) -> Result<(), ()> {
    while rest.fetch_sub(1, Ordering::Relaxed) > 0 {
        consume_budget().await;
    }
    Ok(())
}

/// Needs a little, and says how much the greedy ones had left by then.
async fn modest(rest: &AtomicIsize, left: &AtomicIsize) -> Result<(), ()> {
    consume_budget().await;
    left.store(rest.load(Ordering::Relaxed), Ordering::Relaxed);
    Ok(())
}

const WORK: isize = 100_000;

#[tokio::test]
async fn a_greedy_child_starves_no_other_in_an_iterator() {
    for count in [2, 16, 17, 64, 130] {
        let rest = AtomicIsize::new(WORK);
        let left: Vec<_> = (1..count).map(|_| AtomicIsize::new(0)).collect();
        let greedy: std::pin::Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(greedy(&rest));
        let modest = left.iter().map(
            |left| -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
                Box::pin(modest(&rest, left))
            },
        );
        all([greedy].into_iter().chain(modest)).await.unwrap();
        for left in left {
            assert!(
                left.into_inner() > WORK / 2,
                "it had to wait for the greedy one of {count}"
            );
        }
    }
}

#[tokio::test]
async fn a_greedy_child_starves_no_other_in_a_tuple() {
    macro_rules! starve {
        ($verb:ident) => {{
            let (rest, left) = (
                AtomicIsize::new(WORK),
                [AtomicIsize::new(0), AtomicIsize::new(0)],
            );
            let of = (
                greedy(&rest),
                modest(&rest, &left[0]),
                modest(&rest, &left[1]),
            );
            let _answer = $verb(of).await;
            assert!(
                left.iter()
                    .any(|left| left.load(Ordering::Relaxed) > WORK / 2)
            );
        }};
    }
    starve!(all);
    starve!(all_settled);
    starve!(any);
    starve!(race);
}

/// Two verbs deep, where it is the inner one that is left with nothing.
#[tokio::test]
async fn a_greedy_child_starves_nobody_behind_another_verb() {
    for count in [2, 30] {
        let (rest, left) = (AtomicIsize::new(WORK), AtomicIsize::new(0));
        let outer = all((
            greedy(&rest),
            async { all((greedy(&rest), modest(&rest, &left))).await.map(drop) },
            async {
                all((1..count).map(|_| modest(&rest, &left)))
                    .await
                    .map(drop)
            },
        ));
        outer.await.unwrap();
        assert!(left.into_inner() > WORK / 2);
    }
}

/// Many that are all ready: each is polled a few times at most, and not once for each time that the task has to pause.
#[tokio::test]
async fn many_children_that_need_budget_are_not_polled_in_vain() {
    const COUNT: usize = 20_000;
    let polls = AtomicUsize::new(0);
    let children = (0..COUNT).map(|_| {
        let mut work = Box::pin(async {
            consume_budget().await;
            Ok::<_, ()>(())
        });
        let polls = &polls;
        poll_fn(move |cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            work.as_mut().poll(cx)
        })
    });
    all(children).await.unwrap();
    assert!(polls.into_inner() < 4 * COUNT);
}

/// Children that never are ready, and wake themselves whenever they are polled, let other tasks run.
#[tokio::test]
async fn restless_children_let_other_tasks_run() {
    for count in [2, 100] {
        let done = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&done);
        let task = tokio::spawn(async move {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            other.store(1, Ordering::Relaxed);
        });
        let restless = (0..count).map(|_| {
            let done = Arc::clone(&done);
            poll_fn(move |cx| match done.load(Ordering::Relaxed) {
                0 => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                _ => Poll::Ready(Ok::<_, ()>(has_budget_remaining())),
            })
        });
        all(restless).await.unwrap();
        task.await.unwrap();
    }
}

/// Steps that never wait would keep the task for themselves, and a limit around them would never be looked at.
#[tokio::test]
async fn a_series_without_end_lets_others_have_their_turn() {
    let mut steps = 0;
    {
        let endless = series(std::iter::repeat_with(|| {
            steps += 1;
            std::future::ready(Ok::<_, ()>(()))
        }));
        assert!(poll_once(std::pin::pin!(endless)).await.is_pending());
    }
    assert_eq!(steps, 256);
    let values = series((0..1000).map(|n| std::future::ready(Ok::<_, ()>(n)))).await;
    assert_eq!(values.unwrap(), Vec::from_iter(0..1000));
}
