//! The API that misbehaves from a seed: what `settled demo` runs against.

mod allowance;
mod api;
mod fates;
mod tally;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::connection::Rules;
use crate::host::Host;
use crate::server::ANY_PORT;
use crate::watched::Watched;

use allowance::Allowance;
use api::Api;
pub use fates::{Fate, Fates};
pub use tally::{Asked, Tally, Totals};

/// The salts that give items and pages fates of their own.
const ITEMS: u64 = 1;
const PAGES: u64 = 2;

/// The tally keeps 32 bytes an item.
const MAX_ITEMS: u64 = 100_000_000;
/// A page is made in memory.
const MAX_PAGE: u64 = 10_000;

/// An API that misbehaves: the same seed, the same trouble for the same item at the same attempt.
///
/// | target | answer, if nothing goes wrong |
/// |---|---|
/// | `/item/N`, N from 0 to the number of items | `{"id":N,"name":"item N"}` |
/// | `/pages?page=N`, N from 1 (default) | a page of the items 1, 2, ..: `{"data":[{"id":1,..},..],"next":"/pages?page=2","hasMore":true}` and `Link: </pages?page=2>; rel="next"` |
/// | `/pages?cursor=C`, C empty at first | the same; `next` is the next cursor alone, `Link` a URL |
/// | `/` | what there is, as text |
/// | anything else | 404 |
///
/// The method is not looked at. Pages meet the same fates as items, but none is gone for good. Whatever the rate limit turns
/// away (429, `Retry-After` in whole seconds) is counted, but is no attempt: it does not bring an item nearer to its recovery.
///
/// ```
/// use settled_testserver::misbehaving::Misbehaving;
///
/// # fn main() -> std::io::Result<()> {
/// let api = Misbehaving::builder(42).items(1_000).start_blocking()?;
/// println!("seed {}: {}", api.seed(), api.url("/item/1"));
/// // .. ask for all of it, then:
/// let tally = api.shutdown_blocking();
/// assert!(tally.items().all(|(_, item)| item.settled == 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Misbehaving {
    host: Host,
    tally: Arc<Watched<Tally>>,
    seed: u64,
    fates: Fates,
    items: u64,
}

impl Misbehaving {
    /// An API that misbehaves by this seed.
    pub fn builder(seed: u64) -> Builder {
        Builder {
            seed,
            addr: ANY_PORT,
            fates: Fates::default(),
            items: 1_000_000,
            page_size: 100,
            allow: None,
            patience: Rules::default().patience,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.host.addr
    }

    /// The URL of a target, which begins with `/`.
    #[must_use]
    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.addr())
    }

    /// The URL of an item.
    #[must_use]
    pub fn item_url(&self, n: u64) -> String {
        self.url(&format!("/item/{n}"))
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many items there are.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// What becomes of an attempt (from 1) at an item.
    #[must_use]
    pub fn fate(&self, n: u64, attempt: u32) -> Fate {
        self.fates.of(self.seed, ITEMS, n, attempt)
    }

    /// What it has seen and done so far: a copy.
    ///
    /// A client may have the last byte of an answer a moment before this says so: wait for it with
    /// [`wait_until`](Self::wait_until), or look at what [`shutdown`](Self::shutdown) gives.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.look(Tally::clone)
    }

    /// Looks at what it has seen and done without a copy; answers wait meanwhile.
    pub fn look<R>(&self, look: impl FnOnce(&Tally) -> R) -> R {
        self.tally.look(look)
    }

    /// Waits until the tally is as the caller wants it. The test is asked at every change.
    ///
    /// # Cancel safety
    /// Cancel safe: it only looks.
    pub async fn wait_until(&self, mut test: impl FnMut(&Tally) -> bool) {
        self.tally.wait(|tally| test(tally).then_some(())).await;
    }

    /// [`wait_until`](Self::wait_until) that blocks the thread.
    ///
    /// # Panics
    /// If it takes longer than a minute.
    #[track_caller]
    pub fn wait_until_blocking(&self, mut test: impl FnMut(&Tally) -> bool) {
        let waited = self.tally.wait_blocking(|tally| test(tally).then_some(()));
        assert!(
            waited.is_some(),
            "a minute passed without what was waited for: {:#?}",
            self.look(Tally::totals)
        );
    }

    /// Ends all connections, waits until they are gone, and gives the final tally: nothing in it is under way.
    ///
    /// # Cancel safety
    /// If it is dropped midway, the server ends as by a drop.
    pub async fn shutdown(mut self) -> Tally {
        self.host.shutdown().await;
        self.tally()
    }

    /// [`shutdown`](Self::shutdown) that blocks the thread.
    ///
    /// # Panics
    /// Inside a tokio runtime.
    pub fn shutdown_blocking(self) -> Tally {
        self.host.shutdown_blocking();
        self.tally.look(Tally::clone)
    }
}

