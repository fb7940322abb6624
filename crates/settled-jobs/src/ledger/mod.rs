//! The ledger: the append-only file of outcome lines, and the only durable state there is.
//!
//! Opening one locks it, reads it once from start to end, cuts off a torn last line, and hands every line to the replay.

mod scan;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::line::checksum_holds;
use crate::lines::Lines;
use crate::plan::{Plan, PlanLine, ledger_name};
use crate::readback::Settled;
use crate::replay::Replay;
use scan::{Cut, Line, scan};

/// What to do with a ledger that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// Go on with it, if its plan is the same.
    #[default]
    Resume,
    /// Go on with it under the new plan.
    AdoptPlan,
    /// Start anew: its lines are gone.
    Overwrite,
}

/// An open, locked ledger that takes new lines at its end.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) file: File,
    /// How long the file is: all of it whole lines.
    pub(crate) length: u64,
    /// Its random name.
    pub(crate) name: String,
    /// Bytes of a torn last line that were cut off.
    pub(crate) torn: u64,
}

/// Why a ledger can't be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum LedgerError {
    /// The operating system refused.
    Io(PathBuf, io::Error),
    /// Another process has it open.
    Locked(PathBuf),
    /// The file is something else; it was not touched.
    NotALedger(PathBuf),
    /// Its plan means something else.
    PlanDiffers(PathBuf, Vec<String>),
    /// A line in the middle is damaged.
    Damaged(PathBuf, u64),
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Locked(path) => {
                write!(
                    f,
                    "{}: another settled is writing to this ledger; wait for it, or use another -o",
                    path.display()
                )
            }
            Self::NotALedger(path) => write!(
                f,
                "{}: this file is no ledger of settled, so it is left alone; use another -o, or remove the file",
                path.display()
            ),
            Self::PlanDiffers(path, differences) => {
                writeln!(
                    f,
                    "{}: this ledger was begun with another plan:",
                    path.display()
                )?;
                for difference in differences {
                    writeln!(f, "  {difference}")?;
                }
                write!(
                    f,
                    "--adopt-plan goes on with the new plan, --overwrite starts anew, or use another -o"
                )
            }
            Self::Damaged(path, line) => write!(
                f,
                "{}: line {line} is damaged; --repair sets it aside in {}.damaged and goes on",
                path.display(),
                path.display()
            ),
        }
    }
}

impl std::error::Error for LedgerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            _ => None,
        }
    }
}

impl Ledger {
    /// Opens the ledger at `path`, or makes one, and replays its lines.
    pub(crate) fn open<T>(
        path: &Path,
        plan: &Plan,
        if_exists: IfExists,
        repair: bool,
        replay: &mut Replay<T>,
    ) -> Result<Self, LedgerError> {
        let io_error = |error| LedgerError::Io(path.to_owned(), error);
        let mut file = open_locked(path)?;
        let overwrite = if_exists == IfExists::Overwrite;
        let head = Head::read(&file, path)?;
        if overwrite {
            file.set_len(0).map_err(io_error)?;
        }
        let mut contents = if overwrite || matches!(head, Head::Empty) {
            Contents::default()
        } else {
            Contents::read(&file, path, replay)?
        };
        // Whatever speaks against this ledger is said before a byte of it is changed.
        if let (Some(&(line, ..)), false) = (contents.damaged.first(), repair) {
            return Err(LedgerError::Damaged(path.to_owned(), line));
        }
        let begun = contents.plan.take();
        let name = begun
            .as_ref()
            .map_or_else(ledger_name, |line| line.ledger.clone());
        let differences = begun
            .as_ref()
            .map_or_else(Vec::new, |line| line.plan.differences(plan));
        if !differences.is_empty() && if_exists != IfExists::AdoptPlan {
            return Err(LedgerError::PlanDiffers(path.to_owned(), differences));
        }
        if !contents.damaged.is_empty() {
            let plan = begun.as_ref().map_or(plan, |line| &line.plan);
            let repaired = contents.repair(path, &file, &PlanLine::new(plan, &name));
            file = repaired.map_err(io_error)?;
        }
        file.set_len(contents.whole).map_err(io_error)?;
        file.seek(SeekFrom::End(0)).map_err(io_error)?;
        let mut length = contents.whole;
        if length == 0 || !differences.is_empty() {
            let mut line = Vec::new();
            PlanLine::new(plan, &name).write(&mut line);
            if let Err(error) = file.write_all(&line) {
                // The start of a plan must not stay: few bytes of it would not be known as ours.
                let _ = file.set_len(length);
                return Err(io_error(error));
            }
            if length == 0 {
                // A new file is there after a power cut only if its folder knows of it.
                sync_folder(path).map_err(io_error)?;
            }
            length += line.len() as u64;
        }
        Ok(Self {
            file,
            length,
            name,
            torn: contents.torn,
        })
    }
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Forces the names in a ledger's folder onto the disk, where the file system can do that.
fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(folder(path))?.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

/// How long a lock may be held by somebody who is just leaving: a command that a killed process was about to start has its
/// files open until it has begun.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// Opens for our eyes only, refuses a planted link, and locks: one process a ledger.
fn open_locked(path: &Path) -> Result<File, LedgerError> {
    let io_error = |error| LedgerError::Io(path.to_owned(), error);
    let start = Instant::now();
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
            .map_err(io_error)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // A repair may have put another file in its place meanwhile; the lock of the old one is worth nothing.
            Ok(()) if is_at(&file, path).map_err(io_error)? => return Ok(file),
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) if start.elapsed() < LOCK_PATIENCE => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LedgerError::Locked(path.to_owned()));
            }
            Err(error) => return Err(io_error(error.into())),
        }
    }
}

