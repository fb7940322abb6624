//! Commit: an outcome becomes a durable line, and only then is its job over.
//!
//! Lines are formatted into the core's buffer. A task that is woken by the first of them runs after everything else of this
//! turn of the event loop, and hands the buffer to the operating system in one write; then the slots go on.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::control::{Broken, Control};
use crate::sink::Sink;
use crate::writer::Writer;

/// One core's way into the outcome file.
#[derive(Debug)]
pub(crate) struct Commit {
    sink: Arc<Sink>,
    /// Writes in our place, where that may take a while.
    elsewhere: Option<Arc<Writer>>,
    control: Arc<Control>,
    buffer: RefCell<Vec<u8>>,
    /// Number of the batch that the buffer will be, and of the last one that was written.
    batch: Cell<u64>,
    written: Cell<u64>,
    /// Slots whose line is in a batch that is not written yet.
    slots: RefCell<Vec<Waker>>,
    writer: RefCell<Option<Waker>>,
    failed: Cell<bool>,
    closed: Cell<bool>,
}

/// The outcome file can't be written; the run is ending because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotWritten;

/// A buffer that one big line has made large is not kept.
const KEEP_CAPACITY: usize = 1 << 20;

impl Commit {
    pub(crate) fn new(
        sink: Arc<Sink>,
        elsewhere: Option<Arc<Writer>>,
        control: Arc<Control>,
    ) -> Rc<Self> {
        Rc::new(Self {
            sink,
            elsewhere,
            control,
            buffer: RefCell::default(),
            batch: Cell::new(1),
            written: Cell::new(0),
            slots: RefCell::default(),
            writer: RefCell::default(),
            failed: Cell::new(false),
            closed: Cell::new(false),
        })
    }

    /// Writes a line (`format` appends it, with checksum or not), and returns when the operating system has it.
    pub(crate) async fn line(
        &self,
        format: impl FnOnce(&mut Vec<u8>, bool),
    ) -> Result<(), NotWritten> {
        let mine = self.batch.get();
        format(&mut self.buffer.borrow_mut(), self.sink.checksums);
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
        poll_fn(|cx| {
            if self.written.get() >= mine {
                Poll::Ready(Ok(()))
            } else if self.failed.get() {
                Poll::Ready(Err(NotWritten))
            } else {
                self.slots.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// No more lines come: [`Self::write_all`] ends.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    /// The writer has ended, in whatever way: nobody is to wait for it.
    pub(crate) fn ended(&self) {
        self.failed.set(true);
        for slot in self.slots.borrow_mut().drain(..) {
            slot.wake();
        }
    }

    /// Writes batch after batch, until `close` or an error.
    pub(crate) async fn write_all(&self) {
        let mut spare = Vec::new();
        loop {
            let more = poll_fn(|cx| {
                if !self.buffer.borrow().is_empty() {
                    Poll::Ready(true)
                } else if self.closed.get() {
                    Poll::Ready(false)
                } else {
                    *self.writer.borrow_mut() = Some(cx.waker().clone());
                    Poll::Pending
                }
            });
            if !more.await {
                return;
            }
            let batch = self.batch.replace(self.batch.get() + 1);
            let lines = self.buffer.replace(spare);
            let (result, lines) = self.write(lines).await;
            spare = lines;
            match result {
                Ok(()) => self.written.set(batch),
                Err(error) => {
                    self.control.fail(Broken::Output(error));
                    return self.ended();
                }
            }
            for slot in self.slots.borrow_mut().drain(..) {
                slot.wake();
            }
        }
    }

    /// A file takes lines at once. A reader at the other end of a pipe may take its time, and a disk that is asked to be sure
    /// does: then another thread waits, and this core's timers go on.
    async fn write(&self, mut lines: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        let result;
        match &self.elsewhere {
            Some(writer) => (result, lines) = writer.write(lines).await,
            None => result = self.sink.write(&lines),
        }
        lines.clear();
        lines.shrink_to(KEEP_CAPACITY);
        (result, lines)
    }
}
