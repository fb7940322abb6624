//! The stream itself: [`Pages`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use settled::Scope;
use tokio::sync::{mpsc, watch};
use url::Url;

use super::address::Home;
use super::arrived::Asks;
use super::config::{InvalidPages, PagesConfig, Way};
use super::driver::Driver;
use super::error::{Cause, PagesError};
use super::fetcher::{Counters, Fetcher};
use super::route::Route;
use crate::fetch::{FetchConfig, FetchWork};
use crate::work::Work as _;

/// The pages of an API, one after the other.
///
/// Requests are made by a task of its own in the current `LocalSet`, so that they go on while the consumer is busy, as far as
/// [`prefetch`](PagesConfig::prefetch) allows: never more than `1 + prefetch` pages were begun that the consumer did not take.
/// Dropping it ends every request that is under way; [`close`](Self::close) also waits until they are gone.
///
/// ```no_run
/// use settled_jobs::pages::{Pages, PagesConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// tokio::task::LocalSet::new().block_on(&runtime, async {
///     let mut config = PagesConfig::new("https://api.example/items");
///     config.items = "/data".parse()?;
///     let mut pages = Pages::start(config)?;
///     while let Some(page) = pages.next().await {
///         page?.items().for_each(|item| println!("{item}"));
///     }
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a stream that is dropped is stopped"]
pub struct Pages {
    scope: Scope,
    landed: mpsc::UnboundedReceiver<Result<Page, PagesError>>,
    demand: watch::Sender<u64>,
    /// A page was asked for and not yet taken.
    asked: bool,
    /// The last page, or the error, was handed out.
    over: bool,
    taken: u64,
    counters: Arc<Counters>,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which page it is, from 1.
    pub number: u64,
    /// Its URL as it may be shown: a user name and password are starred out.
    pub url: String,
    /// How many items it has.
    pub items: u64,
    /// The items as compact JSON, a line each, in their order; numbers and the order of members are as the server sent them.
    pub lines: Vec<u8>,
    /// The next page's URL as it may be shown, if there is one.
    pub next: Option<String>,
    /// Why it is the last page. `None`: another one follows, or an error.
    pub end: Option<End>,
}

impl Page {
    /// The items: the JSON text of each.
    pub fn items(&self) -> impl Iterator<Item = &str> {
        // They come from valid UTF-8, and compact JSON has no line end inside of it.
        std::str::from_utf8(&self.lines).unwrap_or_default().lines()
    }
}

/// Why a page is the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It says that there is no more.
    NoMore,
    /// It has no items (only with page numbers).
    Empty,
    /// It has no next.
    NoNext,
    /// It is the first one, and nothing says how to find another: [`Way::Auto`] without a `Link` header and without
    /// [`more`](PagesConfig::more).
    OnlyPage,
    /// It is the first one, and has nothing where the cursor should be: a list of one page, or a slip in the pointer. The text says
    /// what there is.
    CursorAbsent(String),
    /// It is the last one that [`max_pages`](PagesConfig::max_pages) allows; there are more.
    MaxPages,
}

impl End {
    /// It was the last page that there is.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !matches!(self, Self::MaxPages)
    }
}

/// What a stream did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PagesProgress {
    /// Pages that the consumer took.
    pub pages: u64,
    /// Requests that were made, tries included.
    pub requests: u64,
    /// Those that were made because one before it had failed, or are waited for.
    pub retries: u64,
}

