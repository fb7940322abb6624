//! Begins pages as far as there is demand for them, and hands them on in order.
//!
//! It runs as a task of its own, so that requests go on, and their time limits hold, while the consumer does something else.
//! Dropping it drops every page that is under way, which ends the requests.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, watch};
use url::Url;

use super::address::shown;
use super::arrived::Arrived;
use super::error::{Cause, PagesError};
use super::fetcher::Fetcher;
use super::route::Route;
use super::stream::{End, Page};

pub(super) struct Driver {
    pub(super) fetcher: Rc<Fetcher>,
    pub(super) route: Route,
    pub(super) max_pages: Option<u64>,
    /// How many pages may be begun in all, by now. It grows as the consumer asks.
    pub(super) demand: watch::Receiver<u64>,
    /// Bounded by the demand.
    pub(super) pages: mpsc::UnboundedSender<Result<Page, PagesError>>,
    pub(super) begun: u64,
    /// Pages that were begun and not handed on, in order.
    pub(super) flights: VecDeque<Flight>,
}

/// A page that is under way, or has arrived before one that comes first.
pub(super) struct Flight {
    number: u64,
    url: Url,
    state: State,
}

enum State {
    Flying(Pin<Box<dyn Future<Output = Result<Arrived, PagesError>>>>),
    Landed(Result<Arrived, PagesError>),
}

enum Turn {
    /// The first page has landed.
    Landed,
    Demand,
    /// Nobody is there any more.
    Gone,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("begun", &self.begun)
            .field("flights", &self.flights.len())
            .finish_non_exhaustive()
    }
}

impl Driver {
    pub(super) async fn run(mut self) {
        loop {
            self.begin();
            match self.turn().await {
                Turn::Demand => {}
                Turn::Gone => return,
                Turn::Landed => {
                    if !self.first_landed() {
                        return;
                    }
                }
            }
        }
    }

    fn begin(&mut self) {
        let allowed = (*self.demand.borrow_and_update()).min(self.max_pages.unwrap_or(u64::MAX));
        while self.begun < allowed {
            let Some(url) = self.route.take() else {
                return;
            };
            self.begun += 1;
            let (fetcher, number, at) = (Rc::clone(&self.fetcher), self.begun, url.clone());
            let flying = Box::pin(async move { fetcher.fetch(number, &at).await });
            self.flights.push_back(Flight {
                number,
                url,
                state: State::Flying(flying),
            });
        }
    }

    /// Keeps all pages going until the first one has landed, or more is asked for.
    async fn turn(&mut self) -> Turn {
        let flights = &mut self.flights;
        let mut demand = pin!(self.demand.changed());
        poll_fn(|cx| {
            flights.iter_mut().for_each(|flight| flight.poll(cx));
            let first = flights.front();
            if first.is_some_and(|first| matches!(first.state, State::Landed(_))) {
                return Poll::Ready(Turn::Landed);
            }
            demand.as_mut().poll(cx).map(|changed| match changed {
                Ok(()) => Turn::Demand,
                Err(_) => Turn::Gone,
            })
        })
        .await
    }

    /// The first page's turn is over. `false`: that was the last one.
    fn first_landed(&mut self) -> bool {
        let Some(first) = self.flights.pop_front() else {
            return true;
        };
        match first.state {
            State::Landed(Ok(arrived)) => self.hand_on(first.number, &first.url, arrived),
            State::Landed(Err(error)) => self.fail(error),
            State::Flying(_) => {
                self.flights.push_front(first);
                true
            }
        }
    }

    /// Hands a page on, and then perhaps the reason why there is no next one. `false`: that was the last one.
    fn hand_on(&mut self, number: u64, url: &Url, arrived: Arrived) -> bool {
        let (end, error) = match self.route.arrived(number, &arrived) {
            Ok(None) if self.max_pages == Some(number) => (Some(End::MaxPages), None),
            Ok(end) => (end, None),
            Err(cause) => (None, Some(cause)),
        };
        let error = error.map(|cause| PagesError {
            page: number,
            url: shown(url),
            cause,
        });
        // The items of a page that repeats the one before it were handed on with that one.
        if let Some(repeats) = &error
            && repeats.cause == Cause::Repeats
        {
            return self.fail(repeats.clone());
        }
        let complete = end.as_ref().is_some_and(End::is_complete) || error.is_some();
        let page = Page {
            number,
            url: shown(url),
            items: arrived.items,
            lines: arrived.lines,
            next: self.next_url().filter(|_| !complete),
            end,
        };
        let ended = page.end.is_some();
        // An error here: nobody is there any more.
        let taken = self.pages.send(Ok(page)).is_ok();
        match error {
            Some(error) => self.fail(error),
            None => taken && !ended,
        }
    }

    fn next_url(&self) -> Option<String> {
        let begun = self.flights.front().map(|flight| &flight.url);
        begun.or(self.route.peek()).map(shown)
    }

    fn fail(&self, error: PagesError) -> bool {
        // Nobody may be there to hear it.
        drop(self.pages.send(Err(error)));
        false
    }
}

impl Flight {
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let State::Flying(flying) = &mut self.state
            && let Poll::Ready(landed) = flying.as_mut().poll(cx)
        {
            self.state = State::Landed(landed);
        }
    }
}
