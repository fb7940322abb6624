//! Ctrl-C.

use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::AbortSignal;
use super::node::Node;
use crate::reason::{Reason, ReasonKind};

impl AbortSignal {
    /// A signal that fires on Ctrl-C (SIGINT, also one that is sent by `kill -INT`), with a reason of kind
    /// [`ReasonKind::Interrupted`]. Needs the crate's feature `signal`.
    ///
    /// A task of the current runtime waits for it. The task ends when it has fired, or when nobody holds this signal or one made
    /// of it any more. From the first call on Ctrl-C does not end the process by itself, for as long as the process lives: that
    /// is how tokio handles signals.
    ///
    /// ```no_run
    /// # async fn work() {}
    /// # async fn example() -> std::io::Result<()> {
    /// match settled::AbortSignal::ctrl_c()?.run(work()).await {
    ///     Ok(()) => println!("done"),
    ///     Err(reason) => println!("stopped: {reason}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the operating system does not let it listen.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or in one without `enable_io`.
    pub fn ctrl_c() -> io::Result<Self> {
        let mut interrupts = interrupts()?;
        let unheard = CancellationToken::new();
        let node = Arc::new(Node::kept(unheard.clone().drop_guard()));
        // The task must not be what keeps the node alive.
        let listened_to = Arc::downgrade(&node);
        tokio::spawn(async move {
            if let Some(Some(())) = unheard.run_until_cancelled(interrupts.recv()).await
                && let Some(node) = listened_to.upgrade()
            {
                node.abort(Reason::literal(ReasonKind::Interrupted, "Ctrl-C"));
            }
        });
        Ok(Self { node: Some(node) })
    }
}

#[cfg(unix)]
fn interrupts() -> io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn interrupts() -> io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}
