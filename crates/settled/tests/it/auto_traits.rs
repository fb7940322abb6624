//! The contract of each public type with threads: whether it may be sent, shared, and moved after it was polled.

use std::marker::PhantomData;
use std::rc::Rc;

use settled::*;

struct Probe<T>(PhantomData<T>);

/// What holds of a type for which the inherent constants below do not exist.
trait Not {
    const SEND: bool = false;
    const SYNC: bool = false;
    const UNPIN: bool = false;
}

impl<T> Not for Probe<T> {}

impl<T: Send> Probe<T> {
    const SEND: bool = true;
}

impl<T: Sync> Probe<T> {
    const SYNC: bool = true;
}

impl<T: Unpin> Probe<T> {
    const UNPIN: bool = true;
}

macro_rules! contract {
    ($($type:ty: $send:expr, $sync:expr, $unpin:expr;)*) => {
        $(assert_eq!(
            (Probe::<$type>::SEND, Probe::<$type>::SYNC, Probe::<$type>::UNPIN),
            ($send, $sync, $unpin),
            "Send, Sync, Unpin of {}", stringify!($type),
        );)*
    };
}

type Ready = std::future::Ready<Result<(), ()>>;
/// A future that must stay on its thread.
type Local = std::future::Ready<Result<Rc<()>, ()>>;
/// A future that must not be moved once it was polled.
type Pinned = std::marker::PhantomPinned;

#[test]
fn send_sync_unpin() {
    const NO: bool = false;
    const YES: bool = true;
    contract! {
        // type: Send, Sync, Unpin
        AbortController: YES, YES, YES;
        AbortSignal: YES, YES, YES;
        Aborted: YES, YES, NO;
        Run<Ready>: YES, YES, NO;
        Run<Local>: NO, NO, NO;
        RunStream<Ready>: YES, YES, YES;
        RunStream<Local>: NO, NO, YES;
        RunStream<Pinned>: YES, YES, NO;
        Grace: YES, YES, YES;
        Reason: YES, YES, YES;
        ReasonKind: YES, YES, YES;
        Outcome<(), ()>: YES, YES, YES;
        Outcome<Rc<()>, ()>: NO, NO, YES;
        OutcomeKind: YES, YES, YES;
        UnknownOutcomeKind: YES, YES, YES;
        Failed<()>: YES, YES, YES;
        Panic: YES, YES, YES;
        Settle<Ready>: YES, YES, YES;
        Settle<Local>: NO, NO, YES;
        Settle<Pinned>: YES, YES, NO;
        Timeout<Ready>: YES, YES, NO;
        Timeout<Local>: NO, NO, NO;
        TimeoutStream<Ready>: YES, YES, YES;
        TimeoutStream<Local>: NO, NO, YES;
        TimeoutStream<Pinned>: YES, YES, NO;
        TimeoutError: YES, YES, YES;
        Context: YES, YES, YES;
        InContext<Ready>: YES, YES, YES;
        InContext<Local>: NO, NO, YES;
        InContext<Pinned>: YES, YES, NO;
        Backoff: YES, YES, YES;
        Delays: YES, YES, YES;
        Jitter: YES, YES, YES;
        InvalidBackoff: YES, YES, YES;
        RetryBudget: YES, YES, YES;
        BudgetExhausted: YES, YES, YES;
        InvalidRetryBudget: YES, YES, YES;
        Gcra: YES, YES, YES;
        InvalidRate: YES, YES, YES;
        NotYet: YES, YES, YES;
        RateLimit: YES, YES, YES;
        Semaphore: YES, YES, YES;
        Acquire<'static>: YES, YES, YES;
        AcquireOwned: YES, YES, YES;
        Permit<'static>: YES, YES, YES;
        OwnedPermit: YES, YES, YES;
        AcquireError: YES, YES, YES;
        TryAcquireError: YES, YES, YES;
        Scope: YES, YES, YES;
        Spawner: YES, YES, YES;
        Handle<(), ()>: YES, YES, YES;
        Handle<Rc<()>, ()>: NO, NO, YES;
    }
}

