use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt, stream};
use settled::{AbortController, AbortSignal, Context as Around};
use tokio::sync::oneshot;
use tokio::time::{advance, sleep};

use super::MS;
use crate::steps::{Alive, Watch, poll_once, sweep};

#[tokio::test]
async fn items_come_through_and_the_end_is_the_end() {
    let signal = AbortController::new().signal();
    let all: Vec<_> = signal.stream(stream::iter([1, 2])).collect().await;
    assert_eq!(all, [Ok(1), Ok(2)]);
    let mut stream = signal.stream(stream::empty::<()>());
    assert_eq!((stream.next().await, stream.next().await), (None, None));
    assert_eq!(stream.size_hint(), (0, Some(0)));
    assert_eq!(
        signal.stream(stream::iter([1, 2])).size_hint(),
        (0, Some(3))
    );
}

/// A stream that is always ready never lets the executor look elsewhere; the signal is heard all the same.
#[tokio::test]
async fn a_stream_that_is_always_ready_stops() {
    let controller = AbortController::new();
    let mut numbers = controller
        .signal()
        .stream(stream::iter(0..).inspect(|number| {
            if *number == 10 {
                controller.abort("ten");
            }
        }));
    let mut seen = Vec::new();
    while let Some(item) = numbers.next().await {
        seen.push(item);
    }
    assert_eq!(seen.len(), 12);
    assert_eq!(seen[10], Ok(10), "it was there when the signal fired");
    assert_eq!(seen[11].clone().unwrap_err().text(), Some("ten"));
}

#[tokio::test]
async fn what_was_aborted_before_is_never_polled() {
    let controller = AbortController::new();
    controller.abort("enough");
    let stream = stream::poll_fn(|_| -> Poll<Option<()>> { unreachable!("it was polled") });
    let all: Vec<_> = controller.signal().stream(stream).collect().await;
    assert_eq!(all.len(), 1);
}

/// An item that was waited for and comes with the abort wins; the stream is gone before the reason is there.
#[tokio::test]
async fn a_tie_goes_to_the_item_and_the_stream_is_dropped_before_the_reason() {
    let (controller, alive) = (AbortController::new(), Alive::default());
    let (sender, receiver) = oneshot::channel();
    let inside = alive.clone();
    let items = stream::once(async move {
        let _inside = inside;
        receiver.await.unwrap()
    });
    let mut items = pin!(controller.signal().stream(items.chain(stream::pending())));
    assert!(poll_once(pin!(items.next())).await.is_pending());
    controller.abort("enough");
    sender.send(7).unwrap();
    assert_eq!(items.next().await, Some(Ok(7)));
    assert!(items.next().await.unwrap().is_err());
    assert_eq!(alive.others(), 0);
    assert_eq!(items.next().await, None);
}

#[tokio::test]
async fn inside_the_signal_is_the_current_one_and_no_listener_stays() {
    let signal = AbortController::new().signal();
    let current = stream::poll_fn(|_| Poll::Ready(Some(Around::current().signal().clone())));
    let mut current = signal.stream(current);
    assert!(current.next().await.unwrap().unwrap().same(&signal));
    assert!(AbortSignal::current().same(&AbortSignal::never()));

    let watch = Watch::default();
    let mut never = Box::pin(signal.stream(stream::pending::<()>()));
    assert!(watch.poll(pin!(never.next())).is_pending());
    assert!(watch.kept() > 0);
    drop(never);
    assert_eq!(watch.kept(), 0);
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_step_it_drops_the_stream() {
    let polls = sweep(
        || (AbortController::new(), Alive::default()),
        async |(controller, alive): &(AbortController, Alive)| {
            let inside = alive.clone();
            let items = stream::iter(0..).then(move |number: u32| {
                let inside = inside.clone();
                async move {
                    sleep(2 * MS).await;
                    drop(inside);
                    number
                }
            });
            controller.signal().stream(items).collect::<Vec<_>>().await
        },
        async |(controller, _), number| {
            advance(MS).await;
            if number == 7 {
                controller.abort("enough");
            }
        },
        async |(_, alive), polls| assert_eq!(alive.others(), 0, "after {polls} polls"),
    )
    .await;
    assert_eq!(polls, 9);
}

/// A stream need not be moved to be polled.
#[test]
fn it_is_a_stream_for_any_stream() {
    fn is_stream<T: Stream>(_: &T) {}
    struct Pinned(std::marker::PhantomPinned);
    impl Stream for Pinned {
        type Item = ();
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
            Poll::Ready(None)
        }
    }
    is_stream(&AbortSignal::never().stream(Pinned(std::marker::PhantomPinned)));
}
