//! The engine: sets the line up, from the source to the ledger, and brings it to its end.

use std::io;
use std::os::fd::OwnedFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use settled::Reason;
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::control::{Broken, Control};
use crate::core::Core;
use crate::counters::{Progress, Total};
use crate::feed::Item;
use crate::options::Options;
use crate::output::Opened;
use crate::reader::{Form, Reader, Reading};
use crate::replay::{Replay, Skipped};
use crate::serving::work;
use crate::shared::Shared;
use crate::source::{Input, Source};
use crate::tally::Tally;
use crate::work::Work;
use crate::writer::Writer;

/// A run under way. Dropping it aborts the run and waits for its threads.
#[derive(Debug)]
pub struct Run<W: Work> {
    shared: Arc<Shared<W>>,
    reading: Arc<Reading>,
    length: Option<u64>,
    ended: watch::Receiver<()>,
    threads: Option<Threads>,
}

#[derive(Debug)]
struct Threads {
    cores: Vec<JoinHandle<Option<Tally>>>,
    reader: JoinHandle<Skipped>,
    /// Closing it wakes a reader that waits for a pipe.
    stop_reader: OwnedFd,
    writer: Option<JoinHandle<()>>,
    syncer: JoinHandle<()>,
    stop_syncer: mpsc::Sender<()>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Finished {
    /// Everything that settled in this run.
    pub tally: Tally,
    /// What an earlier run had settled.
    pub skipped: Skipped,
    /// Blank lines of the list.
    pub blank: u64,
    /// The list was read to its end, and everything of it was given to a slot.
    pub complete: bool,
    /// Why nothing new was started any more, if the run was stopped.
    pub stopped: Option<Reason>,
    /// Why the run could not go on.
    pub broken: Option<Broken>,
}

/// Begins a run: from here on, jobs are done.
///
/// # Errors
/// If a thread can't be started.
pub fn start<W: Work>(
    work: Arc<W>,
    options: Options,
    source: Source,
    opened: Opened<W>,
) -> io::Result<Run<W>> {
    let length = source.length();
    let sink = Arc::new(opened.sink);
    let writer = sink.may_block.then(|| Writer::start(Arc::clone(&sink)));
    let (writer, writer_thread) = writer.transpose()?.unzip();
    let shared = Arc::new(Shared::new(work, options, sink, writer));
    let reading = Arc::new(Reading::default());
    let (ending, ended) = watch::channel(());
    let (syncer, stop_syncer) = start_syncer(&shared)?;
    let (reader, stop_reader) = start_reader(&shared, &reading, source, opened.replay)?;
    let mut threads = Threads {
        cores: Vec::with_capacity(shared.cores),
        reader,
        stop_reader,
        writer: writer_thread,
        syncer,
        stop_syncer,
    };
    let started = start_cores(&shared, ending, &mut threads.cores);
    // Half a run is ended by being dropped: the cores that are there may be at work already.
    let run = Run {
        shared,
        reading,
        length,
        ended,
        threads: Some(threads),
    };
    started.map(|()| run)
}

fn start_syncer<W: Work>(
    shared: &Arc<Shared<W>>,
) -> io::Result<(JoinHandle<()>, mpsc::Sender<()>)> {
    let (stop, stopped) = mpsc::channel();
    let shared = Arc::clone(shared);
    let thread = named("settled-fsync", move || {
        while stopped.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
            sync(&shared);
        }
        sync(&shared);
    })?;
    Ok((thread, stop))
}

fn start_reader<W: Work>(
    shared: &Arc<Shared<W>>,
    reading: &Arc<Reading>,
    source: Source,
    replay: Replay<Item<W::Spec>>,
) -> io::Result<(JoinHandle<Skipped>, OwnedFd)> {
    let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let form = Form {
        format: source.format,
        nul: source.nul,
        max_line: source.max_line,
    };
    let reader = Reader {
        shared: Arc::clone(shared),
        reading: Arc::clone(reading),
        replay,
        form,
    };
    let input = Input::new(source.bytes, stopped);
    let thread = named("settled-reader", move || read(reader, input))?;
    Ok((thread, stop))
}

fn start_cores<W: Work>(
    shared: &Arc<Shared<W>>,
    ending: watch::Sender<()>,
    threads: &mut Vec<JoinHandle<Option<Tally>>>,
) -> io::Result<()> {
    let (slots, cores) = (shared.options.jobs.max(1), shared.cores);
    for number in 0..cores {
        let (shared, ending) = (Arc::clone(shared), ending.clone());
        let slots = slots / cores + usize::from(number < slots % cores);
        threads.push(named("settled-core", move || {
            let tally = run_core(&shared, number, slots);
            drop(ending);
            tally
        })?);
    }
    Ok(())
}

