//! A gate that a test opens: the order of events without sleeping.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds answers back until the test says go. Clones are the same gate; once open, it stays open.
///
/// ```
/// use settled_testserver::{Answer, At, Gate};
///
/// let gate = Gate::new();
/// let answer = Answer::ok("late").hold(At::Start, &gate);
/// gate.open(); // every answer that it held, or will meet it, goes on
/// # drop(answer);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate, for good.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the gate is open.
    pub(crate) async fn opened(&self) {
        // The sender lives in `self`: the wait can't fail.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}