impl Pages {
    /// Starts the stream: with a `prefetch` its first pages are asked for now.
    ///
    /// # Errors
    /// If the settings can't be used: the URL, the base URL, certificates, a page number that is none.
    ///
    /// # Panics
    /// Outside of a `LocalSet`, and outside of a tokio runtime with I/O and time.
    pub fn start(mut config: PagesConfig) -> Result<Self, InvalidPages> {
        if config.max_pages == Some(0) {
            return Err(InvalidPages::new("there is nothing to do for 0 pages"));
        }
        let rules = config.rules();
        let start = absolute(&config)?;
        let fetch = for_pages(config.fetch);
        let secrets = fetch.headers.values().any(http::HeaderValue::is_sensitive)
            || !start.username().is_empty()
            || start.password().is_some();
        let work = FetchWork::new(fetch).map_err(InvalidPages::new)?;
        work.job(start.as_str(), 1)
            .map_err(|failure| InvalidPages::new(failure.message))?;
        let core = work.core().map_err(InvalidPages::new)?;
        let counters = Arc::new(Counters::default());
        let cursor = match &config.way {
            Way::Cursor { at, .. } => Some(at.clone()),
            _ => None,
        };
        let route = Route::new(Home { start, secrets }, config.way)?;
        let fetcher = Rc::new(Fetcher {
            work,
            core,
            rules,
            timeout: config.timeout,
            rate: config.rate.take(),
            rng: RefCell::new(fastrand::Rng::with_seed(config.seed)),
            asks: Asks {
                items: config.items,
                more: config.more,
                cursor,
            },
            counters: Arc::clone(&counters),
        });
        let (demand, demanded) = watch::channel(config.prefetch as u64);
        let (pages, landed) = mpsc::unbounded_channel();
        let driver = Driver {
            fetcher,
            route,
            max_pages: config.max_pages,
            demand: demanded,
            pages,
            begun: 0,
            flights: VecDeque::new(),
        };
        let scope = Scope::new();
        // What it has to say comes through the channel.
        drop(scope.spawn_local(async move {
            driver.run().await;
            Ok::<_, ()>(())
        }));
        Ok(Self {
            scope,
            landed,
            demand,
            asked: false,
            over: false,
            taken: 0,
            counters,
        })
    }

    /// The next page; `None` after the last one. An error comes once, and then `None`.
    ///
    /// # Errors
    /// If a page can't be had for good, or leads nowhere: [`PagesError`]. The pages before it were handed out before.
    ///
    /// # Cancel safety
    /// Cancel safe: no page is lost. The demand for one page stays.
    pub async fn next(&mut self) -> Option<Result<Page, PagesError>> {
        if self.over {
            return None;
        }
        if !std::mem::replace(&mut self.asked, true) {
            self.demand
                .send_modify(|allowed| *allowed = allowed.saturating_add(1));
        }
        let next = self.landed.recv().await;
        self.asked = false;
        let next = next.unwrap_or_else(|| {
            Err(PagesError {
                page: self.taken,
                url: String::new(),
                cause: Cause::Stopped,
            })
        });
        self.taken += u64::from(next.is_ok());
        self.over = next.as_ref().map_or(true, |page| page.end.is_some());
        Some(next)
    }

    /// What was done so far.
    #[must_use]
    pub fn progress(&self) -> PagesProgress {
        PagesProgress {
            pages: self.taken,
            requests: self.counters.requests.load(Relaxed),
            retries: self.counters.retries.load(Relaxed),
        }
    }

    /// Ends every request, and asks for no further page. What has arrived can still be taken, and then an error of
    /// [`Cause::Stopped`].
    pub fn abort(&self) {
        self.scope.abort("the stream was stopped");
    }

    /// Ends every request and waits until they are gone.
    ///
    /// # Cancel safety
    /// Dropping the future is as dropping the stream.
    pub async fn close(self) {
        self.abort();
        self.scope.join().await;
    }
}

/// What is kept of an answer is what a page is made of: all of its body, and the headers for their links.
fn for_pages(mut fetch: FetchConfig) -> FetchConfig {
    fetch.keep.headers = true;
    fetch.keep.body = true;
    fetch.keep.inline = usize::try_from(fetch.max_body).unwrap_or(usize::MAX);
    fetch.keep.save_dir = None;
    fetch
        .headers
        .entry(http::header::ACCEPT)
        .or_insert(http::HeaderValue::from_static(
            "application/json, */*;q=0.5",
        ));
    fetch
}

fn absolute(config: &PagesConfig) -> Result<Url, InvalidPages> {
    let base = config.fetch.base_url.as_deref().map(Url::parse).transpose();
    let base = base.map_err(|error| InvalidPages(format!("base URL: {error}")))?;
    let start = Url::options().base_url(base.as_ref()).parse(&config.start);
    start.map_err(|error| InvalidPages(format!("the first page's URL: {error}")))
}
