//! From a request to its answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::allowance::Allowance;
use super::fates::Fate;
use super::tally::{Tally, Thing};
use super::{Builder, ITEMS, PAGES};
use crate::answer::Answer;
use crate::connection::Service;
use crate::log::Answered;
use crate::request::Request;
use crate::watched::Watched;

/// What a cursor begins with: nobody should mistake it for a page number.
const CURSOR: &str = "after-";

#[derive(Debug)]
pub(super) struct Api {
    settings: Builder,
    limit: Option<Mutex<Allowance>>,
    tally: Arc<Watched<Tally>>,
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Ticket {
    place: Place,
    verdict: Verdict,
}

/// What a target means.
#[derive(Clone, Copy, Debug)]
enum Place {
    Root,
    Item(u64),
    Page { number: u64, cursor: bool },
    Nowhere,
}

#[derive(Clone, Copy, Debug)]
enum Verdict {
    /// Turned away, for so long.
    Wait(Duration),
    Met(Fate),
}

impl Api {
    pub(super) fn new(
        settings: Builder,
        limit: Option<Allowance>,
        tally: Arc<Watched<Tally>>,
    ) -> Self {
        Self {
            settings,
            limit: limit.map(Mutex::new),
            tally,
        }
    }

    fn place(&self, request: &Request) -> Place {
        let number = |text: &str| text.parse::<u64>().ok();
        let found = match request.path() {
            "/" => Some(Place::Root),
            "/pages" => self.page(request.query("page"), request.query("cursor")),
            path => path
                .strip_prefix("/item/")
                .and_then(number)
                .filter(|n| *n <= self.settings.items)
                .map(Place::Item),
        };
        found.unwrap_or(Place::Nowhere)
    }

    fn page(&self, page: Option<&str>, cursor: Option<&str>) -> Option<Place> {
        let number = match (page, cursor) {
            (_, Some("")) | (None, None) => 1,
            (_, Some(cursor)) => cursor
                .strip_prefix(CURSOR)?
                .parse::<u64>()
                .ok()?
                .checked_add(1)?,
            (Some(page), None) => page.parse().ok()?,
        };
        (1..=self.last_page())
            .contains(&number)
            .then_some(Place::Page {
                number,
                cursor: cursor.is_some(),
            })
    }

    /// There is a first page, even of nothing.
    fn last_page(&self) -> u64 {
        self.settings.items.div_ceil(self.settings.page_size).max(1)
    }

    fn admit(&self, now: Instant) -> Result<(), Duration> {
        self.limit.as_ref().map_or(Ok(()), |limit| {
            limit
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .admit(now)
        })
    }

    fn fate(&self, place: Place, attempt: u32) -> Fate {
        let Builder { seed, fates, .. } = self.settings;
        match place {
            Place::Item(n) => fates.of(seed, ITEMS, n, attempt),
            Place::Page { number, .. } => match fates.of(seed, PAGES, number, attempt) {
                // A page that is gone would take all that come after it along.
                Fate::Gone => Fate::Plain,
                fate => fate,
            },
            Place::Root | Place::Nowhere => Fate::Plain,
        }
    }

    fn good(&self, place: Place) -> Answer {
        match place {
            Place::Item(n) => Answer::json(item(n)),
            Place::Page { number, cursor } => self.good_page(number, cursor),
            Place::Root => Answer::ok("/item/N, /pages?page=N, /pages?cursor=\n"),
            Place::Nowhere => Answer::json("{\"error\":\"no such thing\"}").with_status(404),
        }
    }

    fn good_page(&self, number: u64, cursor: bool) -> Answer {
        let Builder {
            items, page_size, ..
        } = self.settings;
        let first = (number - 1) * page_size + 1;
        let data: Vec<_> = (first..=items.min(first + page_size - 1))
            .map(item)
            .collect();
        if number == self.last_page() {
            return Answer::page(&data, None);
        }
        if !cursor {
            return Answer::page(&data, Some(&format!("/pages?page={}", number + 1)));
        }
        let next = format!("{CURSOR}{number}");
        let link = format!("</pages?cursor={next}>; rel=\"next\"");
        Answer::json(crate::json::page(&data, Some(&next))).header("link", link)
    }
}

fn item(n: u64) -> String {
    format!("{{\"id\":{n},\"name\":\"item {n}\"}}")
}

impl Place {
    /// What the tally keeps a record of.
    fn thing(self) -> Option<Thing> {
        match self {
            Self::Item(n) => Some(Thing::Item(n)),
            Self::Page { number, .. } => Some(Thing::Page(number)),
            Self::Root | Self::Nowhere => None,
        }
    }
}

impl Service for Api {
    type Ticket = Ticket;

    fn opened(&self) {
        self.tally.update(|tally| {
            let connections = tally.connections();
            connections.opened += 1;
            connections.open += 1;
        });
    }

    fn closed(&self) {
        self.tally.update(|tally| tally.connections().open -= 1);
    }

    fn broken(&self, _connection: u64, _why: &str) {
        self.tally.update(Tally::broken);
    }

    fn begin(&self, request: Request) -> Ticket {
        let place = self.place(&request);
        let admitted = self.admit(request.at);
        let verdict = self.tally.update(|tally| {
            let attempt = tally.arrive(place.thing(), request.at, admitted.is_ok());
            match admitted {
                Err(wait) => Verdict::Wait(wait),
                Ok(()) => {
                    let fate = self.fate(place, attempt);
                    if place.thing().is_some() {
                        tally.deal(fate);
                    }
                    Verdict::Met(fate)
                }
            }
        });
        Ticket { place, verdict }
    }

    fn answer(&self, ticket: &Ticket) -> Answer {
        match ticket.verdict {
            Verdict::Met(fate) => fate.befall(|| self.good(ticket.place)),
            Verdict::Wait(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Answer::json("{\"error\":\"rate limit\"}")
                    .with_status(429)
                    .retry_after(seconds)
            }
        }
    }

    fn end(&self, ticket: &Ticket, answered: Answered) {
        self.tally
            .update(|tally| tally.leave(ticket.place.thing(), answered));
    }
}
