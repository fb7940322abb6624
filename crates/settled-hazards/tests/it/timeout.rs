//! `timeout` against `tokio::time::timeout`.

use std::time::Duration;

use futures_util::future::join;
use tokio::time::sleep;

const MS: Duration = Duration::from_millis(1);

/// Holds its thread up, and everybody else on it.
async fn blocks() {
    std::thread::sleep(50 * MS);
}

async fn value() -> u32 {
    sleep(MS).await;
    7
}

/// Where the thread was held up, what is late by ten times its limit passes for in time.
#[tokio::test]
async fn a_late_value_passes_for_one_in_time() {
    let (late, ()) = join(tokio::time::timeout(5 * MS, value()), blocks()).await;
    assert_eq!(late, Ok(7), "mended");

    let (late, ()) = join(settled::timeout(5 * MS, value()), blocks()).await;
    assert!(late.is_err());
}
