//! An attempt that is dropped before its end leaves nothing: no process, no zombie, no descriptor.

use std::fs;
use std::time::Duration;

use rustix::process::{WaitId, WaitIdOptions, waitid};
use settled::AbortSignal;
use settled_jobs::run::{RunConfig, Spawner};
use settled_jobs::{Core, Work};

use crate::isolate::isolated;
use crate::support::{eventually, free, in_runtime, job, shell, with};

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("/proc").count()
}

fn no_child_is_left() {
    let none = waitid(
        WaitId::All,
        WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT,
    );
    assert_eq!(none.err(), Some(rustix::io::Errno::CHILD));
}

/// Drops attempts after a random number of polls, or of microseconds.
fn at_random_points(spawner: Spawner) {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let texts = [
        "exit 0",
        "echo out; echo err >&2",
        "sleep 1000 & echo $!; sleep 1000",
        "trap '' TERM; head -c 300000 /dev/zero; sleep 1000",
        "exec >&- 2>&-; sleep 1000",
        "sleep 1000 & exit 0",
        "kill -STOP $$",
    ];
    let dir = tempfile::tempdir().expect("a directory");
    let runs = texts.map(|text| {
        let save_dir = Some(dir.path().into());
        with(
            &RunConfig {
                inline: 100,
                save_dir,
                ..shell(text)
            },
            spawner,
        )
    });
    in_runtime(async {
        let cores: Vec<_> = runs.iter().map(|run| run.core().expect("a core")).collect();
        let before = descriptors();
        for _ in 0..60 {
            let index = random.usize(..texts.len());
            let (job, never) = (
                job(&runs[index], br#"{"args":["x"],"stdin":"y"}"#),
                AbortSignal::never(),
            );
            let attempt = free(&never);
            let attempt = std::pin::pin!(cores[index].attempt(&job, &attempt));
            let limit = Duration::from_micros(random.u64(..30_000));
            let _ = tokio::time::timeout(limit, attempt).await;
        }
        no_child_is_left();
        // Waiting threads of the portable way may be about to end; they hold no descriptor.
        assert_eq!(descriptors(), before);
    });
    no_child_is_left();
    let left: Vec<_> = fs::read_dir(dir.path())
        .expect("a directory")
        .map(|entry| entry.expect("one").file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().ends_with(".part")),
        "{left:?}"
    );
    eventually("nobody of this session sleeps", || sleepers().is_empty());
}

/// Who still has the environment of this very process, other than this process.
fn sleepers() -> Vec<String> {
    let mark = format!("{MARK}={}", std::process::id());
    let processes = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let others = processes.filter(|pid| {
        pid.parse::<u32>()
            .is_ok_and(|pid| pid != std::process::id())
    });
    let marked = |pid: &String| {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|env| {
            env.split(|&byte| byte == 0)
                .any(|variable| variable == mark.as_bytes())
        })
    };
    others.filter(marked).collect()
}

const MARK: &str = "SETTLED_TEST_MARK";

#[test]
fn dropped_at_any_time_nothing_is_left() {
    isolated(
        "drop::dropped_at_any_time_nothing_is_left",
        &format!("export {MARK}=$$"),
        || {
            at_random_points(Spawner::Auto);
        },
    );
}

#[test]
fn dropped_at_any_time_nothing_is_left_portable() {
    isolated(
        "drop::dropped_at_any_time_nothing_is_left_portable",
        &format!("export {MARK}=$$"),
        || {
            at_random_points(Spawner::Portable);
        },
    );
}

#[test]
fn attempts_that_end_leave_nothing_either() {
    isolated("drop::attempts_that_end_leave_nothing_either", "", || {
        for spawner in crate::support::BOTH {
            let run = with(&shell("echo out; exit $1"), spawner);
            in_runtime(async {
                let core = run.core().expect("a core");
                let before = descriptors();
                for status in 0..50 {
                    let never = AbortSignal::never();
                    let tried = core
                        .attempt(&job(&run, status.to_string().as_bytes()), &free(&never))
                        .await;
                    assert_eq!(tried.error.is_none(), status == 0);
                    no_child_is_left();
                }
                assert_eq!(descriptors(), before);
            });
        }
    });
}
