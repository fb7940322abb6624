mod several;

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use settled::{AbortController, AbortSignal, Grace, remaining};
use tokio::time::{Instant, advance, sleep};

use crate::steps::{Alive, Watch, poll_once, sweep};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn without_an_abort_it_is_the_value() {
    let signal = AbortController::new().signal();
    let value = Grace::new(MS).run(&signal, async |_stop| {
        sleep(60 * MS).await;
        7
    });
    assert_eq!(value.await, Ok(7));
    assert_eq!(Grace::new(MS).limit(), MS);
}

#[tokio::test(start_paused = true)]
async fn who_ends_within_the_grace_has_its_value_counted() {
    for (clean_up, value) in [(9, Some(7)), (10, Some(7)), (11, None)] {
        let (controller, alive) = (AbortController::new(), Alive::default());
        let inside = alive.clone();
        let work = Grace::new(10 * MS).run(&controller.signal(), async move |stop| {
            let _inside = inside;
            stop.aborted().await;
            assert_eq!(
                remaining(),
                Some(10 * MS),
                "the grace is a limit like any other"
            );
            sleep(clean_up * MS).await;
            7
        });
        let mut work = pin!(work);
        assert!(poll_once(work.as_mut()).await.is_pending());
        let aborted = Instant::now();
        controller.abort("enough");
        match (work.await, value) {
            (Ok(given), Some(value)) => assert_eq!(given, value),
            (Err(reason), None) => {
                assert_eq!(reason.text(), Some("enough"));
                assert_eq!(aborted.elapsed(), 10 * MS);
            }
            (other, _) => panic!("{other:?} after {clean_up} ms"),
        }
        assert_eq!(alive.others(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn no_grace_is_one_more_poll() {
    let controller = AbortController::new();
    let prompt = Grace::new(Duration::ZERO).run(&controller.signal(), async |stop| {
        stop.aborted().await;
        7
    });
    let late = Grace::new(Duration::ZERO).run(&controller.signal(), async |stop| {
        stop.aborted().await;
        tokio::task::yield_now().await;
    });
    let (mut prompt, mut late) = (pin!(prompt), pin!(late));
    assert!(poll_once(prompt.as_mut()).await.is_pending());
    assert!(poll_once(late.as_mut()).await.is_pending());
    controller.abort("enough");
    assert_eq!(prompt.await, Ok(7));
    assert!(late.await.is_err());
}

#[tokio::test]
async fn what_was_aborted_before_is_never_made() {
    let controller = AbortController::new();
    controller.abort("enough");
    let make = |_stop| -> std::future::Ready<()> { unreachable!("it was made") };
    assert!(
        Grace::new(MS)
            .run(&controller.signal(), make)
            .await
            .is_err()
    );
}

/// What does not take the signal as an argument finds it around itself, also after it has fired.
#[tokio::test(start_paused = true)]
async fn inside_it_is_the_current_signal() {
    let controller = AbortController::new();
    let work = Grace::new(10 * MS).run(&controller.signal(), async |stop| {
        assert!(AbortSignal::current().same(&stop));
        stop.aborted().await;
        assert!(AbortSignal::current().is_aborted());
        tokio::task::yield_now().await;
        AbortSignal::current().same(&stop)
    });
    let mut work = pin!(work);
    assert!(poll_once(work.as_mut()).await.is_pending());
    assert!(AbortSignal::current().same(&AbortSignal::never()));
    controller.abort("enough");
    assert_eq!(work.await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_step_it_drops_the_work_and_leaves_no_listener() {
    let polls = sweep(
        || (AbortController::new(), Alive::default()),
        async |(controller, alive): &(AbortController, Alive)| {
            let inside = alive.clone();
            let work = Grace::new(5 * MS).run(&controller.signal(), async move |_stop| {
                let _inside = inside;
                pending::<()>().await;
            });
            work.await
        },
        async |(controller, _), number| {
            advance(MS).await;
            if number == 2 {
                controller.abort("enough");
            }
        },
        async |(_, alive), polls| assert_eq!(alive.others(), 0, "after {polls} polls"),
    )
    .await;
    assert!(polls > 5, "{polls}");

    let (controller, watch) = (AbortController::new(), Watch::default());
    let signal = controller.signal();
    let mut work = Box::pin(Grace::new(5 * MS).run(&signal, |_stop| pending::<()>()));
    assert!(watch.poll(work.as_mut()).is_pending());
    controller.abort("enough");
    assert!(watch.poll(work.as_mut()).is_pending(), "in its grace");
    assert!(watch.kept() > 0);
    drop(work);
    assert_eq!(watch.kept(), 0);
}
