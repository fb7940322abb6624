//! How a command ended, and what is said of it.

use settled_jobs::run::{ExitCodes, RunConfig};
use settled_jobs::{Ended, ErrorKind};

use crate::support::{BOTH, attempt, config, failure, result, shell, with};

#[test]
fn an_exit_status_is_a_failure_unless_it_is_wanted() {
    for spawner in BOTH {
        for status in [1, 2, 125, 127, 255] {
            let tried = attempt(
                &with(&shell("exit $1"), spawner),
                status.to_string().as_bytes(),
            );
            let error = failure(&tried).clone();
            assert_eq!(
                (error.kind, error.message, error.retry),
                (
                    ErrorKind::Exit,
                    format!("exit status {status}").into(),
                    false
                )
            );
            assert_eq!(result(tried).ended, Ended::Exit(status));
        }
        let wanted = RunConfig {
            ok_exit: "1,3-5".parse().expect("statuses"),
            ..shell("exit $1")
        };
        for (status, good) in [
            (0, false),
            (1, true),
            (2, false),
            (3, true),
            (5, true),
            (6, false),
        ] {
            let tried = attempt(&with(&wanted, spawner), status.to_string().as_bytes());
            assert_eq!(tried.error.is_none(), good, "{status}");
        }
    }
    for bad in ["", "a", "256", "-1", "5-3", "1,,2"] {
        assert!(bad.parse::<ExitCodes>().is_err(), "{bad}");
    }
}

#[test]
fn the_last_words_are_part_of_the_message() {
    let message = |text: &str| {
        failure(&attempt(&with(&shell(text), Default::default()), b"x"))
            .message
            .clone()
            .into_owned()
    };
    assert_eq!(
        message("echo first >&2; echo 'it broke ' >&2; echo >&2; exit 3"),
        "exit status 3: it broke"
    );
    assert_eq!(
        message("seq 10000 >&2; printf 'no \\377 end' >&2; exit 3"),
        "exit status 3: no \u{fffd} end"
    );
    let long = message("i=0; while [ $i -lt 100 ]; do printf 'äöü' >&2; i=$((i+1)); done; exit 3");
    let words = long.strip_prefix("exit status 3: ").expect("the words");
    assert!(
        words.len() <= 200 && words.starts_with("äöü") && words.ends_with('…'),
        "{words}"
    );
}

#[test]
fn a_signal_is_named() {
    for spawner in BOTH {
        for (signal, message) in [
            ("SEGV", "killed by SIGSEGV (11)"),
            ("KILL", "killed by SIGKILL (9)"),
            ("40", "killed by signal 40"),
        ] {
            let run = with(
                &RunConfig {
                    ok_exit: "0-255".parse().expect("statuses"),
                    ..shell("ulimit -c 0; kill -$1 $$")
                },
                spawner,
            );
            let tried = attempt(&run, signal.as_bytes());
            assert_eq!(
                (failure(&tried).kind, &*failure(&tried).message),
                (ErrorKind::Signal, message)
            );
            assert!(matches!(result(tried).ended, Ended::Signal(_)));
        }
    }
}

#[test]
fn exits_and_signals_are_retried_where_that_was_asked_for() {
    let retried = |text| {
        let run = with(
            &RunConfig {
                retry_exit: true,
                ..shell(text)
            },
            Default::default(),
        );
        failure(&attempt(&run, b"x")).retry
    };
    assert!(retried("exit 1") && retried("kill -9 $$"));
    let missing = with(
        &RunConfig {
            retry_exit: true,
            ..config(&["/does/not/exist"])
        },
        Default::default(),
    );
    assert!(!failure(&attempt(&missing, b"x")).retry);
}
