//! Where outcome lines go, opened before a run begins.

use std::fs::File;
use std::path::PathBuf;

use crate::feed::Item;
use crate::ledger::{IfExists, Ledger, LedgerError};
use crate::plan::Plan;
use crate::replay::{Redo, Replay};
use crate::sink::{Fsync, Sink};
use crate::work::Work;

/// Where outcome lines go.
#[derive(Debug)]
pub enum Output {
    /// A ledger: a regular file that a later run can go on with.
    Ledger {
        /// Where it is.
        path: PathBuf,
        /// What to do with the one that is there.
        if_exists: IfExists,
        /// Damaged lines are set aside.
        repair: bool,
        /// Which settled jobs are to be done again.
        redo: Redo,
        /// When lines are forced onto the disk.
        fsync: Fsync,
    },
    /// Standard output, a pipe, a device.
    Stream(File),
}

/// A ledger that is open, or a stream: what a run needs before it can begin.
#[derive(Debug)]
pub struct Opened<W: Work> {
    pub(crate) sink: Sink,
    pub(crate) replay: Replay<Item<W::Spec>>,
    /// A random name of this ledger (or of this run, if it has none).
    pub name: String,
    /// Bytes of a torn last line that were cut off.
    pub torn: u64,
}

impl Output {
    /// Opens the output and reads what a ledger holds.
    ///
    /// # Errors
    /// If the ledger can't be used.
    pub fn open<W: Work>(self, plan: &Plan) -> Result<Opened<W>, LedgerError> {
        match self {
            Self::Ledger {
                path,
                if_exists,
                repair,
                redo,
                fsync,
            } => {
                let mut replay = Replay::new(redo);
                let ledger = Ledger::open(&path, plan, if_exists, repair, &mut replay)?;
                let (name, torn) = (ledger.name.clone(), ledger.torn);
                Ok(Opened {
                    sink: Sink::ledger(ledger, fsync),
                    replay,
                    name,
                    torn,
                })
            }
            Self::Stream(file) => Ok(Opened {
                sink: Sink::stream(file),
                replay: Replay::new(Redo::default()),
                name: crate::plan::ledger_name(),
                torn: 0,
            }),
        }
    }
}
