//! A core as the engine has it, and the shortest way to make a try with it.

use std::time::Duration;

use settled::AbortController;
use settled_jobs::fetch::{FetchConfig, FetchCore, FetchSpec, FetchWork};
use settled_jobs::{
    Attempt, Core, ErrorKind, Failure, FetchResult, Job, JobResult, Line, Tried, Work,
};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) work: FetchWork,
    pub(crate) core: FetchCore,
    pub(crate) abort: AbortController,
}

impl Rig {
    /// A core with the defaults, but no proxies: what the environment of the test says does not count.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut FetchConfig)) -> Self {
        let mut config = FetchConfig::default();
        config.connect.proxies = false;
        change(&mut config);
        let work = FetchWork::new(config).expect("a good configuration");
        let core = work.core().expect("a core");
        Self {
            work,
            core,
            abort: AbortController::new(),
        }
    }

    /// A try of a plain URL.
    pub(crate) async fn get(&self, url: &str) -> Tried {
        self.attempt(&self.work.job(url, 1).expect("a URL"), LONG)
            .await
    }

    /// A try of a JSON line.
    pub(crate) async fn json(&self, line: &str) -> Tried {
        self.attempt(&self.job(line).expect("a job"), LONG).await
    }

    pub(crate) async fn attempt(&self, job: &Job<FetchSpec>, timeout: Duration) -> Tried {
        let signal = self.abort.signal();
        let attempt = Attempt {
            number: 1,
            timeout: Some(timeout),
            deadline: None,
            abort: &signal,
            kill_after: &settled_jobs::KillAfter::new(Duration::ZERO),
        };
        self.core.attempt(job, &attempt).await
    }

    pub(crate) fn job(&self, line: &str) -> Result<Job<FetchSpec>, Failure> {
        self.work.decode(Line {
            seq: 7,
            bytes: line.as_bytes(),
            json: line.starts_with('{'),
        })
    }
}

/// The answer of a try that succeeded.
#[track_caller]
pub(crate) fn good(tried: &Tried) -> &FetchResult {
    assert_eq!(tried.error, None);
    answer(tried)
}

/// The answer of a try, a success or not.
#[track_caller]
pub(crate) fn answer(tried: &Tried) -> &FetchResult {
    match &tried.result {
        Some(JobResult::Fetch(result)) => result,
        other => panic!("no answer: {other:?}, {:?}", tried.error),
    }
}

/// The error of a try, which is of `kind`.
#[track_caller]
pub(crate) fn failed(tried: &Tried, kind: ErrorKind) -> &Failure {
    let failure = tried
        .error
        .as_ref()
        .unwrap_or_else(|| panic!("no failure: {:?}", tried.result));
    assert_eq!(failure.kind, kind, "{failure:?}");
    failure
}

/// The kept body as text.
#[track_caller]
pub(crate) fn text(result: &FetchResult) -> &str {
    std::str::from_utf8(&result.body.as_ref().expect("a body").bytes).expect("UTF-8")
}

/// Runs the test of this name again, alone in a process of its own, and waits for it. There, and only there, it gives what was
/// passed on.
///
/// For what is of a process as a whole: its memory, its limits.
pub(crate) fn alone(test: &str, pass_on: &str) -> Option<String> {
    const PASSED_ON: &str = "SETTLED_TEST_ALONE";
    if let Ok(passed_on) = std::env::var(PASSED_ON) {
        return Some(passed_on);
    }
    let this = std::env::current_exe().expect("this test");
    let run = std::process::Command::new(this)
        .args(["--exact", test, "--nocapture"])
        .env(PASSED_ON, pass_on)
        .output();
    let run = run.expect("it runs");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
    None
}
