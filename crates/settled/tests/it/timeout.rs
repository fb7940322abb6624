mod stream;

use std::cmp::Ordering;
use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use settled::{
    AbortController, Outcome, OutcomeKind, Reason, ReasonKind, deadline, settle, timeout,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, advance, sleep};

use crate::steps::{Alive, Watch, poll_once, probe, rng, sweep};

const MS: Duration = Duration::from_millis(1);

/// Outside of any runtime a timer could not even be made.
fn without_a_runtime<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn what_is_ready_needs_no_timer() {
    assert_eq!(
        without_a_runtime(timeout(Duration::ZERO, ready(7))),
        Poll::Ready(Ok(7))
    );
    assert_eq!(without_a_runtime(timeout(MS, ready(7))), Poll::Ready(Ok(7)));
    assert_eq!(
        without_a_runtime(deadline(Instant::now() + Duration::from_secs(60), ready(7))),
        Poll::Ready(Ok(7))
    );
}

#[test]
fn no_time_at_all_needs_no_timer() {
    let polled = without_a_runtime(timeout(Duration::ZERO, pending::<()>()));
    assert!(matches!(polled, Poll::Ready(Err(error)) if error.limit() == Some(Duration::ZERO)));
    let past = Instant::now();
    assert!(matches!(
        without_a_runtime(deadline(past, pending::<()>())),
        Poll::Ready(Err(_))
    ));
}

#[test]
fn a_limit_past_the_clock_is_none_and_needs_no_timer() {
    assert!(without_a_runtime(timeout(Duration::MAX, pending::<()>())).is_pending());
}

