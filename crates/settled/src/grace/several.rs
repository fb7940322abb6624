//! Several at once, of whom the losers hear that they have lost before they are dropped.

use std::convert::Infallible;
use std::future::{Future, IntoFuture, poll_fn};
use std::ops::ControlFlow;
use std::panic;
use std::task::Poll;

use super::Grace;
use crate::abort::{AbortController, AbortSignal, Told};
use crate::combine::{AnyError, Empty, Settlement};
use crate::crew::{Crew, Turn};
use crate::reason::{Reason, ReasonKind};
use crate::slots::Payload;
use crate::timeout::timeout;

impl Grace {
    /// As [`all`](crate::all()), of what `make` gives. When one fails, the signal that `make` was given fires, and the others have
    /// this long to end before they are dropped; only then the failure is returned. What they end with is dropped.
    ///
    /// # Errors
    /// The first failure in time.
    ///
    /// # Cancel safety
    /// Dropping it drops the children at once, without a grace.
    ///
    /// # Panics
    /// If a child panics, after the others had their grace, too; if there is a loser that is pending, and no tokio runtime with timers.
    pub async fn all<I, F, S>(
        self,
        make: impl FnOnce(AbortSignal) -> I,
    ) -> Result<Vec<S::Value>, S::Failure>
    where
        I: IntoIterator<Item = F>,
        F: IntoFuture<Output = S>,
        S: Settlement,
    {
        let mut several = Several::new(make);
        let mut values: Vec<Option<S::Value>> = Vec::new();
        values.resize_with(several.crew.len(), || None);
        let ended = |child, ended: Result<S, Payload>| match ended.map(Settlement::into_result) {
            Ok(Ok(value)) => {
                values[child] = Some(value);
                ControlFlow::Continue(())
            }
            Ok(Err(failure)) => ControlFlow::Break(Ok(failure)),
            Err(payload) => ControlFlow::Break(Err(payload)),
        };
        match several.first(ended).await {
            Some(failure) => Err(several.let_go(self, failure).await),
            None => Ok(values.into_iter().flatten().collect()),
        }
    }

    /// As [`any`](crate::any()), of what `make` gives. When one succeeds, the signal that `make` was given fires, and the others
    /// have this long to end before they are dropped; only then the value is returned.
    ///
    /// # Errors
    /// [`AnyError`], if all of them failed.
    ///
    /// # Cancel safety
    /// Dropping it drops the children at once, without a grace.
    ///
    /// # Panics
    /// As [`any`](crate::any()); if a loser panics in its grace; if there is a loser that is pending, and no tokio runtime with timers.
    pub async fn any<I, F, S>(
        self,
        make: impl FnOnce(AbortSignal) -> I,
    ) -> Result<S::Value, AnyError<S::Failure>>
    where
        I: IntoIterator<Item = F>,
        F: IntoFuture<Output = S>,
        S: Settlement,
    {
        let mut several = Several::new(make);
        let mut failures: Vec<Option<S::Failure>> = Vec::new();
        failures.resize_with(several.crew.len(), || None);
        let mut panicked = None;
        let ended = |child, ended: Result<S, Payload>| {
            match ended.map(Settlement::into_result) {
                Ok(Ok(value)) => return ControlFlow::Break(Ok(value)),
                Ok(Err(failure)) => failures[child] = Some(failure),
                Err(payload) => {
                    panicked.get_or_insert(payload);
                }
            }
            ControlFlow::Continue(())
        };
        match (several.first(ended).await, panicked) {
            (Some(value), _) => Ok(several.let_go(self, value).await),
            (None, Some(payload)) => panic::resume_unwind(payload),
            (None, None) => Err(AnyError::new(failures.into_iter().flatten().collect())),
        }
    }

    /// As [`race`](crate::race()), of what `make` gives. When one ends, the signal that `make` was given fires, and the others have
    /// this long to end before they are dropped; only then the winner's answer is returned.
    ///
    /// # Errors
    /// [`Empty`], if nobody takes part.
    ///
    /// # Cancel safety
    /// Dropping it drops the children at once, without a grace.
    ///
    /// # Panics
    /// If a child panics, after the others had their grace, too; if there is a loser that is pending, and no tokio runtime with timers.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// use settled::{AbortSignal, Grace};
    /// use tokio::time::{Instant, sleep};
    ///
    /// async fn mirror(ms: u64, lost: AbortSignal) -> u64 {
    ///     if lost.run(sleep(Duration::from_millis(ms))).await.is_err() {
    ///         sleep(Duration::from_millis(5)).await; // says goodbye
    ///     }
    ///     ms
    /// }
    /// let start = Instant::now();
    /// let grace = Grace::new(Duration::from_secs(1));
    /// let first = grace.race(|lost| [30, 10, 20].map(|ms| mirror(ms, lost.clone()))).await;
    /// assert_eq!((first, start.elapsed().as_millis()), (Ok(10), 15));
    /// # });
    /// ```
    pub async fn race<I, F>(self, make: impl FnOnce(AbortSignal) -> I) -> Result<F::Output, Empty>
    where
        I: IntoIterator<Item = F>,
        F: IntoFuture,
    {
        let mut several = Several::new(make);
        match several.first(|_, ended| ControlFlow::Break(ended)).await {
            Some(ended) => Ok(several.let_go(self, ended).await),
            None => Err(Empty),
        }
    }
}

/// Children, and how they are told that it is over.
struct Several<F> {
    lost: AbortController,
    crew: Crew<Told<F>>,
}

impl<F: Future> Several<F> {
    fn new<I>(make: impl FnOnce(AbortSignal) -> I) -> Self
    where
        I: IntoIterator<Item: IntoFuture<IntoFuture = F, Output = F::Output>>,
    {
        let lost = AbortController::new();
        let children = make(lost.signal()).into_iter();
        let told = |child: I::Item| Told::new(lost.signal(), child.into_future());
        Self {
            crew: Crew::new(children.map(told)),
            lost,
        }
    }

    /// Runs them until `ended` has an answer. `None`: all have ended, and it had none.
    async fn first<B>(
        &mut self,
        mut ended: impl FnMut(usize, Result<F::Output, Payload>) -> ControlFlow<B>,
    ) -> Option<B> {
        poll_fn(|cx| {
            loop {
                let turn = self.crew.poll(cx, |child, output| ended(child, Ok(output)));
                let answer = match turn {
                    Turn::Pending => return Poll::Pending,
                    Turn::Gone => return Poll::Ready(None),
                    Turn::Break(answer) => return Poll::Ready(Some(answer)),
                    Turn::Panicked(child, payload) => ended(child, Err(payload)),
                };
                if let ControlFlow::Break(answer) = answer {
                    return Poll::Ready(Some(answer));
                }
            }
        })
        .await
    }

    /// There is an answer: tells the others, gives them their grace, and drops who is left. A panic goes on only then.
    async fn let_go<B>(&mut self, grace: Grace, answer: Result<B, Payload>) -> B {
        let text = "another one has decided it";
        self.lost.abort(Reason::literal(ReasonKind::Aborted, text));
        let mut panicked = None;
        let ended = |_, ended: Result<F::Output, Payload>| {
            if let Err(payload) = ended {
                panicked.get_or_insert(payload);
            }
            ControlFlow::<Infallible>::Continue(())
        };
        let _ = timeout(grace.limit, self.first(ended)).await;
        let dropped = self.crew.clear();
        match (answer, panicked.or(dropped)) {
            (Ok(answer), None) => answer,
            (Err(payload), _) | (Ok(_), Some(payload)) => panic::resume_unwind(payload),
        }
    }
}
