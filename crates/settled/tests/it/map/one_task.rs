//! In one task: limits, order, fairness, what borrows.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use settled::{Outcome, filter_map, map, map_while};
use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::{Strict, Told, hesitant, kinds};
use crate::steps::{Alive, Watch, poll_once, sweep};

/// Results stand in the order of the items, however they come.
#[tokio::test(start_paused = true)]
async fn the_order_is_that_of_the_items() {
    let slow_first = async |n: u64| {
        sleep(Duration::from_millis(100 - n)).await;
        Ok::<_, ()>(n)
    };
    assert_eq!(
        map(0..9, slow_first).limit(9).collect().await,
        Ok((0..9).collect())
    );
    let all = map(0..4, slow_first).limit(4).unordered().collect().await;
    assert_eq!(all, Ok(vec![3, 2, 1, 0]));
}

/// Nothing in, nothing out; nothing kept, nothing out.
#[tokio::test]
async fn of_nothing_comes_nothing() {
    let double = async |n: u32| Ok::<_, ()>(2 * n);
    let none = [0_u32; 0];
    assert_eq!(map(none, double).limit(3).collect().await, Ok(vec![]));
    assert_eq!(
        map(stream::iter(none), double).limit(3).collect().await,
        Ok(vec![])
    );
    assert_eq!(map(none, double).for_each().await, Ok(()));
    assert!(map(none, double).collect_settled().await.is_empty());
    let skip = async |_: u32| Ok::<Option<u32>, ()>(None);
    assert_eq!(
        filter_map(0..100, skip).limit(7).collect().await,
        Ok(vec![])
    );
    assert!(filter_map(0..9, skip).collect_settled().await.is_empty());
}

/// So many and no more, from the first to the last; each is used.
#[tokio::test(start_paused = true)]
async fn as_many_as_the_limit_run_at_once() {
    for limit in [1, 2, 16, 17, 50, 100, usize::MAX] {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let body = async |_: u32| {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            sleep(Duration::from_millis(10)).await;
            now.set(now.get() - 1);
            Ok::<_, ()>(())
        };
        let start = Instant::now();
        map(0..100, body).limit(limit).for_each().await.unwrap();
        assert_eq!(most.get(), limit.min(100));
        assert_eq!(
            start.elapsed().as_millis(),
            10 * 100_usize.div_ceil(limit.min(100)) as u128
        );
    }
}

/// One after the other is the default.
#[tokio::test(start_paused = true)]
async fn one_at_a_time_unless_told() {
    let start = Instant::now();
    let wait = async |_| {
        sleep(Duration::from_millis(10)).await;
        Ok::<_, ()>(())
    };
    map(0..5, wait).for_each().await.unwrap();
    assert_eq!(start.elapsed().as_millis(), 50);
}

/// What was not pulled is still there, to the item.
#[tokio::test]
async fn an_iterator_that_is_lent_keeps_the_rest() {
    let mut items = 0..100;
    let fails = async |n: u32| if n == 7 { Err(n) } else { Ok(n) };
    assert_eq!(map(items.by_ref(), fails).limit(3).collect().await, Err(7));
    assert_eq!(
        items.next(),
        Some(8),
        "ready ones take no room, so nobody was ahead"
    );

    let mut items = 0..100;
    let started = Cell::new(0);
    let body = |n: u32| {
        started.set(started.get() + 1);
        async move {
            yield_now().await;
            if n == 7 { Err(n) } else { Ok(n) }
        }
    };
    assert_eq!(map(items.by_ref(), body).limit(3).collect().await, Err(7));
    assert_eq!(items.next(), Some(started.get()));
}

