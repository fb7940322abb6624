#[cfg(all(feature = "signal", unix))]
mod ctrl_c;
#[cfg(feature = "signal")]
mod example;
mod stream;
mod token;
mod tree;

use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use settled::{AbortController, AbortSignal, Context, Grace, Outcome, Reason, ReasonKind};
use tokio::sync::oneshot;
use tokio::time::{Instant, advance, sleep};

use crate::steps::{Alive, Watch, poll_once, probe, rng, sweep};

const MS: Duration = Duration::from_millis(1);

fn text(signal: &AbortSignal) -> Option<String> {
    signal.reason()?.text().map(String::from)
}

#[test]
fn the_first_reason_stays() {
    let controller = AbortController::new();
    let signal = controller.signal();
    assert_eq!((signal.is_aborted(), signal.reason()), (false, None));
    assert!(controller.abort("first"));
    assert!(!controller.clone().abort("second"));
    assert!(signal.is_aborted());
    assert_eq!(text(&signal).as_deref(), Some("first"));
}

#[test]
fn of_many_threads_exactly_one_is_first_and_all_see_its_reason() {
    for _ in 0..50 {
        let (controller, barrier) = (AbortController::new(), Barrier::new(4));
        let won: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|number| {
                    let (controller, barrier) = (&controller, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let first = controller.abort(format!("{number}"));
                        (first, text(&controller.signal()))
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let winner = won
            .iter()
            .position(|(first, _)| *first)
            .unwrap()
            .to_string();
        assert_eq!(won.iter().filter(|(first, _)| *first).count(), 1);
        assert!(won.iter().all(|(_, seen)| seen.as_ref() == Some(&winner)));
    }
}

#[test]
fn a_dropped_controller_does_not_abort() {
    let controller = AbortController::new();
    let (signal, child) = (controller.signal(), controller.signal().child());
    drop(controller);
    assert!(!signal.is_aborted());
    assert!(!child.signal().is_aborted());
    assert!(child.abort("the child still works"));
}

/// Trees of controllers and of signals made of several, aborted at random: a node has the reason of the first abort of itself
/// or of anything above it, from that moment on and for ever, whether somebody looks in between or not.
#[test]
fn reasons_go_down_the_tree_in_the_order_of_the_aborts() {
    let mut rng = rng();
    for _ in 0..300 {
        let mut nodes: Vec<(AbortController, Vec<usize>)> = Vec::new();
        let mut aborted: Vec<Option<usize>> = Vec::new();
        for step in 0..60 {
            let pick = |rng: &mut fastrand::Rng| rng.usize(..nodes.len());
            match rng.u8(..4) {
                0 if !nodes.is_empty() => {
                    let node = pick(&mut rng);
                    let first = nodes[node].0.abort(step.to_string());
                    assert_eq!(first, first_abort(&nodes, &aborted, node).is_none());
                    if first {
                        aborted[node] = Some(step);
                    }
                }
                1 if !nodes.is_empty() => {
                    let above: Vec<_> = (0..rng.usize(1..4)).map(|_| pick(&mut rng)).collect();
                    let any = AbortSignal::any(above.iter().map(|node| nodes[*node].0.signal()));
                    nodes.push((any.child(), above));
                    aborted.push(None);
                }
                2 => {
                    nodes.push((AbortController::new(), Vec::new()));
                    aborted.push(None);
                }
                _ => {}
            }
            for node in 0..nodes.len() {
                if rng.u8(..4) == 0 {
                    let expected = first_abort(&nodes, &aborted, node).map(|step| step.to_string());
                    assert_eq!(text(&nodes[node].0.signal()), expected);
                }
            }
        }
    }

    fn first_abort(
        nodes: &[(AbortController, Vec<usize>)],
        aborted: &[Option<usize>],
        node: usize,
    ) -> Option<usize> {
        let above = nodes[node]
            .1
            .iter()
            .filter_map(|above| first_abort(nodes, aborted, *above));
        above.chain(aborted[node]).min()
    }
}

/// Whoever listens anywhere below an abort, through any mixture of children and of signals made of several, is woken by it;
/// nobody else is.
#[test]
fn an_abort_wakes_all_below_it_and_nobody_else() {
    let mut rng = rng();
    for _ in 0..200 {
        let mut nodes = vec![AbortController::new()];
        let mut below_first = vec![true];
        for _ in 0..20 {
            let above: Vec<_> = (0..rng.usize(..4))
                .map(|_| rng.usize(..nodes.len()))
                .collect();
            let any = AbortSignal::any(above.iter().map(|node| nodes[*node].signal()));
            nodes.push(any.child());
            below_first.push(above.iter().any(|node| below_first[*node]));
        }
        let watches: Vec<_> = nodes.iter().map(|_| Watch::default()).collect();
        let mut waits: Vec<_> = nodes
            .iter()
            .map(|node| Box::pin(node.signal().aborted()))
            .collect();
        for (wait, watch) in waits.iter_mut().zip(&watches) {
            assert!(watch.poll(wait.as_mut()).is_pending());
        }
        nodes[0].abort("enough");
        for ((wait, watch), below) in waits.iter_mut().zip(&watches).zip(below_first) {
            assert_eq!(watch.woken() > 0, below);
            assert_eq!(watch.poll(wait.as_mut()).is_ready(), below);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_with_a_timer_fires_by_itself() {
    let start = Instant::now();
    let signal = AbortSignal::timeout(10 * MS);
    let below = signal.child().signal();
    let either = AbortSignal::any([AbortController::new().signal(), below.clone()]);
    assert!(!either.is_aborted());
    let reason = either.aborted().await;
    assert_eq!(start.elapsed(), 10 * MS);
    assert_eq!(reason.kind(), ReasonKind::Timeout);
    for signal in [signal, below, either] {
        assert_eq!(signal.reason(), Some(reason.clone()));
    }
    assert!(!AbortSignal::timeout(Duration::MAX).is_aborted());
}

/// Nobody looks between the two events; still it is the earlier one that counts.
#[tokio::test(start_paused = true)]
async fn of_a_timer_and_an_abort_the_earlier_counts() {
    for (abort_after, kind) in [
        (5 * MS, ReasonKind::Interrupted),
        (15 * MS, ReasonKind::Timeout),
    ] {
        let controller = AbortController::new();
        let either = AbortSignal::any([AbortSignal::timeout(10 * MS), controller.signal()]);
        advance(abort_after).await;
        controller.abort(ReasonKind::Interrupted);
        advance(20 * MS).await;
        assert_eq!(either.reason().map(|reason| reason.kind()), Some(kind));
    }
}

#[tokio::test]
async fn what_was_aborted_before_is_never_started() {
    let controller = AbortController::new();
    controller.abort("enough");
    let result = controller
        .signal()
        .run(async { unreachable!("it was polled") })
        .await;
    assert_eq!(result.map(|(): ()| ()).unwrap_err().text(), Some("enough"));
}

#[tokio::test]
async fn a_value_at_the_same_poll_wins() {
    let controller = AbortController::new();
    let (sender, receiver) = oneshot::channel();
    let mut run = pin!(controller.signal().run(receiver));
    assert!(poll_once(run.as_mut()).await.is_pending());
    controller.abort("enough");
    sender.send(7).unwrap();
    assert_eq!(run.await.unwrap(), Ok(7));
}

#[tokio::test]
async fn the_future_is_dropped_before_the_reason_is_there() {
    let (controller, alive) = (AbortController::new(), Alive::default());
    let inside = alive.clone();
    let mut run = pin!(controller.signal().run(async move {
        let _inside = inside;
        pending::<()>().await;
    }));
    assert!(poll_once(run.as_mut()).await.is_pending());
    assert_eq!(alive.others(), 1);
    controller.abort("enough");
    assert!(poll_once(run.as_mut()).await.is_ready());
    assert_eq!(alive.others(), 0);
}

#[tokio::test]
async fn never_is_never() {
    for signal in [
        AbortSignal::never(),
        AbortSignal::any([]),
        AbortSignal::any([AbortSignal::never()]),
    ] {
        assert!(!signal.is_aborted());
        assert!(poll_once(pin!(signal.aborted())).await.is_pending());
        assert_eq!(signal.run(ready(7)).await, Ok(7));
        assert!(
            signal
                .child()
                .abort("a child of never is a controller like any other")
        );
    }
}

/// Four runtimes on four threads hear of one abort from a fifth.
#[test]
fn it_reaches_several_runtimes_at_once() {
    let controller = AbortController::new();
    let (listening, heard) = std::sync::mpsc::channel();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let (signal, listening) = (controller.signal(), listening.clone());
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let child = signal.child().signal();
                    let signal = [signal, child][number % 2].clone();
                    let mut aborted = pin!(signal.aborted());
                    assert!(poll_once(aborted.as_mut()).await.is_pending());
                    listening.send(()).unwrap();
                    aborted.await
                })
            })
        })
        .collect();
    (0..4).for_each(|_| heard.recv().unwrap());
    controller.abort("all of you");
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Reason::from("all of you"));
    }
}

