//! Pull, start, poll: what all closed forms of a map in one task are made of.

use std::future::{IntoFuture, poll_fn};
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::items::Source;
use super::pool::Pool;
use crate::outcome::Panic;
use crate::slots::Payload;

/// After so many items in one poll the other tasks have their turn.
const TURN: usize = 256;

/// How an item ended: what its future gave, or the panic of that or of `f`.
pub(super) type Ended<S> = Result<S, Panic>;

/// What an item's end means for the others.
pub(super) enum Next<B> {
    /// Nothing.
    On,
    /// No more items are pulled, and those after this one are dropped.
    End,
    /// It is all over, and this is the answer.
    Stop(B),
}

/// What is going on: items that were pulled, futures that run.
pub(super) struct Drive<Src, F, Fut: IntoFuture> {
    f: F,
    pool: Pool<Fut::IntoFuture>,
    pulled: usize,
    /// No more items are pulled.
    closed: bool,
    /// The source has ended.
    exhausted: bool,
    /// `f` is making the future of the item pulled last.
    making: bool,
    /// How many items may still be pulled in this poll.
    turn: usize,
    /// What runs has used up what the task may do in one go, so nothing was pulled: the next poll begins with that.
    owed: bool,
    source: Src,
}

/// What it came to.
pub(super) struct Driven<B> {
    /// How many items were pulled.
    pub(super) pulled: usize,
    /// The source has ended, and is not to be asked again.
    pub(super) exhausted: bool,
    pub(super) answer: Option<B>,
}

impl<Src, F, Fut: IntoFuture> Drive<Src, F, Fut> {
    pub(super) fn new(source: Src, f: F, limit: usize) -> Self {
        Self {
            f,
            pool: Pool::new(limit),
            pulled: 0,
            closed: false,
            exhausted: false,
            making: false,
            turn: 0,
            owed: false,
            source,
        }
    }
}

impl<Src, F, Fut> Drive<Pin<&mut Src>, F, Fut>
where
    Src: Source,
    F: FnMut(Src::Item) -> Fut,
    Fut: IntoFuture,
{
    /// Runs to the end, or until `ended` says stop; by then nothing runs any more.
    ///
    /// # Panics
    /// With the panics that `ended` is told of and goes on with; with one of the source; with one of a loser's destructor.
    pub(super) async fn run<B>(
        mut self,
        mut ended: impl FnMut(usize, Ended<Fut::Output>) -> Next<B>,
    ) -> Driven<B> {
        let answer = poll_fn(|cx| self.poll_caught(cx, &mut ended)).await;
        if let Some(payload) = self.pool.clear() {
            panic::resume_unwind(payload);
        }
        Driven {
            pulled: self.pulled,
            exhausted: self.exhausted,
            answer,
        }
    }

    /// As `poll`. A panic of an item is its end; after any other, nothing is left to run when it goes on.
    fn poll_caught<B>(
        &mut self,
        cx: &mut Context<'_>,
        ended: &mut impl FnMut(usize, Ended<Fut::Output>) -> Next<B>,
    ) -> Poll<Option<B>> {
        self.turn = TURN;
        self.pool.begin(cx);
        loop {
            // `AssertUnwindSafe`: who panicked is dropped below, and so is everybody if the panic goes on.
            let polled = panic::catch_unwind(AssertUnwindSafe(|| self.poll(cx, ended)));
            let payload = match polled {
                Ok(polled) => return polled,
                Err(payload) => payload,
            };
            let making = std::mem::take(&mut self.making).then(|| self.pulled - 1);
            let number = match self.pool.drop_panicked().or(making) {
                Some(number) => number,
                None => self.go_on_with(payload),
            };
            let next = panic::catch_unwind(AssertUnwindSafe(|| {
                let next = ended(number, Err(Panic::new(payload)));
                self.decide(number, next)
            }));
            match next {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(answer)) => return Poll::Ready(Some(answer)),
                Err(payload) => self.go_on_with(payload),
            }
        }
    }

    fn go_on_with(&mut self, payload: Payload) -> ! {
        drop(self.pool.clear());
        panic::resume_unwind(payload)
    }

    fn poll<B>(
        &mut self,
        cx: &mut Context<'_>,
        ended: &mut impl FnMut(usize, Ended<Fut::Output>) -> Next<B>,
    ) -> Poll<Option<B>> {
        let was_owed = self.owed;
        if was_owed && let ControlFlow::Break(answer) = self.start_more(cx, ended) {
            return Poll::Ready(Some(answer));
        }
        loop {
            while let Some((number, output)) = self.pool.next_ended(cx) {
                let next = ended(number, Ok(output));
                if let ControlFlow::Break(answer) = self.decide(number, next) {
                    return Poll::Ready(Some(answer));
                }
            }
            if let ControlFlow::Break(answer) = self.start_more(cx, ended) {
                return Poll::Ready(Some(answer));
            }
            if self.owed || !self.pool.goes_on() {
                break;
            }
        }
        // Taking turns: who is new does not starve who runs, either.
        self.owed &= !was_owed;
        match self.closed && self.pool.is_empty() {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }

    /// Pulls and starts what there is room for.
    #[inline]
    fn start_more<B>(
        &mut self,
        cx: &mut Context<'_>,
        ended: &mut impl FnMut(usize, Ended<Fut::Output>) -> Next<B>,
    ) -> ControlFlow<B> {
        self.owed = false;
        while !self.closed && self.pool.has_room() {
            if self.turn == 0 || self.pool.is_spent() {
                self.owed = self.turn > 0;
                cx.waker().wake_by_ref();
                break;
            }
            self.turn -= 1;
            let item = match self.source.as_mut().poll_next(cx) {
                Poll::Ready(Some(item)) => item,
                Poll::Ready(None) => {
                    (self.closed, self.exhausted) = (true, true);
                    break;
                }
                Poll::Pending => break,
            };
            let number = self.pulled;
            self.pulled += 1;
            self.making = true;
            let future = (self.f)(item).into_future();
            self.making = false;
            if let Some(output) = self.pool.start(number, future, cx) {
                let next = ended(number, Ok(output));
                self.decide(number, next)?;
            }
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn decide<B>(&mut self, number: usize, next: Next<B>) -> ControlFlow<B> {
        match next {
            Next::On => ControlFlow::Continue(()),
            Next::Stop(answer) => ControlFlow::Break(answer),
            Next::End => {
                self.closed = true;
                match self.pool.drop_after(Some(number)) {
                    Some(payload) => panic::resume_unwind(payload),
                    None => ControlFlow::Continue(()),
                }
            }
        }
    }
}