#[tokio::test(start_paused = true)]
async fn it_fires_after_the_limit_and_drops_the_future_first() {
    let start = Instant::now();
    let alive = Alive::default();
    let inside = alive.clone();
    let mut timeout = pin!(timeout(10 * MS, async move {
        let _inside = inside;
        pending::<()>().await;
    }));
    let error = timeout.as_mut().await.unwrap_err();
    assert_eq!(start.elapsed(), 10 * MS);
    assert_eq!(
        alive.others(),
        0,
        "the timeout itself is still there, the future is not"
    );
    assert_eq!(error.to_string(), "timed out after 10ms");
    assert_eq!(error.limit(), Some(10 * MS));
    assert_eq!(Reason::from(error).kind(), ReasonKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_value_in_time_is_a_value() {
    assert_eq!(
        timeout(10 * MS, async { sleep(9 * MS).await }).await,
        Ok(())
    );
    assert_eq!(
        deadline(Instant::now() + 10 * MS, async { sleep(9 * MS).await }).await,
        Ok(())
    );
}

/// The time runs from the end of the first poll, not from when the future was made.
#[tokio::test(start_paused = true)]
async fn the_time_runs_from_the_first_poll() {
    let limited = timeout(10 * MS, async { sleep(9 * MS).await });
    advance(60 * MS).await;
    assert_eq!(limited.await, Ok(()));
}

/// A value that is there when the task gets round to look, but after the time was up, is late.
#[tokio::test(start_paused = true)]
async fn a_late_value_is_late() {
    for (late, value) in [
        (9 * MS, Ok(Ok(7))),
        (10 * MS, Ok(Ok(7))),
        (11 * MS, Err(())),
    ] {
        let (sender, receiver) = oneshot::channel();
        let mut limited = pin!(timeout(10 * MS, receiver));
        assert!(poll_once(limited.as_mut()).await.is_pending());
        advance(late).await;
        sender.send(7).unwrap();
        assert_eq!(limited.await.map_err(drop), value, "after {late:?}");

        let (sender, receiver) = oneshot::channel();
        let mut limited = pin!(deadline(Instant::now() + 10 * MS, receiver));
        assert!(poll_once(limited.as_mut()).await.is_pending());
        advance(late).await;
        sender.send(7).unwrap();
        assert_eq!(limited.await.map_err(drop), value, "after {late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn past_its_deadline_a_future_is_never_polled() {
    let at = Instant::now();
    assert_eq!(
        deadline(at, ready(7)).await,
        Ok(7),
        "at the instant itself a ready value wins"
    );
    advance(MS).await;
    let error = deadline(at, async { unreachable!("it was polled") })
        .await
        .map(|(): ()| ())
        .unwrap_err();
    assert_eq!(error.limit(), None);
    assert_eq!(error.to_string(), "the deadline has passed");
}

/// A future that is ready again and again, and never gives the executor a turn of its own accord, does not outrun its limit.
#[tokio::test(start_paused = true)]
async fn a_busy_future_is_stopped() {
    let mut polls = 0;
    let limited = timeout(10 * MS, async {
        loop {
            polls += 1;
            advance(MS).await;
            tokio::task::yield_now().await;
        }
    });
    assert!(limited.await.map(|(): ()| ()).is_err());
    assert!((10..=12).contains(&polls), "{polls}");
}

#[tokio::test(start_paused = true)]
async fn the_inner_of_two_limits_fires_first() {
    let start = Instant::now();
    let inner = timeout(10 * MS, timeout(5 * MS, pending::<()>())).await;
    assert_eq!(inner.unwrap().unwrap_err().limit(), Some(5 * MS));
    assert_eq!(start.elapsed(), 5 * MS);
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_step_it_drops_the_future() {
    let polls = sweep(
        Alive::default,
        async |alive: &Alive| {
            timeout(10 * MS, async {
                let _inside = alive.clone();
                for _ in 0..4 {
                    sleep(3 * MS).await;
                }
            })
            .await
        },
        async |_, _| advance(MS).await,
        async |alive, polls| assert_eq!(alive.others(), 0, "after {polls} polls"),
    )
    .await;
    assert_eq!(polls, 11);
}

#[tokio::test(start_paused = true)]
async fn settled_it_is_one_outcome() {
    let work = async |result: Result<u8, &'static str>| {
        sleep(MS).await;
        result
    };
    for (limited, kind) in [
        (timeout(10 * MS, work(Ok(7))), OutcomeKind::Fulfilled),
        (timeout(10 * MS, work(Err("no"))), OutcomeKind::Rejected),
        (timeout(Duration::ZERO, work(Ok(7))), OutcomeKind::TimedOut),
        (
            deadline(Instant::now() - MS, work(Ok(7))),
            OutcomeKind::TimedOut,
        ),
    ] {
        assert_eq!(limited.settle().await.kind(), kind);
    }
}

/// On every way out (a value, the end of the time, a drop) the timer is gone: no waker is kept anywhere.
#[tokio::test(start_paused = true)]
async fn no_timer_is_left_behind() {
    for way in ["a value", "a drop", "its end"] {
        let watch = Watch::default();
        let mut limited = Box::pin(timeout(10 * MS, async {
            sleep(5 * MS).await;
            pending_unless(way == "a value").await;
        }));
        assert!(watch.poll(limited.as_mut()).is_pending());
        assert!(watch.kept() > 0);
        match way {
            "a drop" => {}
            "a value" => {
                advance(5 * MS).await;
                assert_eq!(watch.poll(limited.as_mut()), Poll::Ready(Ok(())));
            }
            _ => {
                advance(11 * MS).await;
                assert!(watch.poll(limited.as_mut()).is_ready());
            }
        }
        drop(limited);
        assert_eq!(watch.kept(), 0, "{way}");
    }
}

async fn pending_unless(done: bool) {
    if !done {
        pending::<()>().await;
    }
}

/// A time limit and an abort are told apart, and each keeps its reason.
#[tokio::test(start_paused = true)]
async fn a_timeout_is_no_abort() {
    let signal = AbortController::new().signal();
    let outcome = settle(async {
        let limited = timeout(MS, signal.run(pending::<()>()));
        limited.await.map(drop)
    });
    assert!(matches!(outcome.await, Outcome::Rejected(error) if error.limit() == Some(MS)));
    let controller = AbortController::new();
    controller.abort(ReasonKind::Interrupted);
    let aborted = controller.signal().run(timeout(MS, pending::<()>())).await;
    assert_eq!(aborted.unwrap_err().kind(), ReasonKind::Interrupted);
}

/// When the time is up nothing is left pending that has a limit, whatever it is.
#[tokio::test(start_paused = true)]
async fn after_its_time_every_handle_settles() {
    let at = Instant::now() + 10 * MS;
    let never = pending::<Result<(), ()>>;
    let mut handles: Vec<Pin<Box<dyn Future<Output = bool>>>> = Vec::new();
    for limited in [timeout(10 * MS, never()), deadline(at, never())] {
        handles.push(Box::pin(async move { limited.await.is_err() }));
    }
    for limited in [timeout(10 * MS, never()), deadline(at, never())] {
        handles.push(Box::pin(
            async move { limited.settle().await.is_timed_out() },
        ));
    }
    let bodies = [
        settled::timeout_stream(10 * MS, futures_util::stream::pending::<()>()),
        settled::deadline_stream(at, futures_util::stream::pending::<()>()),
    ];
    for mut body in bodies {
        let next = async move { futures_util::StreamExt::next(&mut body).await };
        handles.push(Box::pin(async move { next.await.unwrap().is_err() }));
    }
    for handle in &mut handles {
        assert!(poll_once(Pin::new(handle)).await.is_pending());
    }
    advance(10 * MS).await;
    assert_eq!(probe(handles), [true; 6]);
}

/// Limits of a random length around work of a random length, on the clock and past it: what ends by its limit is a value, and nothing
/// else is.
#[tokio::test(start_paused = true)]
async fn at_random_it_is_late_when_it_is_late() {
    let mut rng = rng();
    for _ in 0..300 {
        let start = Instant::now();
        let limits: Vec<_> = (0..rng.usize(1..4)).map(|_| rng.u32(0..20)).collect();
        let takes = rng.u32(0..20);
        let mut work: Pin<Box<dyn Future<Output = Result<(), ()>>>> = Box::pin(async move {
            if takes > 0 {
                sleep(takes * MS).await;
            }
            Ok(())
        });
        for limit in &limits {
            work = match rng.bool() {
                true => {
                    Box::pin(async move { timeout(*limit * MS, work).await.unwrap_or(Err(())) })
                }
                false => {
                    let limited = deadline(start + *limit * MS, work);
                    Box::pin(async move { limited.await.unwrap_or(Err(())) })
                }
            };
        }
        let shortest = limits.iter().min().copied().unwrap();
        let ended = work.await;
        assert_eq!(
            start.elapsed(),
            MS * takes.min(shortest),
            "{limits:?}, {takes}"
        );
        match takes.cmp(&shortest) {
            Ordering::Less => assert_eq!(ended, Ok(()), "{limits:?}, {takes}"),
            Ordering::Greater => assert_eq!(ended, Err(()), "{limits:?}, {takes}"),
            // Which of the two timers the runtime looks at first decides at the very instant.
            Ordering::Equal => {}
        }
    }
}

/// Held up past its limit, a future that is there by reference has not been polled: whoever awaits it goes on with it.
#[tokio::test]
async fn no_value_is_thrown_away() {
    let mut value = pin!(async {
        tokio::task::yield_now().await;
        7
    });
    let held_up = async {
        std::thread::sleep(30 * MS);
    };
    let (late, ()) = tokio::join!(timeout(5 * MS, value.as_mut()), held_up);
    assert!(late.is_err());
    assert_eq!(value.await, 7);
}
