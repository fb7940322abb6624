//! Drives a run: signals in, progress out, and how it ends.

use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use settled::{Reason, ReasonKind};
use settled_jobs::{
    Broken, Control, Finished, Opened, Options, Progress, Report, Run, Source, Total, Work, start,
};
use signal_hook::consts::{SIGPIPE, SIGTERM};

use crate::exit::{Ended, Stop};
use crate::flags::{LoadArgs, OutputArgs, ShowArgs};
use crate::output::lines_to_terminal;
use crate::show::number::{grouped, span};
use crate::show::progress::Display;
use crate::show::say;
use crate::show::summary;
use crate::signals::{self, Signals};

/// What a command hands over to be run.
#[derive(Debug)]
pub(crate) struct Job<'a, W: Work> {
    pub(crate) work: W,
    pub(crate) options: Options,
    pub(crate) source: Source,
    pub(crate) opened: Opened<W>,
    pub(crate) load: &'a LoadArgs,
    pub(crate) output: &'a OutputArgs,
    pub(crate) show: &'a ShowArgs,
}

/// How long commands have between TERM and KILL.
const KILL_AFTER: Duration = Duration::from_secs(2);

/// Runs a list to its end, or to the end that a signal makes.
pub(crate) fn drive<W: Work>(job: Job<'_, W>) -> Result<Ended, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::ledger(format!("no event loop: {error}")))?;
    let torn = job.opened.torn;
    let mut display = Display::new(job.show, lines_to_terminal(job.output));
    if torn > 0 && !job.show.quiet {
        display.say(&format!(
            "the ledger's last line was torn: its {torn} bytes were cut off, its job runs again"
        ));
    }
    let mut signals = runtime
        .block_on(async { Ending::new(job.load.grace) })
        .map_err(|error| Stop::ledger(format!("signals: {error}")))?;
    let started = Instant::now();
    let mut run = start(job.work.into(), job.options, job.source, job.opened)
        .map_err(|error| Stop::ledger(format!("the run could not be started: {error}")))?;
    runtime.block_on(watch(&mut run, &mut signals, &mut display));
    display.end(&run.progress());
    let progress = run.progress();
    let finished = run.finish();
    let report = Report::new(&finished.tally, finished.skipped);
    if !job.show.quiet {
        say!("settled: {}", summary::text(&report).trim_end());
        notes(&finished, &progress, job.output, started.elapsed());
    }
    ended(finished, signals.ended_by, job.output, job.show.quiet)
}

/// Shows progress and obeys signals until every slot has ended.
async fn watch<W: Work>(run: &mut Run<W>, signals: &mut Ending, display: &mut Display) {
    let control = run.control();
    let mut tick = tokio::time::interval(display.every());
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        let what = {
            let mut ended = pin!(run.ended());
            let mut signal = pin!(signals.sources.next());
            std::future::poll_fn(|cx| {
                use std::task::Poll::{Pending, Ready};
                if ended.as_mut().poll(cx).is_ready() {
                    return Ready(What::Ended);
                }
                if let Ready(signal) = signal.as_mut().poll(cx) {
                    return Ready(What::Signal(signal));
                }
                if tick.poll_tick(cx).is_ready() {
                    Ready(What::Tick)
                } else {
                    Pending
                }
            })
            .await
        };
        match what {
            What::Ended => return,
            What::Signal(signal) => signals.obey(signal, &control, display, &run.progress()),
            What::Tick => {
                signals.tick(&control);
                display.show(&run.progress(), signals.note().as_deref());
            }
        }
    }
}

enum What {
    Ended,
    Signal(i32),
    Tick,
}

/// The signals that end a run, and how far it is with ending.
#[derive(Debug)]
struct Ending {
    sources: Signals,
    grace: Duration,
    /// How many INT (or HUP) there were.
    count: u32,
    /// When running tries are aborted.
    abort_at: Option<Instant>,
    ended_by: Option<i32>,
}

impl Ending {
    fn new(grace: Duration) -> io::Result<Self> {
        Ok(Self {
            sources: Signals::listen()?,
            grace,
            count: 0,
            abort_at: None,
            ended_by: None,
        })
    }