/// A source is asked once for each item, once for its end, never again; and closed once.
#[tokio::test]
async fn a_source_is_asked_and_closed_once() {
    let told = Told::default();
    let yields = async |n: u32| {
        yield_now().await;
        Ok::<_, ()>(n)
    };
    let source = Strict {
        items: 0..10,
        told: &told,
    };
    map(source, yields).limit(4).for_each().await.unwrap();
    assert_eq!((told.asked.get(), told.dropped.get()), (11, 1));

    // An error after an item was taken closes it; it is not asked any further.
    let told = Told::default();
    let source = Strict {
        items: 0..10,
        told: &told,
    };
    let fails = async |n: u32| if n == 3 { Err(()) } else { Ok(n) };
    map(source, fails).limit(4).for_each().await.unwrap_err();
    assert_eq!((told.asked.get(), told.dropped.get()), (4, 1));
}

/// The first failure in time is the answer, not the first in the list; whoever loses is gone by then, and never heard of.
#[tokio::test(start_paused = true)]
async fn the_first_failure_in_time_wins() {
    let alive = Alive::default();
    let body = |n: u64| {
        let mine = alive.clone();
        async move {
            sleep(Duration::from_millis(100 - 10 * n)).await;
            drop(mine);
            Err::<(), _>(n)
        }
    };
    assert_eq!(map(0..5, body).limit(5).collect().await, Err(4));
    assert_eq!(alive.others(), 0);
}

/// Items that are no futures themselves are passed as they are.
#[tokio::test]
async fn items_are_any_values() {
    let items = [None, Some(2), None];
    let all = map(items, |item| ready(Ok::<_, ()>(item)))
        .limit(2)
        .collect()
        .await;
    assert_eq!(all, Ok(items.to_vec()));
}

/// Text, function and futures borrow from the caller, and need not be `Send`.
#[tokio::test]
async fn what_stays_in_one_task_may_borrow() {
    let text = String::from("a b c");
    let (seen, count) = (RefCell::new(Vec::new()), Rc::new(Cell::new(0)));
    let body = async |word| {
        yield_now().await;
        seen.borrow_mut().push(word);
        count.set(count.get() + 1);
        Ok::<_, ()>(word)
    };
    assert_eq!(
        map(text.split(' '), body).limit(2).collect().await,
        Ok(vec!["a", "b", "c"])
    );
    assert_eq!(
        (seen.into_inner().concat(), count.get()),
        ("abc".to_owned(), 3)
    );
}

/// A stream may let everybody wait: at its beginning, in the midst, at its end.
#[tokio::test]
async fn a_stream_may_hesitate() {
    let body = async |n: u32| {
        yield_now().await;
        Ok::<_, ()>(n)
    };
    assert_eq!(
        map(hesitant(0..50), body).limit(4).collect().await,
        Ok((0..50).collect())
    );
    let partial = map(
        hesitant(0..9),
        async |n| if n == 3 { Err(n) } else { Ok(n) },
    )
    .collect_partial()
    .await;
    assert_eq!(
        kinds(&partial.outcomes),
        ["fulfilled", "fulfilled", "fulfilled", "rejected"]
    );
    assert_eq!(partial.rest.collect::<Vec<_>>().await, [4, 5, 6, 7, 8]);
}

/// Items that come one by one are worked on as they come, while earlier ones run.
#[tokio::test]
async fn a_stream_that_waits_holds_up_nobody() {
    let (items, mut source) =
        mpsc::unbounded_channel::<(oneshot::Sender<()>, oneshot::Receiver<()>)>();
    let source = stream::poll_fn(move |cx| source.poll_recv(cx));
    let body = async |(started, go): (oneshot::Sender<()>, oneshot::Receiver<()>)| {
        started.send(()).unwrap();
        go.await
    };
    let mut all = pin!(map(source, body).limit(2).for_each());
    let ((one, one_started), (go_one, one_goes)) = (oneshot::channel(), oneshot::channel());
    let ((two, two_started), (go_two, two_goes)) = (oneshot::channel(), oneshot::channel());
    assert!(poll_once(all.as_mut()).await.is_pending());
    items.send((one, one_goes)).unwrap();
    assert!(poll_once(all.as_mut()).await.is_pending());
    one_started.await.unwrap();
    items.send((two, two_goes)).unwrap();
    assert!(poll_once(all.as_mut()).await.is_pending());
    two_started.await.unwrap();
    drop(items);
    go_two.send(()).unwrap();
    go_one.send(()).unwrap();
    assert!(all.await.is_ok());
}