/// Whether `path` names this very file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What the start of a file says about it.
enum Head {
    /// Nothing, or the start of a first line whose writing was cut off.
    Empty,
    Ledger,
}

/// A file whose first line is longer is somebody else's; it may be one of many gigabytes, and is not read into memory to see that.
const MAX_PLAN: usize = 16 << 20;

impl Head {
    fn read(file: &File, path: &Path) -> Result<Self, LedgerError> {
        let mut lines = Lines::new(file, b'\n', MAX_PLAN);
        let first = lines
            .next()
            .map_err(|error| LedgerError::Io(path.to_owned(), error))?;
        let first = first.map(|line| {
            let may_be_plan = PlanLine::may_start_with(line.bytes);
            (
                line.terminated,
                may_be_plan,
                PlanLine::read(line.bytes).is_some(),
            )
        });
        let head = match first {
            None | Some((false, true, _)) => Self::Empty,
            // What is damaged is found when everything is read.
            Some((_, _, true) | (true, true, _)) => Self::Ledger,
            // Damage may have come to the very first bytes: then the second line tells.
            Some((true, ..)) if outcome_follows(&mut lines) => Self::Ledger,
            Some(_) => return Err(LedgerError::NotALedger(path.to_owned())),
        };
        let mut file = file;
        file.seek(SeekFrom::Start(0))
            .map_err(|error| LedgerError::Io(path.to_owned(), error))?;
        Ok(head)
    }
}

/// Whether the next line is an outcome with the right checksum.
fn outcome_follows(lines: &mut Lines<&File>) -> bool {
    lines.next().is_ok_and(|line| {
        line.is_some_and(|line| {
            checksum_holds(line.bytes) == Some(true) && Settled::read(line.bytes).is_some()
        })
    })
}

/// What a ledger holds.
#[derive(Default)]
struct Contents {
    /// The newest plan.
    plan: Option<PlanLine>,
    /// How many bytes are whole lines.
    whole: u64,
    /// How many bytes of a last line without an end follow.
    torn: u64,
    /// Number, start and length (line end included) of each damaged line.
    damaged: Vec<(u64, u64, u64)>,
}

impl Contents {
    fn read<T>(file: &File, path: &Path, replay: &mut Replay<T>) -> Result<Self, LedgerError> {
        let dir = folder(path);
        let mut contents = Self::default();
        let length = file.metadata().map(|metadata| metadata.len());
        let read = length.and_then(|length| {
            scan(file, Cut::new(length), |place, line| {
                let whole = place.length + 1;
                match line {
                    Line::Torn => {
                        contents.torn = place.length;
                        return Ok(());
                    }
                    Line::Outcome(settled) => replay.record(&settled, dir)?,
                    Line::Plan(plan) => contents.plan = Some(plan),
                    Line::Damaged => contents.damaged.push((place.number, place.offset, whole)),
                }
                contents.whole = place.offset + whole;
                Ok(())
            })
        });
        read.map_err(|error| LedgerError::Io(path.to_owned(), error))?;
        Ok(contents)
    }
}

impl Contents {
    /// Sets the damaged lines aside, and gives the file that is now the ledger. It begins with a plan as before: where that was
    /// what is damaged, with this one.
    fn repair(&mut self, path: &Path, file: &File, plan: &PlanLine) -> io::Result<File> {
        let mut first = Vec::new();
        if self.damaged.first().is_some_and(|&(line, ..)| line == 1) {
            plan.write(&mut first);
        }
        let repaired = set_aside(path, file, &first, &self.damaged)?;
        self.whole = repaired.metadata()?.len() - self.torn;
        Ok(repaired)
    }
}

/// Moves damaged lines into `PATH.damaged`: the good lines are copied to a new file, after `first`, that then takes the ledger's
/// name.
fn set_aside(
    path: &Path,
    file: &File,
    first: &[u8],
    damaged: &[(u64, u64, u64)],
) -> io::Result<File> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut aside = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(beside(".damaged"))?;
    let whole = beside(".repaired");
    let _ = fs::remove_file(&whole);
    let mut good = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&whole)?;
    flock(&good, FlockOperation::NonBlockingLockExclusive)?;
    good.write_all(first)?;
    let mut from = file;
    let mut at = 0;
    for &(_, start, length) in damaged {
        copy(&mut from, at, start - at, &mut good)?;
        copy(&mut from, start, length, &mut aside)?;
        at = start + length;
    }
    let end = file.metadata()?.len();
    copy(&mut from, at, end - at, &mut good)?;
    aside.sync_all()?;
    good.sync_all()?;
    fs::rename(&whole, path)?;
    sync_folder(path)?;
    Ok(good)
}

fn copy(from: &mut &File, start: u64, length: u64, to: &mut File) -> io::Result<()> {
    from.seek(SeekFrom::Start(start))?;
    io::copy(&mut io::Read::take(from, length), to)?;
    Ok(())
}
