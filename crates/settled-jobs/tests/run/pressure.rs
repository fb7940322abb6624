//! Limits of the system are back-pressure: jobs wait for room instead of failing.

use std::time::Duration;

use settled::{AbortController, AbortSignal};
use settled_jobs::run::{Run, Spawner};
use settled_jobs::{Attempt, Core, ErrorKind, Tried, Work};

use crate::isolate::isolated;
use crate::support::{config, failure, free, in_runtime, job, output, shell, with};

/// Sixteen at once, on one core.
fn many(run: &Run) -> Vec<Tried> {
    in_runtime(async {
        let (core, never) = (run.core().expect("a core"), AbortSignal::never());
        let jobs: Vec<_> = (0..16)
            .map(|number: u32| job(run, number.to_string().as_bytes()))
            .collect();
        let attempt = free(&never);
        let mut attempts: Vec<_> = jobs
            .iter()
            .map(|job| Box::pin(core.attempt(job, &attempt)))
            .collect();
        let mut tried = Vec::new();
        std::future::poll_fn(|cx| {
            attempts.retain_mut(|attempt| match attempt.as_mut().poll(cx) {
                std::task::Poll::Ready(done) => {
                    tried.push(done);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if attempts.is_empty() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        tried
    })
}

fn all_succeed(spawner: Spawner) {
    let run = with(&shell("sleep 0.05; echo $1"), spawner);
    let mut outputs: Vec<u32> = many(&run)
        .into_iter()
        .map(|tried| output(tried).trim().parse().expect("a number"))
        .collect();
    outputs.sort_unstable();
    assert_eq!(outputs, (0..16).collect::<Vec<_>>());
}

#[test]
fn few_descriptors_slow_down_and_fail_nothing() {
    isolated(
        "pressure::few_descriptors_slow_down_and_fail_nothing",
        "ulimit -n 24",
        || {
            crate::support::BOTH.into_iter().for_each(all_succeed);
        },
    );
}

/// The limit counts all processes of a user and doesn't hold for root: so only root can try it, as a user that nobody is.
#[test]
fn few_processes_slow_down_and_fail_nothing() {
    if !rustix::process::geteuid().is_root() && std::env::var_os("SETTLED_TEST_INSIDE").is_none() {
        return println!("not tried: only root can become a user without other processes");
    }
    let as_nobody = "dir=$(mktemp -d) && chmod 755 $dir && cp \"$1\" $dir/test && shift && set -- $dir/test \"$@\" && cd / \
                     && set -- setpriv --reuid 54321 --regid 54321 --clear-groups sh -c 'ulimit -u 6; exec \"$@\"' sh \"$@\"";
    isolated(
        "pressure::few_processes_slow_down_and_fail_nothing",
        as_nobody,
        || {
            crate::support::BOTH.into_iter().for_each(all_succeed);
        },
    );
}

/// With no room for a single pipe, time ends the wait.
#[test]
fn an_attempt_gives_up_when_its_time_is_over() {
    isolated(
        "pressure::an_attempt_gives_up_when_its_time_is_over",
        "",
        || {
            for spawner in crate::support::BOTH {
                let run = with(&config(&["true"]), spawner);
                let tried = in_runtime(async {
                    let (core, never) = (run.core().expect("a core"), AbortSignal::never());
                    let _all = every_descriptor();
                    let attempt = Attempt {
                        timeout: Some(Duration::from_millis(100)),
                        ..free(&never)
                    };
                    core.attempt(&job(&run, b"x"), &attempt).await
                });
                let error = failure(&tried);
                assert_eq!((error.kind, error.retry), (ErrorKind::Spawn, true));
                assert!(
                    error
                        .message
                        .starts_with("can't start true: Too many open files"),
                    "{}",
                    error.message
                );
                let tried = in_runtime(async {
                    let (core, controller) = (run.core().expect("a core"), AbortController::new());
                    let _all = every_descriptor();
                    let abort = controller.signal();
                    let (job, attempt) = (job(&run, b"x"), free(&abort));
                    let later = async {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        controller.abort("enough");
                    };
                    tokio::join!(core.attempt(&job, &attempt), later).0
                });
                assert_eq!(failure(&tried).kind, ErrorKind::Cancelled);
            }
        },
    );
}

fn every_descriptor() -> Vec<std::fs::File> {
    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
}
