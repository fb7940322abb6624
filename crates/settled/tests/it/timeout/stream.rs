use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use settled::{current_deadline, deadline_stream, timeout_stream};
use tokio::time::{Instant, advance, sleep};

use super::MS;
use crate::steps::{Alive, Watch, sweep};

fn every(time: Duration) -> impl Stream<Item = u32> {
    stream::iter(0..).then(move |number: u32| async move {
        sleep(time).await;
        number
    })
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_for_all_items_together() {
    let start = Instant::now();
    let all: Vec<_> = timeout_stream(10 * MS, every(3 * MS)).collect().await;
    assert_eq!(all[..3], [Ok(0), Ok(1), Ok(2)]);
    assert_eq!(all.len(), 4);
    assert_eq!(all[3].unwrap_err().limit(), Some(10 * MS));
    assert_eq!(start.elapsed(), 10 * MS);
    let at = Instant::now() + 10 * MS;
    let all: Vec<_> = deadline_stream(at, every(3 * MS)).collect().await;
    assert_eq!(all.len(), 4);
    assert_eq!(all[3].unwrap_err().limit(), None);
    assert_eq!(Instant::now(), at);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_in_time_is_what_it_was() {
    let mut limited = pin!(timeout_stream(10 * MS, every(3 * MS).take(3)));
    for number in 0..3 {
        assert_eq!(limited.next().await, Some(Ok(number)));
    }
    assert_eq!((limited.next().await, limited.next().await), (None, None));
    assert_eq!(limited.size_hint(), (0, Some(0)));
    assert_eq!(
        timeout_stream(MS, stream::iter([1])).size_hint(),
        (0, Some(2))
    );
}

/// The time goes on while nobody asks for an item, and a stream that is always ready does not outrun it.
#[tokio::test(start_paused = true)]
async fn the_time_between_items_counts() {
    let mut limited = pin!(timeout_stream(10 * MS, stream::iter(0..)));
    assert_eq!(limited.next().await, Some(Ok(0)));
    advance(10 * MS).await;
    assert_eq!(limited.next().await, Some(Ok(1)), "at the instant itself");
    advance(MS).await;
    assert!(limited.next().await.unwrap().is_err());
    assert_eq!(limited.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn inside_it_is_the_deadline() {
    let start = Instant::now();
    let asked = stream::iter(0..2).map(|_| current_deadline());
    let seen: Vec<_> = timeout_stream(10 * MS, asked).collect().await;
    assert_eq!(seen, [Ok(Some(start + 10 * MS)); 2]);
    assert_eq!(current_deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_step_it_drops_the_stream_and_its_timer() {
    let polls = sweep(
        || (Alive::default(), Watch::default()),
        async |(alive, _): &(Alive, Watch)| {
            let inside = alive.clone();
            let items = every(3 * MS).inspect(move |_| {
                let _inside = &inside;
            });
            timeout_stream(10 * MS, items).collect::<Vec<_>>().await
        },
        async |_, _| advance(MS).await,
        async |(alive, _), polls| assert_eq!(alive.others(), 0, "after {polls} polls"),
    )
    .await;
    assert!(polls > 8, "{polls}");
    let watch = Watch::default();
    let mut limited = Box::pin(timeout_stream(10 * MS, stream::pending::<()>()));
    assert!(watch.poll(pin!(limited.next())).is_pending());
    assert!(watch.kept() > 0);
    drop(limited);
    assert_eq!(watch.kept(), 0);
}