/// Whoever wakes is polled, in the poll that the wake-up brings, and nobody else; nothing is kept of a map that is dropped.
#[tokio::test]
async fn only_who_wakes_is_polled() {
    let polls = RefCell::new(vec![0; 100]);
    let (doors, mut inside): (Vec<_>, Vec<_>) = (0..100).map(|_| oneshot::channel::<()>()).unzip();
    inside.reverse();
    let body = |n: usize| {
        let mut door = inside.pop().unwrap();
        let polls = &polls;
        async move {
            poll_fn(|cx| {
                polls.borrow_mut()[n] += 1;
                std::pin::Pin::new(&mut door).poll(cx)
            })
            .await
        }
    };
    let watch = Watch::default();
    {
        let mut all = pin!(map(0..100, body).limit(100).for_each());
        assert!(watch.poll(all.as_mut()).is_pending());
        let mut doors: Vec<_> = doors.into_iter().map(Some).collect();
        for (turn, n) in [70, 0, 99, 15, 16, 63, 64].into_iter().enumerate() {
            doors[n].take().unwrap().send(()).unwrap();
            assert_eq!(watch.woken(), turn + 1);
            assert!(watch.poll(all.as_mut()).is_pending());
        }
        assert_eq!(polls.borrow().iter().sum::<usize>(), 107);
    }
    assert_eq!(watch.kept(), 0);
}

