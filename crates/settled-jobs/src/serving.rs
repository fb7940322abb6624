//! The tasks of one core: its slots, and what serves them, the pump and the writer.
//!
//! Slots wait for those two, so that one that panics must not leave them waiting: it fails the run and releases them.

use std::convert::Infallible;
use std::io;
use std::rc::Rc;

use settled::{Outcome, Scope, settle};

use crate::control::Broken;
use crate::core::Core;
use crate::slot::slot;
use crate::tally::Tally;
use crate::work::Work;

/// Works until the run is over.
///
/// # Errors
/// If a slot panicked.
pub(crate) async fn work<W: Work>(core: &Rc<Core<W>>, slots: usize) -> io::Result<Tally> {
    let (pump, writer) = (Rc::clone(core), Rc::clone(core));
    let pump = async move { pump.pump().await };
    let writer = async move { writer.commit.write_all().await };
    work_served_by(core, slots, pump, writer).await
}

/// The slots in one scope, what serves them in another that ends after it. Neither pump nor writer call anything that is not
/// settled's own, so that no job can make them panic: a test has to bring its own.
async fn work_served_by<W: Work>(
    core: &Rc<Core<W>>,
    slots: usize,
    pump: impl Future<Output = ()> + 'static,
    writer: impl Future<Output = ()> + 'static,
) -> io::Result<Tally> {
    let (serving, working) = (Scope::new(), Scope::new());
    let pumped = Rc::clone(core);
    let pumping = serving.spawn_local(infallible(async move {
        served(&pumped, "pump", pump).await;
    }));
    let written = Rc::clone(core);
    let writing = serving.spawn_local(infallible(async move {
        served(&written, "writer", writer).await;
        written.commit.ended();
    }));
    for number in 0..slots {
        drop(working.spawn_local(infallible(slot(Rc::clone(core), number))));
    }
    let worked = settle(infallible(working.join())).await;
    if worked.is_panicked() {
        let defect = io::Error::other("a slot panicked: a defect of settled");
        core.shared.control.fail(Broken::Setup(defect));
    }
    core.finish();
    let served = settle(infallible(serving.join())).await;
    drop((pumping, writing));
    match (worked, served) {
        (Outcome::Fulfilled(()), Outcome::Fulfilled(())) => Ok(core.tally.take()),
        (worked, served) => Err(io::Error::other(format!(
            "a defect of settled: slots {}, writer {}",
            worked.kind(),
            served.kind()
        ))),
    }
}

/// Serves the slots to the end. A panic ends the run.
async fn served<W: Work>(core: &Core<W>, who: &str, task: impl Future<Output = ()>) {
    if let Outcome::Panicked(panic) = settle(infallible(task)).await {
        let defect = format!(
            "the {who} panicked: {}: a defect of settled",
            panic.message()
        );
        let defect = Broken::Setup(io::Error::other(defect));
        core.shared.control.fail(defect);
        // Nobody else may be there to wake them.
        core.release();
    }
}

async fn infallible(work: impl Future<Output = ()>) -> Result<(), Infallible> {
    work.await;
    Ok(())
}

#[cfg(test)]
mod tests;
