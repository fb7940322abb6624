//! A time limit that is not reached.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use settled_bench::library::Figure;

use crate::job::{Job, one_thread};
use crate::meter::{Meter, timed};

const OPS: u64 = 100_000;
/// Far beyond the end of the measurement.
const LIMIT: Duration = Duration::from_secs(3600);

pub(crate) fn run(how: &str, case: &str, meter: &Meter) -> Option<Figure> {
    let polls = match how {
        "ready" => 1,
        "in-flight" => 2,
        _ => return None,
    };
    let job = |number| Job::new(polls - 1, number);
    match case {
        "settled" => measure(meter, polls, |n| settled::timeout(LIMIT, job(n))),
        "settled-deadline" => {
            let at = tokio::time::Instant::now() + LIMIT;
            measure(meter, polls, move |n| settled::deadline(at, job(n)))
        }
        "tokio" => measure(meter, polls, |n| tokio::time::timeout(LIMIT, job(n))),
        "tokio-at" => {
            let at = tokio::time::Instant::now() + LIMIT;
            measure(meter, polls, move |n| tokio::time::timeout_at(at, job(n)))
        }
        "floor" => measure(meter, polls, job),
        "floor-clock" => measure(meter, polls, |n| {
            black_box(Instant::now());
            job(n)
        }),
        _ => None,
    }
}

/// Polls by hand, as an executor does that has nothing else to do: of the rest only the runtime's
/// timers are there. One of them is earlier than all that are measured, as in any busy program: the
/// first timer of an idle runtime costs a system call, whoever makes it.
fn measure<F: Future>(meter: &Meter, polls: u32, make: impl Fn(u64) -> F) -> Option<Figure> {
    let runtime = one_thread();
    runtime.spawn(async { tokio::time::sleep(LIMIT / 2).await });
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
    let _inside = runtime.enter();
    let mut cx = Context::from_waker(Waker::noop());
    meter.run(OPS, || {
        timed(|| {
            for number in 0..OPS {
                let mut future = pin!(make(number));
                for _ in 1..polls {
                    assert!(future.as_mut().poll(&mut cx).is_pending());
                }
                let Poll::Ready(result) = future.as_mut().poll(&mut cx) else {
                    panic!("polled once more, it has to be ready");
                };
                black_box(result);
            }
        })
    })
}
