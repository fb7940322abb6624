//! `settled pages`: a paginated API as one stream of JSON lines.

mod out;
mod words;

use std::future::{Future, poll_fn};
use std::io::{self, IsTerminal};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use settled::{Backoff, RateLimit};
use settled_jobs::fetch::FetchConfig;
use settled_jobs::pages::{CursorParam, Page, Pages, PagesConfig, PagesError, Way};
use signal_hook::consts::SIGPIPE;
use tokio::task::LocalSet;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use crate::exit::{Ended, Stop};
use crate::fetch;
use crate::flags::pages::PagesArgs;
use crate::show::escape::escape;
use crate::show::progress::Display;
use crate::show::say;
use crate::signals::{self, Signals};
use out::{Out, Reader};
use words::Written;

/// The query parameter of page numbers.
const PAGE: &str = "page";

pub(crate) fn main(args: PagesArgs) -> Result<Ended, Stop> {
    let config = config(&args)?;
    fetch::warn(&config.fetch, &args.show);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::ledger(format!("no event loop: {error}")))?;
    let ended = LocalSet::new().block_on(&runtime, async {
        // What can be wrong with the settings is found before the output is touched.
        let pages = Pages::start(config).map_err(Stop::usage)?;
        let output = Out::open(&args)?;
        let signals = Signals::listen();
        let signals = signals.map_err(|error| Stop::ledger(format!("signals: {error}")))?;
        Flow::new(&args, pages, output, signals).run().await
    });
    // A write that nobody takes may still be waiting on its thread; it goes with the process.
    runtime.shutdown_background();
    ended
}

fn config(args: &PagesArgs) -> Result<PagesConfig, Stop> {
    let mut config = PagesConfig::new(&args.url);
    config.fetch = requests(args)?;
    config.items = args.items.clone().unwrap_or_default();
    config.more.clone_from(&args.more);
    config.way = way(args);
    config.max_pages = args.max_pages;
    config.prefetch = usize::from(args.prefetch);
    config.retries = args.retries;
    config.timeout = args.timeout.map_or(Some(fetch::TIMEOUT), |limit| limit.0);
    config.total_timeout = args
        .total_timeout
        .map_or(Some(fetch::TOTAL_TIMEOUT), |limit| limit.0);
    config.backoff = Backoff::exponential(args.backoff.min).max(args.backoff.max);
    config.retry_after_max = args.retry_after_max;
    config.seed = args.seed.unwrap_or(config.seed);
    let rate = args
        .rate
        .map(|rate| RateLimit::new(rate.count, rate.per)?.burst(args.burst));
    config.rate = rate
        .transpose()
        .map_err(|why| Stop::usage(format!("--rate: {why}")))?;
    Ok(config)
}

fn requests(args: &PagesArgs) -> Result<FetchConfig, Stop> {
    let mut config = FetchConfig::default();
    fetch::request(&mut config, &args.request)?;
    if let Some(statuses) = &args.retry_on {
        config.retry_status = fetch::statuses("--retry-on", statuses)?;
    }
    if let Some(statuses) = &args.ok_status {
        config.ok_status = fetch::statuses("--ok-status", statuses)?;
    }
    config.retry_unsafe = args.retry_unsafe;
    config.max_body = args.max_body.unwrap_or(config.max_body);
    config.connect.timeout = args.connect_timeout.unwrap_or(config.connect.timeout);
    config.connect.idle = usize::from(args.prefetch) + 1;
    Ok(config)
}

fn way(args: &PagesArgs) -> Way {
    if let Some(at) = args.cursor.clone() {
        let param = args
            .cursor_param
            .clone()
            .map_or(CursorParam::Guess, CursorParam::Token);
        return Way::Cursor { at, param };
    }
    match (&args.page_param, args.first_page) {
        (None, None) => Way::Auto,
        (param, first) => Way::Numbers {
            param: param.clone().unwrap_or_else(|| PAGE.to_owned()),
            first,
        },
    }
}

/// How long the page that is being written may take after a signal: whoever reads may be slow, or gone to sleep.
const GRACE: Duration = Duration::from_secs(2);

/// From the stream of pages to the output, until one of them ends, or a signal ends both.
struct Flow<'a> {
    args: &'a PagesArgs,
    pages: Pages,
    out: Out,
    reader: Reader,
    signals: Signals,
    display: Display,
    tick: Interval,
    started: Instant,
    written: Written,
    /// The page that is being written.
    page: Option<Page>,
    /// Where it would go on behind what is written.
    next: Option<String>,
}

/// What comes first.
enum Event {
    Signal(i32),
    ReaderGone,
    Written(io::Result<()>),
    Page(Option<Result<Page, PagesError>>),
    Tick,
}

impl<'a> Flow<'a> {
    fn new(args: &'a PagesArgs, pages: Pages, output: (Out, Reader), signals: Signals) -> Self {
        let (out, reader) = output;
        let to_file = args
            .output
            .as_ref()
            .is_some_and(|path| path.as_os_str() != "-");
        let display = Display::new(&args.show, !to_file && io::stdout().is_terminal());
        let mut tick = interval(display.every());
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self {
            args,
            pages,
            out,
            reader,
            signals,
            display,
            tick,
            started: Instant::now(),
            written: Written::default(),
            page: None,
            next: None,
        }
    }