fn named<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(body)
}

fn sync<W: Work>(shared: &Shared<W>) {
    if let Err(error) = shared.sink.sync() {
        shared.control.fail(Broken::Output(error));
    }
}

fn read<W: Work>(reader: Reader<W>, input: Input) -> Skipped {
    let (shared, reading) = (Arc::clone(&reader.shared), Arc::clone(&reader.reading));
    // Without a reader that says so, the list would never end.
    let read = panic::catch_unwind(AssertUnwindSafe(|| reader.read(input)));
    let skipped = read.unwrap_or_else(|_| Err(io::Error::other("its reader panicked: a defect")));
    if skipped.is_ok() && !shared.stopped.is_aborted() {
        reading.ended.store(true, Ordering::Release);
    }
    shared.feed.end();
    skipped.unwrap_or_else(|error| {
        shared.control.fail(Broken::Input(error));
        Skipped::default()
    })
}

/// A core's thread. `None`: it could not be set up, or something of settled itself panicked.
fn run_core<W: Work>(shared: &Arc<Shared<W>>, number: usize, slots: usize) -> Option<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(1))
        .build();
    let worked = runtime.and_then(|runtime| {
        LocalSet::new().block_on(&runtime, async {
            let worker = shared.work.core()?;
            let core = Core::new(Arc::clone(shared), worker, number, slots);
            work(&core, slots).await
        })
    });
    match worked {
        Ok(tally) => Some(tally),
        Err(error) => {
            shared.control.fail(Broken::Setup(error));
            shared.feed.close();
            None
        }
    }
}

impl<W: Work> Run<W> {
    /// The handle by which this run is told to end early.
    #[must_use]
    pub fn control(&self) -> Arc<Control> {
        Arc::clone(&self.shared.control)
    }

    /// Where the run stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        for core in &self.shared.counters {
            progress.add(core);
        }
        progress.waiting += self
            .shared
            .hosts
            .as_ref()
            .map_or(0, |hosts| hosts.parked() as u64);
        progress.skipped = self.reading.skipped.load(Ordering::Relaxed);
        progress.read = self.reading.lines.load(Ordering::Relaxed);
        progress.total = self.total(progress.read);
        progress
    }

    fn total(&self, lines: u64) -> Total {
        if self.reading.ended.load(Ordering::Acquire) {
            return Total::Exactly(self.reading.lines.load(Ordering::Relaxed));
        }
        let position = self.reading.position.load(Ordering::Relaxed);
        match self.length {
            Some(length) if position > 0 && lines > 0 => {
                let about = length as f64 / position.min(length) as f64 * lines as f64;
                Total::About(about.round() as u64)
            }
            _ => Total::Unknown,
        }
    }

    /// Completes when every slot has ended. Cancel safe.
    pub async fn ended(&mut self) {
        // The senders are the cores: the channel closes with the last of them.
        while self.ended.changed().await.is_ok() {}
    }

    /// Waits for the end and says what the run came to. Blocks: call it after [`Self::ended`], or where blocking is fine.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let mut tally = Tally::new();
        let mut skipped = Skipped::default();
        if let Some(threads) = self.threads.take() {
            (tally, skipped) = threads.join(&self.shared);
        }
        let stopped = self.shared.stopped.reason();
        Finished {
            tally,
            skipped,
            blank: self.reading.blank.load(Ordering::Relaxed),
            complete: self.reading.ended.load(Ordering::Acquire) && stopped.is_none(),
            stopped,
            broken: self.shared.control.take_broken(),
        }
    }
}

impl Threads {
    fn join<W: Work>(self, shared: &Shared<W>) -> (Tally, Skipped) {
        let mut tally = Tally::new();
        for core in self.cores {
            match core.join() {
                Ok(Some(core)) => tally.merge(core),
                Ok(None) => {}
                Err(payload) => panic::resume_unwind(payload),
            }
        }
        shared.feed.close();
        drop(self.stop_reader);
        let skipped = self
            .reader
            .join()
            .unwrap_or_else(|payload| panic::resume_unwind(payload));
        if let (Some(writer), Some(thread)) = (&shared.writer, self.writer) {
            writer.close();
            let _ = thread.join();
        }
        drop(self.stop_syncer);
        let _ = self.syncer.join();
        (tally, skipped)
    }
}

impl<W: Work> Drop for Run<W> {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            let reason = Reason::new(settled::ReasonKind::Dropped);
            self.shared.control.abort(reason, Duration::ZERO);
            let _ = threads.join(&self.shared);
        }
    }
}
