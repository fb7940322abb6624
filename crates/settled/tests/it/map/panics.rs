//! Who may panic: the function, its futures, their destructors, the source, a value.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use settled::{Failed, Outcome, map, map_while};
use tokio::task::yield_now;

use super::kinds;
use crate::steps::{Alive, DropBomb};

/// Ends at once; its destructor panics.
struct Explosive(DropBomb);

impl Future for Explosive {
    type Output = Result<u32, ()>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let _bomb = &self.0;
        Poll::Ready(Ok(7))
    }
}

/// The panic with which a future ends that is polled until then.
async fn panic_of<F: Future>(future: F) -> String {
    let mut future = Box::pin(future);
    loop {
        let polled = std::future::poll_fn(|cx| {
            Poll::Ready(catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))))
        })
        .await;
        match polled {
            Ok(Poll::Pending) => yield_now().await,
            Ok(Poll::Ready(_)) => panic!("it was to panic"),
            Err(payload) => return (*payload.downcast::<&str>().unwrap()).to_owned(),
        }
    }
}

/// Whoever panics ends its own item, wherever that is: when its future is made, at its first poll, later, or when it is dropped.
#[tokio::test]
async fn a_panic_ends_its_item() {
    enum Body {
        Now(Explosive),
        Later(u32, Alive),
    }
    impl Body {
        async fn run(self) -> Result<u32, ()> {
            match self {
                Self::Now(explosive) => explosive.await,
                Self::Later(n, _alive) => {
                    if n == 3 {
                        yield_now().await;
                    }
                    assert!(n != 2 && n != 3, "the body");
                    yield_now().await;
                    Ok(n)
                }
            }
        }
    }
    let alive = Alive::default();
    let make = |n: u32| {
        assert!(n != 1, "the function");
        match n {
            4 => Body::Now(Explosive(DropBomb)).run(),
            n => Body::Later(n, alive.clone()).run(),
        }
    };
    let expected = [
        "fulfilled",
        "panicked",
        "panicked",
        "panicked",
        "panicked",
        "fulfilled",
    ];
    for limit in [1, 2, 6] {
        let outcomes = map(0..6, make).limit(limit).collect_settled().await;
        assert_eq!(kinds(&outcomes), expected);
        assert_eq!(alive.others(), 0);
    }
}

/// In tasks, it is the same.
#[tokio::test]
async fn a_panic_ends_its_item_in_a_task() {
    let body = |n: u32| {
        assert!(n != 1, "the function");
        async move {
            assert!(n != 2, "the body");
            yield_now().await;
            assert!(n != 3, "the body, later");
            match n {
                4 => Explosive(DropBomb).await,
                n => Ok(n),
            }
        }
    };
    let expected = [
        "fulfilled",
        "panicked",
        "panicked",
        "panicked",
        "panicked",
        "fulfilled",
    ];
    for limit in [1, 2, 6] {
        let all = || map(0..6, body).limit(limit).spawned();
        assert_eq!(kinds(&all().collect_settled().await), expected);
        let mut stream = all().stream();
        let mut outcomes = Vec::new();
        while let Some(outcome) = stream.next().await {
            outcomes.push(outcome);
        }
        assert_eq!(kinds(&outcomes), expected);
        assert!(matches!(all().collect().await, Err(Failed::Panicked(_))));
        assert!(matches!(all().for_each().await, Err(Failed::Panicked(_))));
    }
}

/// Without outcomes to put it in, a panic goes on, when all others are gone.
#[tokio::test]
async fn a_panic_goes_on_when_the_others_are_gone() {
    let alive = Alive::default();
    let body = |n: u32| {
        let mine = alive.clone();
        async move {
            let _mine = mine;
            yield_now().await;
            match n {
                3 => panic!("the third"),
                _ => pending::<Result<(), ()>>().await,
            }
        }
    };
    let all = Box::pin(map(0..9, body).limit(5).collect());
    assert_eq!(panic_of(all).await, "the third");
    assert_eq!(alive.others(), 0);
    assert_eq!(
        panic_of(map(0..9, body).limit(5).for_each()).await,
        "the third"
    );
    assert_eq!(alive.others(), 0);
}

