//! What is run: futures that do as little as a future can.

use std::cell::Cell;
use std::convert::Infallible;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, Runtime};

/// Is pending so many times, and woken at once, then gives its number.
pub(crate) struct Job {
    pending: u32,
    number: u64,
}

impl Job {
    pub(crate) fn new(pending: u32, number: u64) -> Self {
        Self { pending, number }
    }
}

impl Future for Job {
    type Output = Result<u64, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.pending == 0 {
            // Hidden from the optimiser, which would add the numbers up without any future.
            return Poll::Ready(Ok(black_box(self.number)));
        }
        self.pending -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// How often a [`Job`] is pending, by the word for it.
pub(crate) fn pending(how: &str) -> u32 {
    u32::from(how == "yielding")
}

/// Waits for something that never comes, with its waker kept, as whatever waits keeps it.
pub(crate) struct Never {
    waker: Option<Waker>,
}

thread_local! {
    static HELD: Cell<u64> = const { Cell::new(0) };
    static WAITING: Cell<u64> = const { Cell::new(0) };
}

impl Never {
    pub(crate) fn new() -> Self {
        HELD.set(HELD.get() + 1);
        Self { waker: None }
    }

    /// How many there are, on this thread.
    pub(crate) fn held() -> u64 {
        HELD.get()
    }

    /// How many of them were polled.
    pub(crate) fn waiting() -> u64 {
        WAITING.get()
    }
}

impl Future for Never {
    type Output = Result<u64, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.waker.is_none() {
            WAITING.set(WAITING.get() + 1);
        }
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Never {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
        if self.waker.is_some() {
            WAITING.set(WAITING.get() - 1);
        }
    }
}

/// A runtime of one thread.
pub(crate) fn one_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be had")
}

/// A runtime of all cores.
pub(crate) fn all_cores() -> Runtime {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime can be had")
}

/// Runs it as a task, to its end.
pub(crate) fn run_task<F>(runtime: &Runtime, future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime
        .block_on(runtime.spawn(future))
        .expect("the task does not panic");
}