/// Settings of a [`Misbehaving`] API.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Builder {
    seed: u64,
    addr: SocketAddr,
    fates: Fates,
    items: u64,
    page_size: u64,
    allow: Option<(f64, u32)>,
    patience: Duration,
}

impl Builder {
    /// Listens at this address. Default: a free port of 127.0.0.1.
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    /// How much goes wrong. Default: [`Fates::default`].
    pub fn fates(mut self, fates: Fates) -> Self {
        self.fates = fates;
        self
    }

    /// How many items there are; the tally takes 32 bytes for each that is asked for, and for those below it. Default: a
    /// million, at most a hundred million.
    pub fn items(mut self, items: u64) -> Self {
        self.items = items;
        self
    }

    /// How many items a page has, from 1 to 10,000. Default: 100.
    pub fn page_size(mut self, items: u64) -> Self {
        self.page_size = items;
        self
    }

    /// Turns away what is more than `per_second` requests, `burst` of them at once, with 429. Default: no limit.
    pub fn allow(mut self, per_second: f64, burst: u32) -> Self {
        self.allow = Some((per_second, burst));
        self
    }

    /// How long a client may take for its next request, for the rest of one, or to take some of an answer, before the connection
    /// is closed. Default: a minute.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts it on the caller's runtime.
    ///
    /// # Errors
    /// If the address can't be had; `InvalidInput` for shares, a rate, or sizes that are none.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub async fn start(self) -> io::Result<Misbehaving> {
        let (tally, api, rules) = self.parts()?;
        Ok(self.running(Host::start(self.addr, api, rules).await?, tally))
    }

    /// Starts it on a thread of its own.
    ///
    /// # Errors
    /// If the address or the thread can't be had; `InvalidInput` for shares, a rate, or sizes that are none.
    pub fn start_blocking(self) -> io::Result<Misbehaving> {
        let (tally, api, rules) = self.parts()?;
        Ok(self.running(Host::start_blocking(self.addr, api, rules)?, tally))
    }

    fn running(self, host: Host, tally: Arc<Watched<Tally>>) -> Misbehaving {
        Misbehaving {
            host,
            tally,
            seed: self.seed,
            fates: self.fates,
            items: self.items,
        }
    }

    fn parts(&self) -> io::Result<(Arc<Watched<Tally>>, Arc<Api>, Rules)> {
        let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
        let limit = self
            .allow
            .map(|(rate, burst)| Allowance::new(rate, burst).ok_or_else(|| invalid("not a rate")));
        if !self.fates.valid() {
            return Err(invalid("the shares of the fates are no shares of a whole"));
        }
        if !(1..=MAX_PAGE).contains(&self.page_size) || self.items > MAX_ITEMS {
            return Err(invalid("too many items, or a page of none or too many"));
        }
        let tally = Arc::new(Watched::new(Tally::new(
            tokio::time::Instant::now().into_std(),
        )));
        let api = Api::new(*self, limit.transpose()?, tally.clone());
        Ok((
            tally,
            Arc::new(api),
            Rules {
                patience: self.patience,
                ..Rules::default()
            },
        ))
    }
}
