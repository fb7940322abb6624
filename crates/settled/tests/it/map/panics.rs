//! Who may panic: the function, its futures, their destructors, the source, a value.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use settled::map;

/// Items that panic at once are items like others: after 256 of them, the other tasks have their turn.
#[tokio::test]
async fn panics_do_not_keep_the_task_from_yielding() {
    let started = Cell::new(0);
    let body = |_: u32| {
        started.set(started.get() + 1);
        async {
            if true {
                panic!("each of them")
            } else {
                Ok::<(), ()>(())
            }
        }
    };
    let mut all = pin!(map(0..1000, body).limit(4).collect_settled());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(all.as_mut().poll(&mut cx).is_pending());
    assert_eq!(started.get(), 256);
    loop {
        if let Poll::Ready(outcomes) = all.as_mut().poll(&mut cx) {
            assert!(outcomes.len() == 1000 && outcomes.iter().all(|outcome| outcome.is_panicked()));
            break;
        }
    }
}
