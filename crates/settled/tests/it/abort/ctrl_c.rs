//! A real SIGINT, to a process of its own: this test binary once more, for one test alone.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use settled::AbortSignal;
use tokio::runtime::Handle;
use tokio::task::yield_now;

const CHILD: &str = "SETTLED_TEST_CTRL_C";

/// What the child process does; without its variable, nothing.
#[tokio::test]
async fn child_process() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let signals = [(); 2].map(|()| AbortSignal::ctrl_c().unwrap());
    let below = AbortSignal::any([signals[1].clone(), AbortSignal::never()]).child();
    println!("\nlistening");
    let reason = below.signal().run(std::future::pending::<()>()).await;
    assert!(signals.iter().all(AbortSignal::is_aborted));
    yield_now().await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    println!("stopped by {}, {tasks} tasks", reason.unwrap_err());
}

#[test]
fn ctrl_c_fires_every_signal_that_listens() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "abort::ctrl_c::child_process", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line == "listening" {
            let number = child.id().to_string();
            let sent = Command::new("kill").args(["-INT", &number]).status();
            assert!(sent.unwrap().success());
        }
        said.push(line);
    }
    assert!(child.wait().unwrap().success(), "{said:?}");
    let stopped = "stopped by interrupted: Ctrl-C, 0 tasks";
    assert!(said.iter().any(|line| line.contains(stopped)), "{said:?}");
}

#[tokio::test]
async fn its_task_ends_when_nobody_holds_the_signal() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let signal = AbortSignal::ctrl_c().unwrap();
    assert_eq!(tasks(), 1);
    let child = signal.child();
    drop(signal);
    yield_now().await;
    yield_now().await;
    assert_eq!(tasks(), 1, "what was made of it holds it");
    drop(child);
    yield_now().await;
    yield_now().await;
    assert_eq!(tasks(), 0);
}