    fn obey(&mut self, number: i32, control: &Control, display: &mut Display, progress: &Progress) {
        let name = signals::name(number);
        self.ended_by.get_or_insert(number);
        // TERM counts as the second INT, so that an INT after it is the third.
        self.count = if number == SIGTERM {
            self.count.max(2)
        } else {
            self.count + 1
        };
        let running = grouped(progress.in_flight);
        match (number, self.count) {
            (SIGTERM, _) | (_, 2) => {
                self.abort(control, name);
                display.say(&format!("{name}: ending {running} running jobs; they are recorded and run again on resume"));
            }
            (_, 1) => {
                // Before it is said: what is said holds already, and a terminal may be slow.
                self.abort_at = Some(Instant::now() + self.grace);
                control.stop(reason(name));
                let grace = span(self.grace);
                display.say(&format!(
                    "{name}: nothing new starts; {running} running jobs have {grace} to finish (again: end them now)"
                ));
            }
            _ => {
                display.say(&format!(
                    "{name}: leaving at once; what was running runs again on resume"
                ));
                signals::leave(number);
            }
        }
    }

    /// The grace may be over.
    fn tick(&mut self, control: &Control) {
        if self.abort_at.is_some_and(|at| Instant::now() >= at) {
            self.abort(control, "grace is over");
        }
    }

    /// Commands have two seconds between TERM and KILL, or what is left of the grace.
    fn abort(&mut self, control: &Control, name: &str) {
        let left = self
            .abort_at
            .take()
            .map(|at| at.saturating_duration_since(Instant::now()));
        let kill_after = left
            .filter(|left| !left.is_zero())
            .map_or(KILL_AFTER, |left| left.min(KILL_AFTER));
        control.abort(reason(name), kill_after);
    }

    fn note(&self) -> Option<String> {
        self.ended_by?;
        Some(match self.abort_at {
            Some(at) => format!(
                "stopping, {} s left",
                at.saturating_duration_since(Instant::now()).as_secs() + 1
            ),
            None => "ending".to_owned(),
        })
    }
}

fn reason(name: &str) -> Reason {
    Reason::new(ReasonKind::Interrupted).message(name)
}

/// What else a person should know at the end.
fn notes(finished: &Finished, progress: &Progress, output: &OutputArgs, took: Duration) {
    if finished.blank > 0 {
        say!("  {} blank lines were passed over", grouped(finished.blank));
    }
    if finished.skipped.edited {
        say!(
            "  the list is not the one of the earlier run: settled jobs were matched by their content"
        );
    }
    if finished.skipped.changed > 0 {
        say!(
            "  {} jobs ask for something else than when their id was settled; --redo changed does them again",
            grouped(finished.skipped.changed)
        );
    }
    let unfinished = finished.stopped.is_some() || finished.broken.is_some();
    if let (true, Some(path)) = (unfinished, &output.output) {
        let rest = match progress.total {
            Total::Exactly(total) | Total::About(total) => {
                let rest = total.saturating_sub(progress.settled() + progress.skipped);
                format!("about {} jobs are left", grouped(rest))
            }
            Total::Unknown => "some jobs are left".to_owned(),
        };
        say!(
            "  stopped after {}; {rest}: the same command goes on with {}",
            span(took),
            path.display()
        );
    }
}

fn ended(
    finished: Finished,
    signal: Option<i32>,
    output: &OutputArgs,
    quiet: bool,
) -> Result<Ended, Stop> {
    let to = output.output.as_ref().map_or_else(
        || "standard output".into(),
        |path| format!("-o {}", path.display()),
    );
    match finished.broken {
        Some(Broken::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(Ended::Signal(SIGPIPE));
        }
        Some(Broken::Output(error)) => {
            return Err(Stop::ledger(format!(
                "{to}: outcomes can't be written: {error}; what is in it is whole"
            )));
        }
        Some(Broken::Input(error)) => {
            return Err(Stop::usage(format!(
                "the list can't be read any more: {error}"
            )));
        }
        Some(Broken::Setup(error)) => return Err(Stop::usage(error)),
        None => {}
    }
    if let Some(signal) = signal.filter(|_| finished.stopped.is_some()) {
        return Ok(Ended::Signal(signal));
    }
    if let Some(reason) = &finished.stopped {
        if !quiet {
            say!("settled: {reason}");
        }
        return Ok(Ended::Halted);
    }
    let unfulfilled = finished.tally.settled() + finished.skipped.total()
        - finished.tally.fulfilled()
        - finished.skipped.fulfilled();
    if unfulfilled == 0 {
        return Ok(Ended::Fulfilled);
    }
    if output.output.is_some() {
        say!(
            "settled: {} jobs of the list are not fulfilled; --redo rejected,timed_out does them again",
            grouped(unfulfilled)
        );
    }
    Ok(Ended::Unfulfilled)
}
