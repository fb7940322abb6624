//! `tokio::process`, a task a job behind a semaphore: the way most Rust programs do it.
//!
//! `spawn_tokio N JOBS null|pipe COMMAND`. With `pipe` standard output and error are captured, as a
//! real tool must.

use std::error::Error;
use std::process::Stdio;
use std::sync::Arc;

use settled_bench::reference::arguments;
use tokio::process::Command;
use tokio::sync::Semaphore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = arguments::<4>("spawn_tokio N JOBS null|pipe COMMAND");
    let (count, jobs): (usize, usize) = (args[0].parse()?, args[1].parse()?);
    let piped = args[2] == "pipe";
    let (command, slots) = (Arc::new(args[3].clone()), Arc::new(Semaphore::new(jobs)));
    let mut all = Vec::new();
    for i in 0..count {
        let slot = slots.clone().acquire_owned().await?;
        let command = command.clone();
        all.push(tokio::spawn(async move {
            let done = run(&command, i, piped).await;
            drop(slot);
            done
        }));
    }
    let mut succeeded = 0;
    for one in all {
        succeeded += usize::from(one.await??);
    }
    if succeeded < count {
        return Err(format!("{} of {count} failed", count - succeeded).into());
    }
    Ok(())
}

async fn run(command: &str, i: usize, piped: bool) -> std::io::Result<bool> {
    let mut child = Command::new(command);
    child.arg(i.to_string()).stdin(Stdio::null());
    if piped {
        return Ok(child.output().await?.status.success());
    }
    child.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(child.status().await?.success())
}
