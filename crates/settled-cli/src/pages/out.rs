//! Where items go: standard output, or a plain file.

use std::fs::{self, File, OpenOptions};
use std::future::pending;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;
use tokio::task::JoinHandle;

use crate::exit::Stop;
use crate::flags::pages::PagesArgs;

/// Takes lines, a page at a time.
///
/// A write blocks as long as nobody reads, so it is made on another thread: meanwhile signals are heard, and pages that were asked
/// for ahead are not cut off by their time limits.
#[derive(Debug)]
pub(crate) struct Out {
    /// Not there while it is written to.
    file: Option<File>,
    writing: Option<JoinHandle<(File, io::Result<()>)>>,
    /// What it is called in messages.
    pub(crate) name: String,
    /// A file that was not there before, and has nothing in it yet.
    fresh: Option<PathBuf>,
}

/// The other end of standard output, where that is a pipe.
#[derive(Debug)]
pub(crate) struct Reader(Option<Sender>);

impl Reader {
    /// Waits until nobody reads any more, which may be never. Cancel safe.
    pub(crate) async fn gone(&self) {
        match &self.0 {
            Some(reader) => drop(reader.ready(Interest::ERROR).await),
            None => pending().await,
        }
    }
}

impl Out {
    /// Opens what the flags say; has to be called inside of a runtime.
    pub(crate) fn open(args: &PagesArgs) -> Result<(Self, Reader), Stop> {
        let path = args.output.as_deref();
        match path.filter(|path| path.as_os_str() != "-") {
            None => Self::standard_output()
                .map_err(|error| Stop::ledger(format!("standard output: {error}"))),
            Some(path) => Ok((Self::at(path, args.overwrite)?, Reader(None))),
        }
    }

    fn standard_output() -> io::Result<(Self, Reader)> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let reader = match file.metadata()?.file_type().is_fifo() {
            // Unchecked: nothing is sent by it, so the pipe stays a blocking one, as others who have it expect.
            true => Sender::from_owned_fd_unchecked(OwnedFd::from(file.try_clone()?)).ok(),
            false => None,
        };
        let out = Self {
            file: Some(file),
            writing: None,
            name: "standard output".to_owned(),
            fresh: None,
        };
        Ok((out, Reader(reader)))
    }

    fn at(path: &Path, overwrite: bool) -> Result<Self, Stop> {
        let name = format!("-o {}", path.display());
        let existing = fs::metadata(path).ok();
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        let mut fresh = None;
        match existing {
            Some(existing) if existing.is_dir() => {
                return Err(Stop::usage(format!("{name}: it is a directory")));
            }
            Some(existing) if existing.is_file() && !overwrite => {
                return Err(Stop::usage(format!(
                    "{name}: it is there already; --overwrite replaces it"
                )));
            }
            Some(existing) if existing.is_file() => {
                options
                    .truncate(true)
                    .custom_flags(OFlags::NOFOLLOW.bits() as i32);
            }
            // A device or a pipe.
            Some(_) => {}
            None => {
                options.create_new(true);
                fresh = Some(path.to_owned());
            }
        }
        let file = options
            .open(path)
            .map_err(|error| Stop::ledger(format!("{name}: {error}")))?;
        Ok(Self {
            file: Some(file),
            writing: None,
            name,
            fresh,
        })
    }

    /// Begins to write lines; [`written`](Self::written) tells when they are.
    pub(crate) fn write(&mut self, lines: Vec<u8>) {
        if lines.is_empty() {
            return;
        }
        self.fresh = None;
        if let Some(mut file) = self.file.take() {
            self.writing = Some(tokio::task::spawn_blocking(move || {
                let written = file.write_all(&lines);
                (file, written)
            }));
        }
    }

    /// Waits until nothing is being written. Cancel safe.
    pub(crate) async fn written(&mut self) -> io::Result<()> {
        let Some(writing) = &mut self.writing else {
            return Ok(());
        };
        let (file, written) = writing.await.map_err(io::Error::other)?;
        self.writing = None;
        self.file = Some(file);
        written
    }

    /// Takes a file away that was made for nothing, so that the same command can be given again.
    pub(crate) fn give_up(self) {
        if let Some(path) = self.fresh {
            let _ = fs::remove_file(path);
        }
    }
}
