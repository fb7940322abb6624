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
