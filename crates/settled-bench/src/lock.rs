//! One bench at a time on a machine: two would measure each other.

use std::fs::File;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Doing, Result};
use crate::interrupt::Interrupt;

/// Held for as long as this lives; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, after every other bench of this machine has ended.
    ///
    /// # Errors
    /// If the lock file can't be opened, or a signal arrived while waiting.
    pub fn take(interrupt: &Interrupt) -> Result<Self> {
        let path = std::env::temp_dir().join("settled-bench.lock");
        let what = format!("locking {}", path.display());
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .doing(&what)?;
        let mut said = false;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(error) => return Err(error).doing(&what),
            }
            if !said {
                eprintln!("another bench is running; waiting for it to end");
                said = true;
            }
            interrupt.wait(None, Some(Duration::from_millis(500)))?;
        }
    }
}
