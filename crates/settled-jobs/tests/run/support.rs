//! Running one job, and looking at the processes that it leaves.

use std::fs;
use std::time::{Duration, Instant};

use settled::AbortSignal;
use settled_jobs::run::{CommandSpec, Program, Run, RunConfig, RunCore, Spawner, Template};
use settled_jobs::{
    Attempt, Core, Ended, Failure, Job, JobResult, KillAfter, Line, RunResult, Tried, Work,
};

pub(crate) const BOTH: [Spawner; 2] = [Spawner::Auto, Spawner::Portable];

/// Far more than anything here takes; what isn't there by then won't come.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) fn config(args: &[&str]) -> RunConfig {
    RunConfig::new(Program::Template(
        Template::parse(args.iter().copied()).expect("a template"),
    ))
}

pub(crate) fn shell(text: &str) -> RunConfig {
    RunConfig::new(Program::Shell(text.into()))
}

pub(crate) fn with(config: &RunConfig, spawner: Spawner) -> Run {
    Run::new(RunConfig {
        spawner,
        ..config.clone()
    })
    .expect("a run")
}

pub(crate) fn line(bytes: &[u8]) -> Line<'_> {
    Line {
        seq: 7,
        bytes,
        json: bytes.trim_ascii_start().starts_with(b"{"),
    }
}

pub(crate) fn job(run: &Run, bytes: &[u8]) -> Job<CommandSpec> {
    run.decode(line(bytes)).expect("a good line")
}

/// An attempt without limits.
pub(crate) fn free(abort: &AbortSignal) -> Attempt<'_> {
    static KILL_AFTER: KillAfter = KillAfter::new(Duration::from_secs(2));
    Attempt {
        number: 1,
        timeout: None,
        deadline: None,
        abort,
        kill_after: &KILL_AFTER,
    }
}

pub(crate) fn in_runtime<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// One attempt of the job that `bytes` says, on a core of its own.
pub(crate) fn attempt(run: &Run, bytes: &[u8]) -> Tried {
    in_runtime(async {
        let core: RunCore = run.core().expect("a core");
        core.attempt(&job(run, bytes), &free(&AbortSignal::never()))
            .await
    })
}

pub(crate) fn result(tried: Tried) -> RunResult {
    match tried.result {
        Some(JobResult::Run(result)) => *result,
        other => panic!("no result of a command: {other:?}, {:?}", tried.error),
    }
}

/// What a command that succeeded wrote.
pub(crate) fn output(tried: Tried) -> String {
    assert_eq!(tried.error, None, "{:?}", tried.result);
    let result = result(tried);
    assert_eq!(result.ended, Ended::Exit(0));
    String::from_utf8(result.stdout.expect("kept").bytes).expect("UTF-8")
}

pub(crate) fn failure(tried: &Tried) -> &Failure {
    tried.error.as_ref().expect("a failure")
}

/// Looks again and again until it is so.
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < LONG, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// State and process group of a process; `None`: there is none. A zombie counts as gone.
pub(crate) fn alive(pid: i32) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(") ").next()?.split(' ');
    let state = fields.next()?.chars().next()?;
    let group = fields.nth(1)?.parse().ok()?;
    (!"ZX".contains(state)).then_some((state, group))
}

/// Everybody alive of a process group.
pub(crate) fn group_of(group: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").expect("/proc");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|&pid| alive(pid).is_some_and(|(_, its)| its == group))
        .collect()
}
