//! `map` against `buffered` streams.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::sleep;

const MS: Duration = Duration::from_millis(1);

/// Two requests, one after the other, that take 10 or 50 ms in all, and have 80.
async fn fetch(number: u32) -> Result<(), ()> {
    let each = if number.is_multiple_of(5) {
        5 * MS
    } else {
        25 * MS
    };
    let both = async {
        sleep(each).await;
        sleep(each).await;
    };
    tokio::time::timeout(80 * MS, both).await.map_err(drop)
}

/// While the consumer is busy with one result, nobody polls the others, and their limits pass.
#[tokio::test(start_paused = true)]
async fn limits_pass_while_nobody_polls() {
    let mut results = stream::iter(0..20).map(fetch).buffered(5);
    let mut late = 0;
    while let Some(result) = results.next().await {
        late += usize::from(result.is_err());
        sleep(100 * MS).await;
    }
    assert!(late > 0, "mended");

    let each = |number| async move {
        fetch(number).await?;
        sleep(100 * MS).await;
        Ok::<_, ()>(())
    };
    let all = settled::map(0..20, each).limit(5).collect().await;
    assert_eq!(all.map(|all| all.len()), Ok(20));
}

/// With a limit of none, an empty list never ends.
#[tokio::test(start_paused = true)]
async fn a_limit_of_none_hangs() {
    let none = stream::iter([0_u32; 0]).map(fetch).buffer_unordered(0);
    let ended = tokio::time::timeout(1000 * MS, none.collect::<Vec<_>>()).await;
    assert!(ended.is_err(), "mended");

    let none = settled::map([0_u32; 0], fetch);
    assert!(none.try_limit(0).is_err());
}