    async fn run(mut self) -> Result<Ended, Stop> {
        loop {
            match self.event().await {
                Event::Tick => self.show(),
                Event::Written(Ok(())) => {
                    if let Some(last) = self.count() {
                        return self.complete(&last).await;
                    }
                }
                Event::Page(Some(Ok(mut page))) => {
                    self.out.write(std::mem::take(&mut page.lines));
                    self.page = Some(page);
                }
                Event::Page(Some(Err(error))) => return self.failed(&error).await,
                // The last page says that it is the last one.
                Event::Page(None) => return Ok(Ended::Fulfilled),
                Event::ReaderGone => return self.unread().await,
                Event::Written(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return self.unread().await;
                }
                Event::Written(Err(error)) => return self.unwritable(&error).await,
                Event::Signal(number) => return self.interrupted(number).await,
            }
        }
    }

    /// A page is taken only when the one before it is written: whoever reads slowly slows the requests down.
    async fn event(&mut self) -> Event {
        let Self {
            pages,
            out,
            reader,
            signals,
            tick,
            page,
            ..
        } = self;
        let busy = page.is_some();
        let mut signal = pin!(signals.next());
        let mut gone = pin!(reader.gone());
        let mut written = pin!(async { Event::Written(out.written().await) });
        let mut next = pin!(async { Event::Page(pages.next().await) });
        poll_fn(|cx| {
            if let Poll::Ready(number) = signal.as_mut().poll(cx) {
                return Poll::Ready(Event::Signal(number));
            }
            if gone.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::ReaderGone);
            }
            let moved = match busy {
                true => written.as_mut().poll(cx),
                false => next.as_mut().poll(cx),
            };
            if moved.is_ready() {
                return moved;
            }
            tick.poll_tick(cx).map(|_| Event::Tick)
        })
        .await
    }

    /// Counts the page that was written; gives it back if it is the last one.
    fn count(&mut self) -> Option<Page> {
        let page = self.page.take()?;
        self.written.pages += 1;
        self.written.items += page.items;
        self.next.clone_from(&page.next);
        page.end.is_some().then_some(page)
    }

    fn show(&mut self) {
        let (written, done) = (self.written, self.pages.progress());
        self.display.show_as(
            written.items,
            |per_second| words::progress(written, done, per_second),
            |per_second| words::progress_json(written, done, per_second),
        );
    }

    /// Stops what is under way, and says how far it came.
    async fn stop(self) -> Out {
        let (written, done) = (self.written, self.pages.progress());
        self.pages.close().await;
        let mut display = self.display;
        display.end_as(written.items, |per_second| {
            words::progress_json(written, done, per_second)
        });
        if !self.args.show.quiet {
            let summary = words::summary(written, done, self.started.elapsed());
            say!("settled: {summary}");
        }
        self.out
    }

    async fn complete(self, last: &Page) -> Result<Ended, Stop> {
        let args = self.args;
        drop(self.stop().await);
        let note = last
            .end
            .as_ref()
            .and_then(|end| words::end(end, last.next.as_deref(), args));
        if let Some(note) = note.filter(|_| !args.show.quiet) {
            say!("settled: {}", escape(&note));
        }
        Ok(Ended::Fulfilled)
    }

    async fn failed(self, error: &PagesError) -> Result<Ended, Stop> {
        let text = words::error(error, self.written, self.args);
        self.stop().await.give_up();
        Err(Stop::unfulfilled(text))
    }

    async fn unwritable(self, error: &io::Error) -> Result<Ended, Stop> {
        let name = self.out.name.clone();
        let after = self.written.pages;
        self.stop().await.give_up();
        Err(Stop::ledger(format!(
            "{name}: items can't be written: {error}; {after} pages are whole"
        )))
    }

    /// Nobody reads any more: the end of a pipeline, and nothing to talk about.
    async fn unread(self) -> Result<Ended, Stop> {
        let mut display = self.display;
        self.pages.close().await;
        display.clear();
        Ok(Ended::Signal(SIGPIPE))
    }

    async fn interrupted(mut self, number: i32) -> Result<Ended, Stop> {
        let args = self.args;
        self.display.clear();
        self.pages.abort();
        let torn = self.page.is_some() && !self.finish_page().await;
        let text = words::interrupted(signals::name(number), self.written, torn);
        let text = text + &words::go_on(self.next.as_deref(), args);
        self.stop().await.give_up();
        say!("settled: {}", escape(&text));
        Ok(Ended::Signal(number))
    }

    /// Waits a moment for the page that is being written. A second signal does not wait.
    async fn finish_page(&mut self) -> bool {
        let whole = {
            let mut again = pin!(self.signals.next());
            let mut written = pin!(timeout(GRACE, self.out.written()));
            poll_fn(|cx| {
                if let Poll::Ready(number) = again.as_mut().poll(cx) {
                    signals::leave(number);
                }
                written.as_mut().poll(cx)
            })
            .await
        };
        let whole = matches!(whole, Ok(Ok(())));
        if whole {
            self.count();
        }
        whole
    }
}
