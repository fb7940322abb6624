//! Commands whose time is up, or that are told to stop: TERM, then KILL, for the whole group.

use std::path::Path;
use std::time::Duration;

use rustix::process::{WaitId, WaitIdOptions, waitid};
use settled::{AbortController, AbortSignal};
use settled_jobs::run::{Run, Spawner};
use settled_jobs::{Attempt, Core, Ended, ErrorKind, KillAfter, Tried, Work};
use tokio::time::Instant;

use crate::isolate::isolated;
use crate::support::{BOTH, config, failure, free, group_of, in_runtime, job, result, shell, with};

/// Runs `text` until it has written its process id to `$1`, and then does `then`.
fn started(
    text: &str,
    spawner: Spawner,
    kill_after: Duration,
    then: impl FnOnce(&AbortController, i32),
) -> (Tried, i32) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("pid");
    let run = with(
        &shell(&format!(
            "ready() {{ echo $$ > $1.new; mv $1.new $1; }}\n{text}"
        )),
        spawner,
    );
    in_runtime(async {
        let (core, controller) = (run.core().expect("a core"), AbortController::new());
        let (job, abort) = (
            job(&run, file.as_os_str().as_encoded_bytes()),
            controller.signal(),
        );
        let kill_after = KillAfter::new(kill_after);
        let attempt = Attempt {
            kill_after: &kill_after,
            ..free(&abort)
        };
        let act = async {
            let pid = pid_in(&file).await;
            then(&controller, pid);
            pid
        };
        tokio::join!(core.attempt(&job, &attempt), act)
    })
}

async fn pid_in(file: &Path) -> i32 {
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) => return text.trim().parse().expect("a pid"),
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

fn nobody_is_left(group: i32) {
    crate::support::eventually("the group is gone", || group_of(group).is_empty());
}

fn timed(run: &Run, attempt: impl FnOnce(&AbortSignal) -> Attempt<'_>) -> Tried {
    let never = AbortSignal::never();
    in_runtime(async {
        let core = run.core().expect("a core");
        core.attempt(&job(run, b"x"), &attempt(&never)).await
    })
}

const TIMEOUT: Option<Duration> = Some(Duration::from_millis(200));

#[test]
fn a_timeout_ends_a_command_and_keeps_what_it_wrote() {
    for spawner in BOTH {
        let run = with(&shell("echo before; exec sleep 1000"), spawner);
        let tried = timed(&run, |never| Attempt {
            timeout: TIMEOUT,
            ..free(never)
        });
        let error = failure(&tried);
        assert_eq!(
            (error.kind, &*error.message, error.retry),
            (ErrorKind::Timeout, "still running after 200ms", true)
        );
        let result = result(tried);
        assert_eq!(
            (result.ended, result.stdout.expect("kept").bytes.as_slice()),
            (Ended::Signal(15), &b"before\n"[..])
        );
    }
}

#[test]
fn the_total_time_ends_a_command_too() {
    for spawner in BOTH {
        let run = with(&shell("exec sleep 1000"), spawner);
        let long = Some(Duration::from_secs(1000));
        let soon = || Some(Instant::now() + Duration::from_millis(100));
        let tried = timed(&run, |never| Attempt {
            timeout: long,
            deadline: soon(),
            ..free(never)
        });
        assert_eq!(
            (failure(&tried).kind, &*failure(&tried).message),
            (ErrorKind::Timeout, "the job's total time was up")
        );
    }
}

#[test]
fn a_command_that_ends_well_at_term_has_still_timed_out() {
    for spawner in BOTH {
        let run = with(
            &shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done"),
            spawner,
        );
        let tried = timed(&run, |never| Attempt {
            timeout: TIMEOUT,
            ..free(never)
        });
        assert_eq!(failure(&tried).kind, ErrorKind::Timeout);
        let result = result(tried);
        assert_eq!(
            (result.ended, result.stdout.expect("kept").bytes.as_slice()),
            (Ended::Exit(0), &b"bye\n"[..])
        );
    }
}

#[test]
fn who_ignores_term_is_killed_with_all_it_started() {
    let text =
        "trap '' TERM; sleep 1000 & (trap '' TERM; sleep 1000 & sleep 1000) & ready $1; wait";
    for spawner in BOTH {
        let (tried, pid) = started(
            text,
            spawner,
            Duration::from_millis(100),
            |controller, pid| {
                assert!(group_of(pid).len() >= 3);
                controller.abort("enough");
            },
        );
        let error = failure(&tried);
        assert_eq!(
            (error.kind, &*error.message, error.retry),
            (ErrorKind::Cancelled, "aborted: enough", false)
        );
        assert!(!tried.abandoned);
        assert_eq!(result(tried).ended, Ended::Signal(9));
        nobody_is_left(pid);
    }
}

