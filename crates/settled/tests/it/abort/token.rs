use std::future::pending;

use settled::{AbortController, AbortSignal, ReasonKind};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

use super::{MS, text};

#[tokio::test]
async fn a_cancelled_token_aborts_what_is_below() {
    let token = CancellationToken::new();
    let signal = AbortSignal::from(token.clone());
    let below = AbortSignal::any([signal.child().signal(), AbortController::new().signal()]);
    let work = tokio::spawn({
        let below = below.clone();
        async move { below.run(pending::<()>()).await.unwrap_err() }
    });
    yield_now().await;
    assert!(!below.is_aborted());
    token.cancel();
    assert_eq!(work.await.unwrap().kind(), ReasonKind::Aborted);
    assert_eq!(text(&signal).as_deref(), Some("the token was cancelled"));
    assert_eq!(text(&below), text(&signal));
}

/// A token tells nobody here when it is cancelled, so whoever has looked before has to look again.
#[test]
fn a_cancelled_token_is_seen_by_who_has_looked_before() {
    // Aborts of other tests make everybody look again; they leave some of these rounds alone.
    for _ in 0..100 {
        let token = CancellationToken::new();
        let alone = AbortSignal::from(token.clone());
        let below = AbortSignal::from(token.clone()).child().signal();
        let signals = [alone, below];
        assert!(!signals.iter().any(AbortSignal::is_aborted));
        token.cancel();
        assert!(signals.iter().all(AbortSignal::is_aborted));
    }
}

#[tokio::test]
async fn an_abort_does_not_cancel_the_token_that_it_came_from() {
    let token = CancellationToken::new();
    let child = AbortSignal::from(token.clone()).child();
    child.abort("only this one");
    assert!(!token.is_cancelled());
    let copy = child.signal().to_token();
    assert!(copy.is_cancelled());
}

/// A token for each kind of signal; those that a task feeds are there a turn later.
#[tokio::test(start_paused = true)]
async fn every_signal_has_a_token() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let controller = AbortController::new();
    let signal = controller.signal();
    let plain = [signal.clone(), signal.child().signal()].map(|signal| signal.to_token());
    assert_eq!(tasks(), 0, "these need none");
    let timed = AbortSignal::any([signal.clone(), AbortSignal::timeout(50 * MS)]);
    let several = AbortSignal::any([AbortController::new().signal(), signal.clone()]);
    let by_task = [timed.to_token(), several.to_token()];
    assert_eq!(tasks(), 2);
    yield_now().await;
    assert!(
        !plain
            .iter()
            .chain(&by_task)
            .any(CancellationToken::is_cancelled)
    );
    controller.abort("enough");
    assert!(plain.iter().all(CancellationToken::is_cancelled));
    for token in by_task {
        token.cancelled().await;
    }
    assert!(timed.to_token().is_cancelled(), "it had fired before");
    assert!(!AbortSignal::never().to_token().is_cancelled());
    yield_now().await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_timed_token_fires_by_itself_and_a_cancelled_one_ends_its_task() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let start = tokio::time::Instant::now();
    AbortSignal::timeout(50 * MS).to_token().cancelled().await;
    assert_eq!(start.elapsed(), 50 * MS);
    let signal = AbortSignal::timeout(50 * MS);
    let token = signal.to_token();
    token.cancel();
    yield_now().await;
    yield_now().await;
    assert_eq!(tasks(), 0);
    assert!(!signal.is_aborted());
}
