//! A command that ends before those that it started.

use std::time::{Duration, Instant};

use settled_jobs::Ended;

use crate::support::{BOTH, alive, attempt, eventually, group_of, output, result, shell, with};

fn pid(text: &str) -> i32 {
    text.lines()
        .next()
        .and_then(|line| line.parse().ok())
        .expect("a pid")
}

#[test]
fn what_the_rest_of_the_group_still_writes_is_taken() {
    for spawner in BOTH {
        let text = output(attempt(
            &with(&shell("(sleep 0.2; echo late) & echo early"), spawner),
            b"x",
        ));
        assert_eq!(text, "early\nlate\n");
    }
}

#[test]
fn a_background_process_that_holds_the_output_is_ended() {
    for spawner in BOTH {
        let start = Instant::now();
        let pid = pid(&output(attempt(
            &with(&shell("echo $$; sleep 1000 & exit 0"), spawner),
            b"x",
        )));
        assert!(
            start.elapsed() >= Duration::from_secs(1),
            "it had its second"
        );
        eventually("the group is gone", || group_of(pid).is_empty());
    }
}

#[test]
fn a_background_process_that_ignores_term_is_killed() {
    for spawner in BOTH {
        let text = "echo $$; (trap '' TERM; while :; do sleep 1; done) & exit 3";
        let tried = attempt(&with(&shell(text), spawner), b"x");
        let result = result(tried);
        assert_eq!(result.ended, Ended::Exit(3));
        let pid = pid(&String::from_utf8_lossy(
            &result.stdout.expect("kept").bytes,
        ));
        eventually("the group is gone", || group_of(pid).is_empty());
    }
}

#[test]
fn a_silent_background_process_does_not_outlive_the_outcome() {
    for spawner in BOTH {
        let pid = pid(&output(attempt(
            &with(&shell("echo $$; sleep 1000 >&- 2>&- & exit 0"), spawner),
            b"x",
        )));
        eventually("the group is gone", || group_of(pid).is_empty());
    }
}

#[test]
fn what_left_the_group_can_not_hold_the_outcome() {
    for spawner in BOTH {
        let text = "setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2; exit 0";
        let escaped = pid(&output(attempt(&with(&shell(text), spawner), b"x")));
        assert!(alive(escaped).is_some(), "it is out of reach");
        let escaped = rustix::process::Pid::from_raw(escaped).expect("a pid");
        rustix::process::kill_process(escaped, rustix::process::Signal::KILL).expect("it lives");
    }
}
