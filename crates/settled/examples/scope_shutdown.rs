//! A small server that is shut down with a grace: `cargo run -p settled --example scope_shutdown`.
//!
//! A listener and three workers are tasks of one scope. When it is shut down, the listener closes its door, the workers finish what
//! they have begun, and one that does not listen is dropped after the grace. When `main` returns, nothing of it runs any more.

use std::time::Duration;

use settled::{AbortSignal, Ready, Reason, ReasonKind, Scope};
use tokio::sync::mpsc;
use tokio::time::sleep;

const STEP: Duration = Duration::from_millis(20);

/// Makes requests until it is told to stop.
async fn listen(ready: Ready<mpsc::Receiver<u32>>) -> Result<u32, Reason> {
    let (requests, receiver) = mpsc::channel(8);
    if ready.with(receiver).is_err() {
        return Ok(0);
    }
    let stop = AbortSignal::current();
    let mut number = 0;
    while stop.run(sleep(STEP)).await.is_ok() {
        number += 1;
        if requests.send(number).await.is_err() {
            break;
        }
    }
    println!("the door is closed after {number} requests");
    Ok(number)
}

/// Answers requests. One that it has begun it brings to its end: the channel runs dry when the door is closed.
async fn answer(mut requests: mpsc::Receiver<u32>) -> Result<u32, String> {
    let mut answered = 0;
    while let Some(number) = requests.recv().await {
        sleep(STEP).await;
        if number == 3 {
            println!("request 3 is one of those");
        }
        answered += 1;
    }
    Ok(answered)
}

/// Fails, and nobody looks.
async fn report() -> Result<(), String> {
    sleep(STEP).await;
    Err("no such dashboard".into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    settled::on_unhandled(|failure| println!("log: {failure}"));
    run().await;
    settled::drained().await;
    assert_eq!(settled::running(), 0);
}

/// How many requests were answered.
pub(crate) async fn run() -> Option<u32> {
    let scope = Scope::new();
    let started = scope.named("listener").start(listen).await;
    let (requests, listener) = started.expect("it is ready at once");
    let worker = scope.named("worker").spawn(answer(requests));
    drop(scope.named("reporter").spawn(report()));
    let deaf = scope.named("deaf").spawn(async {
        std::future::pending::<()>().await;
        Ok::<_, Reason>(())
    });

    sleep(10 * STEP).await;
    for task in scope.tasks() {
        println!("running: {task}");
    }
    let reason = Reason::new(ReasonKind::Interrupted).message("closing time");
    for late in scope.shutdown(reason, 20 * STEP).await {
        println!("dropped after the grace: {late}");
    }

    let (made, answered) = (listener.await.fulfilled(), worker.await.fulfilled());
    assert_eq!(made, answered, "every request that came in was answered");
    println!("answered: {answered:?}; deaf: {}", deaf.await.kind());
    answered
}
