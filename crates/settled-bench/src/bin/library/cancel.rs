//! A hundred thousand children that wait, cancelled at once. What counts is from the word to the
//! moment when the last one is gone.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures_concurrency::future::TryJoin as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use settled::{AbortController, Reason, ReasonKind, Scope};
use settled_bench::library::Figure;
use tokio::task::{JoinSet, yield_now};
use tokio_util::sync::CancellationToken;

use crate::job::{Never, one_thread};
use crate::meter::{Meter, timed, timed_async};

const CHILDREN: u64 = 100_000;

pub(crate) fn run(case: &str, meter: &Meter) -> Option<Figure> {
    match case {
        "settled" => dropped(meter, || settled::all(children())),
        "settled-run" => told(meter, || {
            let controller = AbortController::new();
            let run = controller.signal().run(settled::all(children()));
            (run, move || assert!(controller.abort(reason())))
        }),
        "settled-each" => told(meter, || {
            let controller = AbortController::new();
            let signal = controller.signal();
            let all = settled::all_settled(children().map(move |child| signal.run(child)));
            (all, move || assert!(controller.abort(reason())))
        }),
        "settled-scope" => scope(meter),
        "unordered" => dropped(meter, || {
            let mut set: FuturesUnordered<_> = children().collect();
            async move { set.next().await }
        }),
        "futures" => dropped(meter, || futures_util::future::try_join_all(children())),
        "buffered" => dropped(meter, || futures_buffered::try_join_all(children())),
        "concurrency" => dropped(meter, || children().collect::<Vec<_>>().try_join()),
        "token" => told(meter, || {
            let token = CancellationToken::new();
            let each = children().map(|child| token.clone().run_until_cancelled_owned(child));
            let all = futures_buffered::join_all(each);
            (all, move || token.cancel())
        }),
        "joinset" => join_set(meter),
        "floor" => dropped(meter, || by_hand(children().collect())),
        _ => None,
    }
}

fn reason() -> Reason {
    Reason::new(ReasonKind::Aborted)
}

fn children() -> impl ExactSizeIterator<Item = Never> {
    (0..CHILDREN as usize).map(|_| Never::new())
}

/// Each of them is polled once; some hosts poll but a few of them each time.
fn start<F: Future>(mut future: Pin<&mut F>) {
    while Never::waiting() < CHILDREN {
        assert!(poll(future.as_mut()).is_pending());
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The future that holds them is dropped.
fn dropped<F: Future>(meter: &Meter, make: impl Fn() -> F) -> Option<Figure> {
    meter.run(CHILDREN, || {
        let mut future = Box::pin(make());
        start(future.as_mut());
        let batch = timed(|| drop(future));
        assert_eq!(Never::held(), 0);
        batch
    })
}

/// A word is said, and the future that holds them hears it when it is polled.
fn told<F: Future, S: FnOnce()>(meter: &Meter, make: impl Fn() -> (F, S)) -> Option<Figure> {
    meter.run(CHILDREN, || {
        let (future, say) = make();
        let mut future = pin!(future);
        start(future.as_mut());
        timed(|| {
            say();
            while poll(future.as_mut()).is_pending() {}
            assert_eq!(Never::held(), 0);
        })
    })
}

/// As tasks, which are gone when they are joined.
fn scope(meter: &Meter) -> Option<Figure> {
    let runtime = one_thread();
    meter.run(CHILDREN, || {
        runtime.block_on(async {
            let scope = Scope::new();
            children().for_each(|child| scope.spawn(child).ignore());
            all_wait().await;
            let batch = timed_async(async {
                scope.abort(reason());
                scope.join().await;
            })
            .await;
            assert_eq!(Never::held(), 0);
            batch
        })
    })
}

fn join_set(meter: &Meter) -> Option<Figure> {
    let runtime = one_thread();
    meter.run(CHILDREN, || {
        runtime.block_on(async {
            let mut set: JoinSet<_> = children().collect();
            all_wait().await;
            let batch = timed_async(async {
                set.abort_all();
                while set.join_next().await.is_some() {}
            })
            .await;
            assert_eq!(Never::held(), 0);
            batch
        })
    })
}

async fn all_wait() {
    while Never::waiting() < CHILDREN {
        yield_now().await;
    }
}

/// The least that can hold them.
async fn by_hand(mut all: Vec<Never>) {
    poll_fn(|cx| {
        let polls = all.iter_mut().map(|one| Pin::new(one).poll(cx));
        let ready = polls.filter(Poll::is_ready).count();
        if ready > 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