/// A source that panics ends all of it, in every form, and nobody is left.
#[tokio::test]
async fn a_panic_of_the_source_ends_it_all() {
    let alive = Alive::default();
    let source = || (0..9).inspect(|n| assert!(*n != 4, "the source"));
    let body = || {
        let alive = alive.clone();
        move |_: u32| {
            let mine = alive.clone();
            async move {
                let _mine = mine;
                pending::<Result<(), ()>>().await
            }
        }
    };
    let said = panic_of(map(source(), body()).limit(6).collect_settled()).await;
    assert_eq!((said.as_str(), alive.others()), ("the source", 0));
    let said = panic_of(map(source(), body()).limit(6).collect_partial()).await;
    assert_eq!((said.as_str(), alive.others()), ("the source", 0));
    let said = panic_of(map(source(), body()).limit(6).spawned().collect_settled()).await;
    assert_eq!((said.as_str(), alive.others()), ("the source", 0));

    let mut stream = map(source(), body()).limit(6).spawned().stream();
    for _ in 0..4 {
        assert!(stream.next().await.unwrap().is_cancelled());
    }
    assert_eq!(panic_of(stream.next()).await, "the source");
    assert_eq!(alive.others(), 0);
    assert!(stream.next().await.is_none(), "it has ended");
}

/// Destructors of losers that panic are heard, and keep no other loser alive.
#[tokio::test]
async fn losers_may_explode() {
    let alive = Alive::default();
    let body = |n: u32| {
        let (bomb, mine) = ((n == 1 || n == 3).then(|| DropBomb), alive.clone());
        async move {
            let _both = (bomb, mine);
            match n {
                4 => Err("the fourth"),
                _ => pending::<Result<(), _>>().await,
            }
        }
    };
    assert_eq!(
        panic_of(map(0..9, body).limit(5).collect()).await,
        "the destructor panicked"
    );
    assert_eq!(alive.others(), 0);
    let ends = |n: u32| {
        let bomb = (n == 1).then(|| DropBomb);
        async move {
            let _bomb = bomb;
            match n {
                0 => {
                    yield_now().await;
                    Ok(None)
                }
                _ => pending::<Result<Option<()>, ()>>().await,
            }
        }
    };
    assert_eq!(
        panic_of(map_while(0..3, ends).limit(3).collect_settled()).await,
        "the destructor panicked"
    );
}

/// A value that explodes when it is thrown away is a panic of whoever throws it away.
#[tokio::test]
async fn values_may_explode() {
    let alive = Alive::default();
    let body = |n: u32| {
        let mine = alive.clone();
        async move {
            let _mine = mine;
            match n {
                1 => Ok::<_, ()>(DropBomb),
                _ => pending().await,
            }
        }
    };
    assert_eq!(
        panic_of(map(0..3, body).limit(3).for_each()).await,
        "the destructor panicked"
    );
    assert_eq!(alive.others(), 0);
    let body = |n: u32| ready(if n == 1 { Err(()) } else { Ok(DropBomb) });
    assert_eq!(
        panic_of(map(0..3, body).collect()).await,
        "the destructor panicked"
    );
    assert_eq!(
        panic_of(map(0..3, body).spawned().for_each()).await,
        "the destructor panicked"
    );
}

/// Items that panic at once are items like others: after 256 of them, the other tasks have their turn.
#[tokio::test]
async fn panics_do_not_keep_the_task_from_yielding() {
    let started = Cell::new(0);
    let body = |_: u32| {
        started.set(started.get() + 1);
        async {
            if true {
                panic!("each of them")
            }
            Ok::<(), ()>(())
        }
    };
    let mut all = pin!(map(0..1000, body).limit(4).collect_settled());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(all.as_mut().poll(&mut cx).is_pending());
    assert_eq!(started.get(), 256);
    loop {
        if let Poll::Ready(outcomes) = all.as_mut().poll(&mut cx) {
            assert_eq!(outcomes.len(), 1000);
            assert!(outcomes.iter().all(Outcome::is_panicked));
            break;
        }
    }
}

/// After one has panicked, those that woke in the same turn are polled once each, before anybody is polled again.
#[tokio::test]
async fn a_panic_polls_nobody_twice() {
    let polls = RefCell::new(Vec::new());
    let body = async |n: u32| {
        let mut turn = 0;
        std::future::poll_fn(|cx| {
            polls.borrow_mut().push(n);
            turn += 1;
            assert!(n != 2 || turn < 3, "on purpose");
            cx.waker().wake_by_ref();
            match turn < 6 {
                true => Poll::<()>::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
        Ok::<_, ()>(())
    };
    let outcomes = map(0..5, body).limit(5).collect_settled().await;
    assert!(outcomes[2].is_panicked());
    let polls = polls.into_inner();
    let (before, after) = polls.split_at(15);
    for (mut round, all) in before
        .chunks(5)
        .map(|round| (round.to_vec(), [0, 1, 2, 3, 4].as_slice()))
        .chain(
            after
                .chunks(4)
                .map(|round| (round.to_vec(), [0, 1, 3, 4].as_slice())),
        )
    {
        round.sort_unstable();
        assert_eq!(round, all, "{polls:?}");
    }
}
