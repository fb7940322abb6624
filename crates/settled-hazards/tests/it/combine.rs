//! `all`, `all_settled`, `any`, `race` against `futures_util::future`.

use std::future::{Future, Ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{join, join_all, select_all, select_ok, try_join_all};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);

/// The first takes a second, the last fails after ten milliseconds.
fn last_fails(count: u64) -> impl Iterator<Item = impl Future<Output = Result<(), u64>>> {
    (0..count).map(move |number| async move {
        if number + 1 == count {
            sleep(10 * MS).await;
            return Err(number);
        }
        sleep(1000 * MS).await;
        Ok(())
    })
}

/// Beyond thirty futures, `try_join_all` looks at them one after the other, and hears of an error when its turn comes.
#[tokio::test(start_paused = true)]
async fn an_error_is_heard_of_late_when_there_are_many() {
    let start = Instant::now();
    assert!(try_join_all(last_fails(30)).await.is_err());
    assert!(start.elapsed() < 20 * MS);
    let start = Instant::now();
    assert!(try_join_all(last_fails(31)).await.is_err());
    assert!(start.elapsed() >= 1000 * MS, "mended: it was 11 ms");

    for count in [30, 31, 5000] {
        let start = Instant::now();
        assert_eq!(settled::all(last_fails(count)).await, Err(count - 1));
        assert!(start.elapsed() < 20 * MS);
    }
}

/// Is ready whenever tokio lets it.
async fn greedy(rest: &AtomicIsize) {
    while rest.fetch_sub(1, Ordering::Relaxed) > 0 {
        consume_budget().await;
    }
}

/// How much the greedy one had left to do when this one was through.
async fn modest(rest: &AtomicIsize) -> isize {
    consume_budget().await;
    rest.load(Ordering::Relaxed)
}

/// The first uses up what the task may do in one go, every time, and nothing is left to the second until the first is through.
#[tokio::test]
async fn a_greedy_future_starves_the_one_behind_it() {
    const WORK: isize = 100_000;
    let rest = AtomicIsize::new(WORK);
    let ((), left) = join(greedy(&rest), modest(&rest)).await;
    assert!(left <= 0, "mended: {left} were left");

    let rest = AtomicIsize::new(WORK);
    let first = async {
        greedy(&rest).await;
        Ok::<_, ()>(())
    };
    let second = async { Ok(modest(&rest).await) };
    let ((), left) = settled::all((first, second)).await.unwrap();
    assert!(left > WORK / 2, "{left} were left");
}

fn nobody() -> Vec<Ready<Result<(), ()>>> {
    Vec::new()
}

/// A list that happens to be empty is a panic.
#[tokio::test]
async fn nobody_at_all_is_a_panic() {
    assert!(
        catch_unwind(|| drop(select_all(nobody()))).is_err(),
        "mended"
    );
    assert!(
        catch_unwind(|| drop(select_ok(nobody()))).is_err(),
        "mended"
    );

    assert_eq!(settled::race(nobody()).await, Err(settled::Empty));
    assert_eq!(settled::any(nobody()).await.unwrap_err().errors(), []);
}

type Failing = Pin<Box<dyn Future<Output = Result<(), u32>>>>;

/// Only the last error is left of all of them.
#[tokio::test]
async fn the_errors_of_all_but_one_are_lost() {
    let fails = |number: u32| -> Failing { Box::pin(async move { Err(number) }) };
    let error = select_ok([fails(1), fails(2)]).await.map(drop);
    assert_eq!(error, Err(2), "mended");

    let all = settled::any([fails(1), fails(2)]).await.unwrap_err();
    assert_eq!(all.errors(), [1, 2]);
}

/// One that panics ends the others in the middle of what they do.
#[tokio::test(start_paused = true)]
async fn a_panic_ends_those_beside_it() {
    async fn work(number: u32, ended: &AtomicUsize) -> Result<(), ()> {
        sleep(MS).await;
        assert!(number > 0, "this one panics");
        sleep(MS).await;
        ended.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    let ended = AtomicUsize::new(0);
    let all = AssertUnwindSafe(join_all((0..5).map(|number| work(number, &ended))));
    assert!(all.catch_unwind().await.is_err());
    assert_eq!(ended.swap(0, Ordering::Relaxed), 0, "mended");

    let outcomes = settled::all_settled((0..5).map(|number| work(number, &ended))).await;
    assert_eq!((outcomes.len(), ended.into_inner()), (5, 4));
}
