//! The writer: a thread that writes for all cores, where a write may have to wait for a reader or for the disk. It is started
//! with the run, so that a limit on threads is met before any job has begun.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::sink::Sink;

/// The way to the writing thread.
#[derive(Debug)]
pub(crate) struct Writer(mpsc::Sender<Option<Batch>>);

#[derive(Debug)]
struct Batch {
    lines: Vec<u8>,
    written: oneshot::Sender<(io::Result<()>, Vec<u8>)>,
}

impl Writer {
    pub(crate) fn start(sink: Arc<Sink>) -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, batches) = mpsc::channel::<Option<Batch>>();
        let thread = thread::Builder::new()
            .name("settled-writer".to_owned())
            .spawn(move || {
                while let Ok(Some(Batch { lines, written })) = batches.recv() {
                    let result = sink.write(&lines);
                    // A core that does not wait any more has panicked.
                    let _ = written.send((result, lines));
                }
            })?;
        Ok((Self(sender), thread))
    }

    /// Writes whole lines, and gives the buffer back.
    pub(crate) async fn write(&self, lines: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        let (written, answer) = oneshot::channel();
        // Where nobody takes the batch any more, nobody answers either.
        let _ = self.0.send(Some(Batch { lines, written }));
        answer.await.unwrap_or_else(|_| {
            let gone = io::Error::other("the thread that writes is gone");
            (Err(gone), Vec::new())
        })
    }

    /// What was handed over is still written; then the thread ends.
    pub(crate) fn close(&self) {
        let _ = self.0.send(None);
    }
}