/// Who wakes while it is polled has its next turn in the same poll of the task, for a while. Then the task comes again.
#[tokio::test]
async fn who_wakes_at_once_has_some_more_turns() {
    let polls = Cell::new(0);
    let restless = async |until: usize| {
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            cx.waker().wake_by_ref();
            match polls.get() < until {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
        Ok::<_, ()>(())
    };
    let watch = Watch::default();
    assert!(watch.poll(pin!(map([40], restless).for_each())).is_ready());
    polls.set(0);
    let mut all = pin!(map([1000], restless).for_each());
    // One when it is started, 64 that were woken.
    for expected in [65, 129, 193] {
        let woken = watch.woken();
        assert!(watch.poll(all.as_mut()).is_pending());
        assert_eq!(polls.get(), expected);
        assert!(watch.woken() > woken, "the task comes again");
    }
}

/// A slot that is used again is woken by the waker of whoever had it before: that harms nobody.
#[tokio::test]
async fn an_old_waker_harms_nobody() {
    let old = RefCell::new(Vec::new());
    let body = async |n: usize| {
        let mut polled = 0;
        poll_fn(|cx| {
            polled += 1;
            old.borrow_mut().push(cx.waker().clone());
            for waker in &*old.borrow() {
                waker.wake_by_ref();
            }
            if polled < 3 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        Ok::<_, ()>(n)
    };
    assert_eq!(
        map(0..40, body).limit(3).collect().await,
        Ok((0..40).collect())
    );
    // Also when all of it is gone.
    old.borrow().iter().for_each(std::task::Waker::wake_by_ref);
}

/// After 256 new items the other tasks have their turn, however fast they are.
#[tokio::test]
async fn other_tasks_have_their_turn() {
    let mut all = pin!(
        map(0..1000, async |n: u32| Ok::<_, ()>(n))
            .limit(10)
            .collect()
    );
    let mut polls = 1;
    while poll_once(all.as_mut()).await.is_pending() {
        polls += 1;
    }
    assert_eq!(polls, 4);
}

/// After a turn that was full of new ones, those that woke meanwhile come before newer ones.
#[tokio::test]
async fn who_woke_comes_before_who_is_new() {
    let (polled, slow) = (RefCell::new(Vec::new()), RefCell::new(None));
    let body = async |n: usize| {
        poll_fn(|cx| {
            polled.borrow_mut().push(n);
            match n == 0 && slow.borrow().is_none() {
                true => {
                    *slow.borrow_mut() = Some(cx.waker().clone());
                    Poll::Pending
                }
                false => Poll::Ready(()),
            }
        })
        .await;
        Ok::<_, ()>(())
    };
    let mut all = pin!(map(0..1000, body).limit(10).for_each());
    assert!(poll_once(all.as_mut()).await.is_pending());
    assert_eq!(*polled.borrow(), Vec::from_iter(0..256));
    slow.borrow().as_ref().unwrap().wake_by_ref();
    assert!(poll_once(all.as_mut()).await.is_pending());
    assert_eq!(polled.borrow()[255..258], [255, 0, 256]);
}

/// Who has always something to do, and uses up what tokio lets a task do in one go, starves neither those beside it nor the
/// source.
#[tokio::test]
async fn who_never_waits_starves_nobody() {
    let (sender, mut items) = mpsc::unbounded_channel();
    for n in 0..60 {
        sender.send(n).unwrap();
    }
    drop(sender);
    let source = stream::poll_fn(move |cx| items.poll_recv(cx));
    let done = Cell::new(0);
    let body = async |n: u32| {
        let mut steps = 0;
        while n == 0 && done.get() < 59 {
            consume_budget().await;
            steps += 1;
            assert!(steps < 1_000_000, "somebody starves");
        }
        yield_now().await;
        consume_budget().await;
        done.set(done.get() + 1);
        Ok::<_, ()>(())
    };
    map(source, body).limit(20).for_each().await.unwrap();
    assert_eq!(done.get(), 60);
}

/// Dropped after each number of polls: nothing is left running, and what was not pulled is still there.
#[tokio::test]
async fn it_may_be_dropped_at_any_step() {
    struct World {
        alive: Alive,
        items: RefCell<std::ops::Range<u32>>,
        started: Cell<u32>,
        done: RefCell<Vec<u32>>,
    }
    let polls = sweep(
        || World {
            alive: Alive::default(),
            items: RefCell::new(0..10),
            started: Cell::new(0),
            done: RefCell::default(),
        },
        async |world: &World| {
            let body = |n: u32| {
                world.started.set(world.started.get() + 1);
                let mine = world.alive.clone();
                async move {
                    for _ in 0..n % 3 {
                        yield_now().await;
                    }
                    drop(mine);
                    world.done.borrow_mut().push(n);
                    Ok::<_, ()>(n)
                }
            };
            let items = std::iter::from_fn(|| world.items.borrow_mut().next());
            map(items, body).limit(3).collect().await.unwrap()
        },
        // `yield_now` wakes when the task comes back to its runtime.
        async |_, _| yield_now().await,
        async |world, _| {
            assert_eq!(world.alive.others(), 0);
            assert_eq!(world.items.borrow().start, world.started.get());
            assert!(world.done.borrow().len() <= world.started.get() as usize);
        },
    )
    .await;
    assert!(polls > 3, "{polls}");
}

/// A map in a map, in one task.
#[tokio::test]
async fn maps_nest() {
    let row = async |n: u32| {
        map(0..n, async |m| Ok::<_, ()>(n * m))
            .limit(2)
            .collect()
            .await
    };
    let rows = map(0..4, row).limit(3).collect().await.unwrap();
    assert_eq!(rows, [vec![], vec![0], vec![0, 2], vec![0, 3, 6]]);
}

/// `Outcome`s are as good as `Result`s, and stay what they are.
#[tokio::test]
async fn outcomes_pass_through() {
    let body = async |n: u32| match n {
        0 => Outcome::<u32, ()>::TimedOut,
        1 => Outcome::Abandoned,
        n => Outcome::Fulfilled(n),
    };
    let outcomes = map(0..3, body).limit(2).collect_settled().await;
    assert_eq!(kinds(&outcomes), ["timed_out", "abandoned", "fulfilled"]);
    let outcomes = map_while(0..3, async |n: u32| body(n).await.map(Some))
        .collect_settled()
        .await;
    assert_eq!(kinds(&outcomes), ["timed_out", "abandoned", "fulfilled"]);
}

/// Each form may be a task, if what it is made of may.
#[tokio::test]
async fn what_is_send_may_be_a_task() {
    async fn body(n: u32) -> Result<Option<u32>, String> {
        yield_now().await;
        Ok(Some(n))
    }
    let some = || map(0..3, body as fn(u32) -> _).limit(2);
    tokio::spawn(some().collect()).await.unwrap().unwrap();
    tokio::spawn(some().collect_settled()).await.unwrap();
    tokio::spawn(some().for_each()).await.unwrap().unwrap();
    let partial = tokio::spawn(some().collect_partial()).await.unwrap();
    assert!(partial.is_fulfilled());
    let some = || map_while(stream::iter(0..3), body as fn(u32) -> _).limit(2);
    tokio::spawn(some().collect()).await.unwrap().unwrap();
    tokio::spawn(some().spawned().collect())
        .await
        .unwrap()
        .unwrap();
    tokio::spawn(some().spawned().collect_settled())
        .await
        .unwrap();
    tokio::spawn(some().spawned().for_each())
        .await
        .unwrap()
        .unwrap();
    let _ = tokio::spawn(some().spawned().collect_partial())
        .await
        .unwrap();
    tokio::spawn(async move { some().spawned().stream().next().await })
        .await
        .unwrap();
}

/// Stopped at the first failure, every item is in one place.
#[tokio::test]
async fn a_partial_accounts_for_everything() {
    let body = async |n: u32| match n {
        4 => Err("no"),
        5.. => pending().await,
        n => Ok(n),
    };
    let partial = map(0..10, async |n| {
        if n == 4 {
            yield_now().await;
        }
        body(n).await
    })
    .limit(3)
    .collect_partial()
    .await;
    assert!(!partial.is_fulfilled());
    assert_eq!(
        kinds(&partial.outcomes),
        [
            "fulfilled",
            "fulfilled",
            "fulfilled",
            "fulfilled",
            "rejected",
            "cancelled",
            "cancelled"
        ]
    );
    assert_eq!(partial.rest.collect::<Vec<_>>(), [7, 8, 9]);
}

/// A limit of 0 is an error where it is said.
#[test]
fn a_limit_of_none_is_an_error() {
    let some = || map([1], async |n: u32| Ok::<_, ()>(n));
    assert_eq!(
        some().try_limit(0).map(drop).unwrap_err().to_string(),
        "a limit must be at least 1: with 0 nothing could ever run"
    );
    assert!(std::panic::catch_unwind(|| drop(some().limit(0))).is_err());
    assert_eq!(
        format!("{:?}", some().limit(3).unordered()),
        "Map { limit: 3, unordered: true, .. }"
    );
}

/// In each poll, who runs comes before who is new, also where the poll before has left new ones waiting.
#[tokio::test]
async fn who_runs_comes_before_who_is_new() {
    let (log, over) = (RefCell::new(Vec::new()), Cell::new(false));
    let body = async |n: u32| {
        log.borrow_mut().push(n);
        if n == 0 {
            poll_fn(|cx| {
                log.borrow_mut().push(n);
                cx.waker().wake_by_ref();
                if over.get() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
        over.set(n == 999);
        Ok::<_, ()>(())
    };
    let mut all = pin!(map(0..1000, body).limit(2).for_each());
    loop {
        log.borrow_mut().clear();
        let polled = poll_once(all.as_mut()).await;
        assert_eq!(log.borrow()[0], 0);
        if polled.is_ready() {
            break;
        }
    }
}
