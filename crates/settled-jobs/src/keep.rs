//! Bytes that a job produced: kept in its outcome line up to a limit, or spilled into a file, or cut and flagged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::SerializeMap;

/// Where the bytes of one stream (a body, a standard output) go.
#[derive(Debug)]
pub struct Keep {
    inline: usize,
    spill: Option<Spill>,
    kept: Vec<u8>,
    total: u64,
}

#[derive(Debug)]
struct Spill {
    dir: Arc<Path>,
    name: String,
    file: Option<File>,
}

impl Keep {
    /// Keeps up to `inline` bytes. What goes past that is counted and dropped, unless there is a directory: then the whole
    /// stream goes to the file `name` in it.
    #[must_use]
    pub fn new(inline: usize, dir: Option<Arc<Path>>, name: impl FnOnce() -> String) -> Self {
        let spill = dir.map(|dir| Spill {
            dir,
            name: name(),
            file: None,
        });
        Self {
            inline,
            spill,
            kept: Vec::new(),
            total: 0,
        }
    }

    /// Bytes seen so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.total += bytes.len() as u64;
        if let Some(spill) = &mut self.spill {
            if spill.file.is_none() && self.total > self.inline as u64 {
                spill.open()?.write_all(&self.kept)?;
                self.kept = Vec::new();
            }
            if let Some(file) = &mut spill.file {
                return file.write_all(bytes);
            }
        }
        let room = self.inline - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(())
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// If the file can't be put in its place.
    pub fn finish(mut self) -> io::Result<Kept> {
        let total = self.total;
        match self.spill.take() {
            Some(mut spill) if spill.file.is_some() => {
                let path = spill.dir.join(&spill.name);
                fs::rename(spill.partial(), &path)?;
                spill.file = None;
                Ok(Kept {
                    bytes: Vec::new(),
                    total,
                    file: Some(path),
                })
            }
            _ => Ok(Kept {
                bytes: std::mem::take(&mut self.kept),
                total,
                file: None,
            }),
        }
    }
}

impl Spill {
    fn partial(&self) -> PathBuf {
        self.dir.join(format!("{}.part", self.name))
    }

    /// A file of our own making, for our eyes only; a link that somebody planted at its name is not followed.
    fn open(&mut self) -> io::Result<&mut File> {
        let path = self.partial();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(self.file.insert(file))
    }
}

impl Drop for Spill {
    /// A stream that never finished leaves no file behind.
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = fs::remove_file(self.partial());
        }
    }
}

/// A stream that has ended: its bytes, or as many of them as were kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The bytes, from the start; empty if they went to a file.
    pub bytes: Vec<u8>,
    /// How many there were.
    pub total: u64,
    /// The file that has them all.
    pub file: Option<PathBuf>,
}

impl Kept {
    /// Some bytes were dropped.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.file.is_none() && self.total > self.bytes.len() as u64
    }

    /// Writes the member(s) of this stream into a JSON object: `name`, `name_base64` or `name_file`.
    ///
    /// Text that was cut in the middle of a character is still text: the torn character is left out.
    pub(crate) fn members<M: SerializeMap>(
        &self,
        map: &mut M,
        names: [&'static str; 3],
    ) -> Result<(), M::Error> {
        if let Some(path) = &self.file {
            return map.serialize_entry(names[2], &path.to_string_lossy());
        }
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => map.serialize_entry(names[0], text),
            Err(error) if error.error_len().is_none() && self.truncated() => {
                let whole = &self.bytes[..error.valid_up_to()];
                map.serialize_entry(names[0], std::str::from_utf8(whole).unwrap_or_default())
            }
            Err(_) => map.serialize_entry(names[1], &BASE64.encode(&self.bytes)),
        }
    }
}