/// On every way out of a wait (a value, an abort, a drop), for every kind of signal, no waker stays behind.
#[tokio::test(start_paused = true)]
async fn no_listener_is_left_behind() {
    let controller = AbortController::new();
    let signals = || {
        let signal = controller.signal();
        let timed = AbortSignal::any([
            signal.clone(),
            AbortSignal::timeout(Duration::from_secs(60)),
        ]);
        [
            signal.clone(),
            signal.child().signal(),
            AbortSignal::any([signal.clone(), signal.child().signal()]),
            timed,
        ]
    };
    for signal in signals() {
        let watch = Watch::default();
        let mut run = Box::pin(signal.run(async {
            tokio::task::yield_now().await;
            7
        }));
        assert!(watch.poll(run.as_mut()).is_pending());
        assert!(watch.kept() > 0);
        assert_eq!(watch.poll(run.as_mut()), Poll::Ready(Ok(7)));
        drop(run);
        tokio::task::yield_now().await;
        assert_eq!(watch.kept(), 0, "a value");

        let mut run = Box::pin(signal.run(pending::<()>()));
        assert!(watch.poll(run.as_mut()).is_pending());
        drop(run);
        assert_eq!(watch.kept(), 0, "a drop");
    }
    let watches: Vec<_> = signals()
        .into_iter()
        .map(|signal| (signal, Watch::default()))
        .collect();
    let mut runs: Vec<_> = watches
        .iter()
        .map(|(signal, _)| Box::pin(signal.run(pending::<()>())))
        .collect();
    for (run, (_, watch)) in runs.iter_mut().zip(&watches) {
        assert!(watch.poll(run.as_mut()).is_pending());
    }
    controller.abort("enough");
    for (mut run, (_, watch)) in runs.into_iter().zip(&watches) {
        assert!(watch.woken() > 0);
        assert!(watch.poll(run.as_mut()).is_ready());
        drop(run);
        assert_eq!(watch.kept(), 0, "an abort");
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_step_it_drops_the_future() {
    let polls = sweep(
        || (AbortController::new(), Alive::default()),
        async |(controller, alive): &(AbortController, Alive)| {
            let inside = alive.clone();
            let work = async move {
                let _inside = inside;
                sleep(Duration::from_secs(60)).await;
            };
            controller.signal().run(work).await
        },
        async |(controller, _), number| {
            advance(MS).await;
            if number == 5 {
                controller.abort("enough");
            }
        },
        async |(_, alive), polls| assert_eq!(alive.others(), 0, "after {polls} polls"),
    )
    .await;
    assert_eq!(polls, 7);
}

#[test]
fn reasons_read_well_and_compare_by_what_they_say() {
    assert_eq!(Reason::from("enough"), Reason::from(String::from("enough")));
    assert_ne!(Reason::from("enough"), Reason::new(ReasonKind::Aborted));
    assert_eq!(Reason::new(ReasonKind::Timeout).to_string(), "timeout");
    assert_eq!(
        format!("{:?}", Reason::new(ReasonKind::Closed).message("queue")),
        "Reason(closed: queue)"
    );
    let shared: Arc<str> = "shared".into();
    assert_eq!(
        Reason::new(ReasonKind::Dropped).message(shared).text(),
        Some("shared")
    );
}

/// A signal's waiters can be polled from a task other than the one that made them.
#[tokio::test]
async fn the_latest_waker_is_woken() {
    let controller = AbortController::new();
    let mut aborted = pin!(controller.signal().aborted());
    let (first, second) = (Watch::default(), Watch::default());
    assert!(first.poll(aborted.as_mut()).is_pending());
    assert!(second.poll(aborted.as_mut()).is_pending());
    controller.abort("enough");
    assert_eq!((first.woken(), second.woken()), (0, 1));
    fn named(_: impl Future<Output = Reason>) {}
    named(controller.signal().aborted());
}

#[tokio::test]
async fn an_abort_is_nothing_and_an_error_is_an_error() {
    let controller = AbortController::new();
    let signal = controller.signal();
    assert_eq!(
        signal
            .run(ready(Ok::<_, &str>(7)))
            .or_none_if_aborted()
            .await,
        Ok(Some(7))
    );
    let failed = signal.run(ready(Err::<(), _>("no route")));
    assert_eq!(failed.or_none_if_aborted().await, Err("no route"));
    assert!(
        signal
            .run(ready(Ok::<_, &str>(7)))
            .settle()
            .await
            .is_fulfilled()
    );
    assert!(
        signal
            .run(ready(Err::<(), _>("no route")))
            .settle()
            .await
            .is_rejected()
    );
    controller.abort("enough");
    let aborted = || signal.run(pending::<Result<(), &str>>());
    assert_eq!(aborted().or_none_if_aborted().await, Ok(None));
    let Outcome::Cancelled(reason) = aborted().settle().await else {
        panic!("it settled otherwise");
    };
    assert_eq!(reason.text(), Some("enough"));
}

/// Once aborted, every later await under the signal fails again, and fails with the same reason; a shield is a signal of one's own.
#[tokio::test]
async fn an_abort_is_a_level_and_no_edge() {
    let controller = AbortController::new();
    let signal = controller.signal();
    controller.abort("enough");
    for _ in 0..3 {
        assert_eq!(
            signal.run(pending::<()>()).await.unwrap_err().text(),
            Some("enough")
        );
        assert_eq!(signal.aborted().await.text(), Some("enough"));
    }
    let own = AbortController::new();
    let shielded = Context::default().within(own.signal().run(async {
        assert!(!AbortSignal::current().is_aborted());
        tokio::task::yield_now().await;
        7
    }));
    assert_eq!(shielded.await, Ok(7));
}

/// After the work has settled, and after the first abort, an abort changes nothing.
#[tokio::test]
async fn an_abort_after_the_end_is_nothing() {
    let controller = AbortController::new();
    let watch = Watch::default();
    let mut run = Box::pin(controller.signal().run(async {
        tokio::task::yield_now().await;
        7
    }));
    assert!(watch.poll(run.as_mut()).is_pending());
    assert_eq!(watch.poll(run.as_mut()), Poll::Ready(Ok(7)));
    drop(run);
    tokio::task::yield_now().await;
    let woken = watch.woken();
    assert!(controller.abort("late"));
    assert!(!controller.abort("later"));
    assert_eq!((watch.woken(), watch.kept()), (woken, 0));
}

/// After an abort nothing is left pending that listens, whatever it is.
#[tokio::test(start_paused = true)]
async fn after_an_abort_every_handle_settles() {
    let controller = AbortController::new();
    let signal = controller.signal();
    let several = AbortSignal::any([AbortController::new().signal(), signal.clone()]);
    let never = || pending::<Result<(), ()>>();
    let mut handles: Vec<Pin<Box<dyn Future<Output = bool>>>> = Vec::new();
    for signal in [signal.clone(), signal.child().signal(), several] {
        let each = signal.clone();
        handles.push(Box::pin(
            async move { each.aborted().await.text().is_some() },
        ));
        let run = signal.run(pending::<()>());
        handles.push(Box::pin(async move { run.await.is_err() }));
        let run = signal.run(never());
        handles.push(Box::pin(async move { run.settle().await.is_cancelled() }));
        let run = signal.run(never());
        handles.push(Box::pin(async move {
            run.or_none_if_aborted().await == Ok(None)
        }));
        let mut stream = signal.stream(futures_util::stream::pending::<()>());
        handles.push(Box::pin(async move {
            futures_util::StreamExt::next(&mut stream)
                .await
                .unwrap()
                .is_err()
        }));
        let work = Grace::new(Duration::ZERO).run(&signal, |_stop| pending::<()>());
        handles.push(Box::pin(async move { work.await.is_err() }));
        let token = signal.to_token();
        handles.push(Box::pin(async move {
            token.cancelled().await;
            true
        }));
    }
    for handle in &mut handles {
        assert!(poll_once(Pin::new(handle)).await.is_pending());
    }
    tokio::task::yield_now().await;
    controller.abort("enough");
    // The one token that a task feeds is there a turn later.
    tokio::task::yield_now().await;
    assert_eq!(probe(handles), [true; 21]);
}

/// A wait that is dropped after any number of polls leaves no listener, whatever it listens to.
#[tokio::test(start_paused = true)]
async fn a_wait_dropped_at_any_step_leaves_no_listener() {
    sweep(
        || (AbortController::new(), Watch::default()),
        async |(controller, watch): &(AbortController, Watch)| {
            let timed = AbortSignal::timeout(4 * MS);
            let any = AbortSignal::any([controller.signal(), timed]);
            let mut aborted = pin!(any.child().signal().aborted());
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                watch.poll(aborted.as_mut())
            })
            .await
        },
        async |_, _| advance(MS).await,
        async |(_, watch), polls| assert_eq!(watch.kept(), 0, "after {polls} polls"),
    )
    .await;
}
