//! The shortest way to a stream of pages.

use std::future::Future;
use std::time::Duration;

use settled::Backoff;
use settled_jobs::pages::{Cause, End, Pages, PagesConfig, PagesError};
use settled_testserver::{Answer, Request, Server};

/// Runs a test on one thread, as the command line does.
pub(crate) fn local<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

/// The defaults, but no proxies, and no long waits.
pub(crate) fn config(start: impl Into<String>) -> PagesConfig {
    let mut config = PagesConfig::new(start);
    config.fetch.connect.proxies = false;
    config.backoff = Backoff::exponential(Duration::from_millis(1)).max(Duration::from_millis(4));
    config
}

pub(crate) fn serve(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
    Server::start_blocking(handler).expect("a server")
}

/// What came of a stream.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Got {
    pub(crate) items: Vec<String>,
    pub(crate) pages: u64,
    pub(crate) end: Option<End>,
    pub(crate) error: Option<PagesError>,
}

impl Got {
    /// The end of a stream that had no error.
    #[track_caller]
    pub(crate) fn end(&self) -> &End {
        assert_eq!(self.error, None);
        self.end.as_ref().expect("an end")
    }

    #[track_caller]
    pub(crate) fn cause(&self) -> &Cause {
        &self.error.as_ref().expect("an error").cause
    }
}

/// Takes all pages.
pub(crate) fn all(config: PagesConfig) -> Got {
    local(async {
        let mut pages = Pages::start(config).expect("good settings");
        let mut got = Got::default();
        while let Some(next) = pages.next().await {
            assert_eq!((&got.end, &got.error), (&None, &None), "that was the end");
            match next {
                Ok(page) => {
                    got.pages += 1;
                    assert_eq!(page.number, got.pages);
                    assert_eq!(page.items().count() as u64, page.items);
                    got.items.extend(page.items().map(str::to_owned));
                    got.end = page.end;
                }
                Err(error) => got.error = Some(error),
            }
        }
        assert_eq!(pages.next().await, None, "the end stays the end");
        pages.close().await;
        got
    })
}

/// `[first, last]` as items of JSON.
pub(crate) fn numbers(range: std::ops::RangeInclusive<u64>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}