/// The unnamed futures of async functions: they can be sent to another thread.
#[test]
fn async_functions_can_be_sent() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    drop(send(RateLimit::acquire(
        &RateLimit::new(1, std::time::Duration::from_secs(1)).unwrap(),
    )));
    drop(send(Semaphore::new(1).with(async {})));
    drop(send(Scope::new().join()));
    let (controller, second) = (AbortController::new(), std::time::Duration::from_secs(1));
    let ready = || std::future::ready(Ok::<(), ()>(()));
    drop(send(controller.signal().run(ready()).settle()));
    drop(send(controller.signal().run(ready()).or_none_if_aborted()));
    drop(send(timeout(second, ready()).settle()));
    drop(send(
        Grace::new(second).run(&controller.signal(), |_stop| ready()),
    ));
    drop(send(drained()));
}

/// The type of a value that has no name.
fn of<T>(_: &T) -> Probe<T> {
    Probe(PhantomData)
}

/// What holds of it if the methods below do not exist.
trait NotOf {
    fn is_send(&self) -> bool {
        false
    }
    fn is_sync(&self) -> bool {
        false
    }
    fn is_unpin(&self) -> bool {
        false
    }
}

impl<T> NotOf for Probe<T> {}

impl<T: Send> Probe<T> {
    #[expect(clippy::unused_self, reason = "it stands in for the trait's")]
    fn is_send(&self) -> bool {
        true
    }
}

impl<T: Sync> Probe<T> {
    #[expect(clippy::unused_self, reason = "it stands in for the trait's")]
    fn is_sync(&self) -> bool {
        true
    }
}

impl<T: Unpin> Probe<T> {
    #[expect(clippy::unused_self, reason = "it stands in for the trait's")]
    fn is_unpin(&self) -> bool {
        true
    }
}

/// A combinator may be sent to another thread if its children may, in each of its forms, few or many.
#[test]
fn combinators_are_as_their_children() {
    let good = || std::future::ready(Ok::<(), ()>(()));
    let local = || std::future::ready(Ok::<Rc<()>, ()>(Rc::new(())));
    // Gives nothing that must stay, and must stay itself.
    struct Holds(PhantomData<Rc<()>>);
    impl Future for Holds {
        type Output = Result<(), ()>;

        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Self::Output> {
            unreachable!("it is only looked at")
        }
    }
    let holds = || Holds(PhantomData);
    macro_rules! sendable {
        ($($verb:ident)+) => {
            $({
                let (iter, tuple) = ($verb([good()]), $verb((good(), good())));
                assert!(of(&iter).is_send() && of(&tuple).is_send(), stringify!($verb));
                let (iter, tuple) = ($verb([local()]), $verb((local(), local())));
                assert!(!of(&iter).is_send() && !of(&tuple).is_send(), stringify!($verb));
                assert!(!of(&iter).is_sync() && !of(&tuple).is_sync(), stringify!($verb));
                let (iter, tuple) = ($verb([holds()]), $verb((holds(), good())));
                assert!(!of(&iter).is_send() && !of(&tuple).is_send(), stringify!($verb));
            })+
        };
    }
    sendable!(all all_settled any race series);
    // `any` keeps what a panic has carried, which may only be sent.
    assert!(of(&all([good()])).is_sync() && of(&all((good(),))).is_sync());
    assert!(!of(&any([good()])).is_sync() && !of(&any((good(),))).is_sync());
    macro_rules! keyed {
        ($($verb:ident)+) => {
            $({
                assert!(of(&$verb([(1, good())])).is_send(), stringify!($verb));
                assert!(!of(&$verb([(1, local())])).is_send(), stringify!($verb));
                assert!(!of(&$verb([(Rc::new(()), good())])).is_send(), "the key counts, too");
            })+
        };
    }
    keyed!(all_keyed all_settled_keyed any_keyed race_keyed);
    // Children of an iterator are in a box; those of a tuple are where it is.
    struct Stays(std::marker::PhantomPinned);
    impl Future for Stays {
        type Output = Result<(), ()>;

        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Self::Output> {
            unreachable!("it is only looked at")
        }
    }
    let stays = || Stays(std::marker::PhantomPinned);
    assert!(of(&all([stays()])).is_unpin());
    assert!(!of(&all((stays(), good()))).is_unpin());
}