#[test]
fn the_grace_is_as_long_as_was_asked_for() {
    let text = "trap 'sleep 0.3; echo done; exit 0' TERM; ready $1; while :; do sleep 0.01; done";
    for spawner in BOTH {
        let (tried, _) = started(text, spawner, Duration::from_secs(60), |controller, _| {
            controller.abort("enough");
        });
        assert_eq!(result(tried).stdout.expect("kept").bytes, b"done\n");
    }
}

#[test]
fn a_stopped_command_ends_too() {
    for spawner in BOTH {
        let (tried, pid) = started(
            "ready $1; kill -STOP $$; sleep 1000",
            spawner,
            Duration::from_secs(60),
            |controller, pid| {
                crate::support::eventually("it is stopped", || {
                    crate::support::alive(pid).is_some_and(|(state, _)| state == 'T')
                });
                controller.abort("enough");
            },
        );
        assert_eq!(result(tried).ended, Ended::Signal(15));
        nobody_is_left(pid);
    }
}

#[test]
fn a_flood_does_not_keep_time_from_passing() {
    for spawner in BOTH {
        let run = with(&shell("yes; yes >&2"), spawner);
        let tried = timed(&run, |never| Attempt {
            timeout: TIMEOUT,
            ..free(never)
        });
        assert_eq!(failure(&tried).kind, ErrorKind::Timeout);
        assert!(result(tried).stdout.expect("kept").truncated());
    }
}

#[test]
fn aborted_before_it_starts_it_never_starts() {
    for spawner in BOTH {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("ran");
        let run = with(&shell("touch $1"), spawner);
        let controller = AbortController::new();
        controller.abort("no");
        let tried = in_runtime(async {
            let core = run.core().expect("a core");
            core.attempt(
                &job(&run, file.as_os_str().as_encoded_bytes()),
                &free(&controller.signal()),
            )
            .await
        });
        assert_eq!(
            (failure(&tried).kind, tried.result.is_none()),
            (ErrorKind::Cancelled, true)
        );
        assert!(!file.exists());
    }
}

#[test]
fn without_any_time_it_never_starts() {
    for spawner in BOTH {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("ran");
        let run = with(&shell(&format!("touch {}", file.display())), spawner);
        let past = Instant::now() - Duration::from_millis(1);
        let tried = timed(&run, |never| Attempt {
            deadline: Some(past),
            ..free(never)
        });
        assert_eq!(
            (failure(&tried).kind, tried.result.is_none()),
            (ErrorKind::Timeout, true)
        );
        assert!(!file.exists());
    }
}

/// A command that we are not allowed to signal is as immortal as one that hangs inside the kernel. Only root can make one.
#[test]
fn a_command_that_kill_does_not_end_is_abandoned() {
    if !rustix::process::geteuid().is_root() && std::env::var_os("SETTLED_TEST_INSIDE").is_none() {
        return println!("not tried: only root can make a command that changes its user");
    }
    let prepare = "dir=$(mktemp -d) && chmod 755 $dir && cp \"$1\" $dir/test && cp $(command -v setpriv) $dir/immortal \
                   && chmod 4755 $dir/immortal && shift && set -- $dir/test \"$@\" && cd / && export IMMORTAL=$dir/immortal \
                   && set -- setpriv --reuid 54321 --regid 54321 --clear-groups \"$@\"";
    isolated(
        "stopping::a_command_that_kill_does_not_end_is_abandoned",
        prepare,
        || {
            let program = std::env::var("IMMORTAL").expect("a program");
            for spawner in BOTH {
                let run = with(&config(&[&program, "--reuid", "0", "sleep", "{}"]), spawner);
                let tried = in_runtime(async {
                    let (core, never) = (run.core().expect("a core"), AbortSignal::never());
                    let attempt = Attempt {
                        timeout: TIMEOUT,
                        kill_after: &KillAfter::new(Duration::from_millis(50)),
                        ..free(&never)
                    };
                    core.attempt(&job(&run, b"7"), &attempt).await
                });
                assert!(tried.abandoned && tried.result.is_none());
                assert_eq!(failure(&tried).kind, ErrorKind::Timeout);
                let reaped = || {
                    waitid(
                        WaitId::All,
                        WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT,
                    )
                    .is_err()
                };
                crate::support::eventually("it has ended and is reaped", reaped);
            }
        },
    );
}
