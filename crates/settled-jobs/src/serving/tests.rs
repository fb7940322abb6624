use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use settled::Backoff;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use super::*;
use crate::feed::Item;
use crate::job::{Id, Input, Job, Key, Line};
use crate::options::Options;
use crate::record::{Ended, Failure, JobResult, RunResult};
use crate::shared::Shared;
use crate::sink::Sink;
use crate::work::{Attempt, Tried};

/// Every job succeeds at once.
#[derive(Debug)]
struct Easy;

impl Work for Easy {
    type Spec = ();
    type Core = Self;

    fn decode(&self, line: Line<'_>) -> Result<Job<()>, Failure> {
        Ok(job(line.seq))
    }

    fn host<'a>(&self, (): &'a ()) -> Option<&'a str> {
        None
    }

    fn core(&self) -> io::Result<Self> {
        Ok(Self)
    }
}

impl crate::work::Core for Easy {
    type Spec = ();

    async fn attempt(&self, _: &Job<()>, _: &Attempt<'_>) -> Tried {
        Tried::fulfilled(JobResult::Run(Box::new(RunResult {
            ended: Ended::Exit(0),
            stdout: None,
            stderr: None,
        })))
    }
}

fn job(seq: u64) -> Job<()> {
    Job {
        seq,
        id: Id::Line,
        key: Key::of(b""),
        input: Input::of_line(b""),
        timeout: None,
        meta: None,
        spec: (),
    }
}

const SLOTS: usize = 2;

/// A core whose list has one job, and goes on.
fn core() -> Rc<Core<Easy>> {
    let options = Options {
        jobs: SLOTS,
        threads: 1,
        retries: 0,
        timeout: None,
        total_timeout: None,
        backoff: Backoff::exponential(Duration::ZERO),
        retry_after_max: Duration::ZERO,
        retry_budget: None,
        rate: None,
        per_host: None,
        per_host_rate: None,
        halt: None,
        seed: 0,
    };
    let out = File::options().write(true).open("/dev/null");
    let sink = Sink::stream(out.expect("/dev/null"));
    let shared = Arc::new(Shared::new(Arc::new(Easy), options, Arc::new(sink), None));
    shared.feed.push(&mut vec![(1, Item::Job(job(1)))]);
    Core::new(shared, Easy, 0, SLOTS)
}

/// How the run ends whose pump or writer is this one. By the paused clock, an hour has passed when nothing else can happen.
async fn broken_by(
    core: Rc<Core<Easy>>,
    pump: impl Future<Output = ()> + 'static,
    writer: impl Future<Output = ()> + 'static,
) -> (String, Tally) {
    let work = work_served_by(&core, SLOTS, pump, writer);
    let tasks = LocalSet::new();
    let work = tasks.run_until(timeout(Duration::from_secs(3600), work));
    let tally = work.await.expect("it ends").expect("no slot panicked");
    match core.shared.control.take_broken() {
        Some(Broken::Setup(error)) => (error.to_string(), tally),
        other => panic!("{other:?}"),
    }
}

/// Panics once everybody waits: the paused clock goes on only then.
async fn panics_later() {
    sleep(Duration::from_secs(1)).await;
    panic!("out of water");
}

#[tokio::test(start_paused = true)]
async fn a_pump_that_panics_ends_the_run_though_every_slot_is_parked() {
    let core = core();
    let writer = Rc::clone(&core);
    let writer = async move { writer.commit.write_all().await };
    let (said, tally) = broken_by(core, panics_later(), writer).await;
    assert_eq!(said, "the pump panicked: out of water: a defect of settled");
    assert_eq!(tally.fulfilled(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_panics_ends_the_run_though_a_slot_waits_for_its_line() {
    let core = core();
    let pump = Rc::clone(&core);
    let pump = async move { pump.pump().await };
    let (said, tally) = broken_by(core, pump, panics_later()).await;
    assert_eq!(
        said,
        "the writer panicked: out of water: a defect of settled"
    );
    // Nobody knows whether its line was written: it is done again.
    assert_eq!(tally.settled(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_panicked_before_there_was_a_line_leaves_nobody_waiting() {
    let core = core();
    let pump = Rc::clone(&core);
    let pump = async move { pump.pump().await };
    let (said, _) = broken_by(core, pump, async { panic!("out of ink") }).await;
    assert_eq!(said, "the writer panicked: out of ink: a defect of settled");
}
