use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use settled::{Failed, Outcome, OutcomeKind, Panic, Reason, ReasonKind, settle};

use crate::steps::{Alive, DropBomb, poll_once, sweep};

fn one_of_each() -> [Outcome<u8, &'static str>; 6] {
    [
        Outcome::Fulfilled(7),
        Outcome::Rejected("no"),
        Outcome::TimedOut,
        Outcome::Cancelled("enough".into()),
        Outcome::Panicked(Panic::new(Box::new("oh"))),
        Outcome::Abandoned,
    ]
}

#[test]
fn kinds_and_names_agree() {
    let names = [
        "fulfilled",
        "rejected",
        "timed_out",
        "cancelled",
        "panicked",
        "abandoned",
    ];
    for ((outcome, kind), name) in one_of_each().into_iter().zip(OutcomeKind::ALL).zip(names) {
        assert_eq!(outcome.kind(), kind);
        assert_eq!(OutcomeKind::ALL[kind as usize], kind);
        assert_eq!(kind.name(), name);
        assert_eq!(kind.to_string(), name);
        assert_eq!(name.parse(), Ok(kind));
        let is = [
            outcome.is_fulfilled(),
            outcome.is_rejected(),
            outcome.is_timed_out(),
            outcome.is_cancelled(),
            outcome.is_panicked(),
            outcome.is_abandoned(),
        ];
        assert_eq!(is.iter().filter(|is| **is).count(), 1);
        assert!(is[kind as usize]);
    }
    let error = "Fulfilled".parse::<OutcomeKind>().unwrap_err();
    assert_eq!(error.to_string(), "\"Fulfilled\" is no kind of outcome");
}

#[test]
fn changing_one_side_leaves_the_kind() {
    for (outcome, kind) in one_of_each().into_iter().zip(OutcomeKind::ALL) {
        assert_eq!(outcome.as_ref().kind(), kind);
        let outcome = outcome.map(u32::from).map_err(str::len);
        assert_eq!(outcome.kind(), kind);
        let again = match outcome.into_result() {
            Ok(value) => Outcome::Fulfilled(value),
            Err(failed) => failed.into(),
        };
        assert_eq!(again.kind(), kind);
    }
}

#[test]
fn a_failure_says_what_it_was() {
    let said =
        |outcome: Outcome<(), std::fmt::Error>| outcome.into_result().unwrap_err().to_string();
    assert_eq!(
        said(Outcome::Rejected(std::fmt::Error)),
        std::fmt::Error.to_string()
    );
    assert_eq!(said(Outcome::TimedOut), "timed out");
    assert_eq!(
        said(Outcome::Cancelled(ReasonKind::Closed.into())),
        "cancelled (closed)"
    );
    assert_eq!(
        said(Outcome::Panicked(Panic::new(Box::new("oh")))),
        "panicked: oh"
    );
    assert!(said(Outcome::Abandoned).contains("may still be running"));
    fn is_an_error<E: std::error::Error>() {}
    is_an_error::<Failed<std::fmt::Error>>();
    is_an_error::<Reason>();
}

#[tokio::test]
async fn values_and_errors_settle() {
    assert!(matches!(
        settle(async { Ok::<_, ()>(7) }).await,
        Outcome::Fulfilled(7)
    ));
    assert!(matches!(
        Outcome::of(async { Err::<(), _>("no") }).await,
        Outcome::Rejected("no")
    ));
}

#[tokio::test]
async fn a_panic_is_an_outcome_whatever_its_payload() {
    let text = settle(async {
        if true {
            panic!("literal")
        } else {
            Ok::<(), ()>(())
        }
    })
    .await;
    assert!(matches!(&text, Outcome::Panicked(panic) if panic.message() == "literal"));
    let number = 7;
    let text = settle(async {
        if true {
            panic!("number {number}")
        } else {
            Ok::<(), ()>(())
        }
    })
    .await;
    assert!(matches!(&text, Outcome::Panicked(panic) if panic.message() == "number 7"));
    let other = settle(async {
        if true {
            std::panic::panic_any(7_u8)
        } else {
            Ok::<(), ()>(())
        }
    })
    .await;
    let Outcome::Panicked(panic) = other else {
        panic!("{other:?}")
    };
    assert_eq!(panic.message(), "a panic whose payload is no text");
    assert_eq!(
        *panic
            .clone()
            .take_payload()
            .unwrap()
            .downcast::<u8>()
            .unwrap(),
        7
    );
    assert!(panic.take_payload().is_none(), "it is there once");
}

#[test]
fn a_panic_can_be_resumed_also_when_its_payload_is_gone() {
    let panic = Panic::new(Box::new("literal"));
    let again = panic.clone();
    let payload = std::panic::catch_unwind(AssertUnwindSafe(|| panic.resume())).unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "literal");
    let payload = std::panic::catch_unwind(AssertUnwindSafe(|| again.resume())).unwrap_err();
    assert_eq!(*payload.downcast::<String>().unwrap(), "literal");
}

/// The destructor of the future is part of the work: it runs before there is an outcome, and its panic is the outcome.
#[tokio::test]
async fn a_panic_of_the_destructor_is_an_outcome() {
    // An `async` block drops its variables before it returns; this future does so only when it is dropped itself.
    struct Late(DropBomb);
    impl Future for Late {
        type Output = Result<u8, ()>;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Self::Output> {
            let _still_there = &self.0;
            std::task::Poll::Ready(Ok(7))
        }
    }
    let outcome = settle(Late(DropBomb)).await;
    assert!(
        matches!(&outcome, Outcome::Panicked(panic) if panic.message() == "the destructor panicked")
    );
}

#[tokio::test]
async fn the_future_is_gone_when_the_outcome_is_there() {
    let alive = Alive::default();
    let inside = alive.clone();
    let mut settling = Box::pin(settle(async move {
        let _inside = &inside;
        Ok::<_, ()>(7)
    }));
    assert!(poll_once(settling.as_mut()).await.is_ready());
    assert_eq!(alive.others(), 0);
}

#[tokio::test]
async fn futures_that_stay_on_their_thread_settle_too() {
    let cell = Rc::new(Cell::new(0));
    let inside = Rc::clone(&cell);
    let outcome = settle(async move {
        inside.set(7);
        Ok::<_, ()>(())
    });
    assert!(outcome.await.is_fulfilled());
    assert_eq!(cell.get(), 7);
}

#[tokio::test]
async fn dropped_at_any_step_it_drops_the_future() {
    let polls = sweep(
        Alive::default,
        async |alive: &Alive| {
            let _inside = alive.clone();
            settle(async {
                let _inside = alive.clone();
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                Ok::<_, ()>(())
            })
            .await
            .is_fulfilled()
        },
        async |_, _| tokio::task::yield_now().await,
        async |alive, polls| assert_eq!(alive.others(), 0, "after {polls} polls"),
    )
    .await;
    assert_eq!(polls, 4);
}

#[test]
fn nothing_if_it_was_aborted_and_every_other_failure_as_it_is() {
    type Is = Outcome<u8, &'static str>;
    assert!(matches!(Is::Fulfilled(7).or_none_if_aborted(), Ok(Some(7))));
    for kind in [
        ReasonKind::Aborted,
        ReasonKind::Timeout,
        ReasonKind::Dropped,
    ] {
        let cancelled = Is::Cancelled(Reason::new(kind)).or_none_if_aborted();
        assert!(matches!(cancelled, Ok(None)));
    }
    assert!(matches!(
        Is::Rejected("no").or_none_if_aborted(),
        Err(Failed::Rejected("no"))
    ));
    assert!(matches!(
        Is::TimedOut.or_none_if_aborted(),
        Err(Failed::TimedOut)
    ));
    assert!(matches!(
        Is::Abandoned.or_none_if_aborted(),
        Err(Failed::Abandoned)
    ));
}
