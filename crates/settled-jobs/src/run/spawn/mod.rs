//! Starting a command: prepared here, then started the fast way ([`raw`]) or the standard library's ([`portable`]).

mod paths;
mod portable;
#[cfg(target_os = "linux")]
mod raw;
mod stdio;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Pid;

use super::child::{Child, Exit};
use super::config::{RunConfig, Spawner};
use super::spec::{Changes, CommandSpec};
use super::strings::Strings;
use paths::Paths;

/// What all cores share.
#[derive(Debug)]
pub(super) struct Common {
    /// `/dev/null`, for reading and writing.
    null: OwnedFd,
    /// Our environment as it was at the start.
    env: Strings,
    /// The fast way is not wanted, or was refused.
    portable: AtomicBool,
    stdout: bool,
    stderr: bool,
}

impl Common {
    pub(super) fn new(config: &RunConfig) -> io::Result<Self> {
        let portable = config.spawner == Spawner::Portable || !fast_way_exists();
        let null = stdio::null()?;
        let (stdout, stderr) = (config.keep_stdout, config.keep_stderr);
        Ok(Self {
            null,
            env: environment(),
            portable: AtomicBool::new(portable),
            stdout,
            stderr,
        })
    }
}

/// Linux 5.3: there `clone` gives a pidfd, which older kernels leave away without a word.
fn fast_way_exists() -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{PidfdFlags, getpid, pidfd_open};
        pidfd_open(getpid(), PidfdFlags::empty()).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    false
}

fn environment() -> Strings {
    use std::os::unix::ffi::OsStrExt;
    let mut env = Strings::default();
    for (name, value) in std::env::vars_os() {
        // What came in as a C string has no NUL inside.
        let _ = env.push(&[name.as_bytes(), b"=", value.as_bytes()].concat());
    }
    env
}

/// Starts commands on one thread.
#[derive(Debug)]
pub(super) struct Launcher {
    common: Arc<Common>,
    paths: Paths,
    parent: Pid,
    #[cfg(target_os = "linux")]
    stack: raw::Stack,
    #[cfg(target_os = "linux")]
    reset: Vec<libc::c_int>,
}

/// A command that runs, and the ends of its pipes that are ours; a stream that isn't kept has none.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) child: Child,
    /// Not blocking.
    pub(super) stdout: Option<OwnedFd>,
    /// Not blocking.
    pub(super) stderr: Option<OwnedFd>,
}

/// Where it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Pipes, and the file for standard input.
    Pipes,
    /// Making the process.
    Clone,
    /// Its process group and signals.
    Group,
    /// Its standard streams.
    Stdio,
    /// Its working directory.
    Cwd,
    /// Becoming the program.
    Exec,
    /// The process runs, but can't be watched: it was killed again.
    Watch,
}

/// A command that could not be started.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) stage: Stage,
    pub(super) error: io::Error,
}

impl Launcher {
    pub(super) fn new(common: Arc<Common>) -> Self {
        #[cfg(target_os = "linux")]
        raw::keep_child_statuses();
        Self {
            paths: Paths::of(&common.env),
            common,
            parent: rustix::process::getpid(),
            #[cfg(target_os = "linux")]
            stack: raw::Stack::new(),
            #[cfg(target_os = "linux")]
            reset: raw::signals_to_reset(),
        }
    }

    /// Starts `spec`. Nothing of it is left when this fails.
    pub(super) fn launch(&mut self, spec: &CommandSpec) -> Result<Launched, Refused> {
        let common = self.common.clone();
        let pipes = |error| Refused {
            stage: Stage::Pipes,
            error,
        };
        let stdin = spec
            .stdin
            .as_deref()
            .map(stdio::file_of)
            .transpose()
            .map_err(pipes)?;
        let stdout = common
            .stdout
            .then(stdio::Pipe::new)
            .transpose()
            .map_err(pipes)?;
        let stderr = common
            .stderr
            .then(stdio::Pipe::new)
            .transpose()
            .map_err(pipes)?;
        let (mut ours, mut theirs) = ([None, None], [None, None]);
        for (index, pipe) in [stdout, stderr].into_iter().enumerate() {
            if let Some(pipe) = pipe {
                ours[index] = Some(pipe.read);
                theirs[index] = Some(pipe.write);
            }
        }
        let [stdout, stderr] = ours;
        let child = self.child(spec, [stdin, theirs[0].take(), theirs[1].take()])?;
        Ok(Launched {
            child,
            stdout,
            stderr,
        })
    }

    #[cfg(target_os = "linux")]
    fn child(&mut self, spec: &CommandSpec, stdio: [Option<OwnedFd>; 3]) -> Result<Child, Refused> {
        if self.common.portable.load(Ordering::Relaxed) {
            return self.portable(spec, stdio);
        }
        match self.fast(spec, &stdio) {
            Err(Refused {
                stage: Stage::Clone,
                error,
            }) if is_forbidden(&error) => {
                self.common.portable.store(true, Ordering::Relaxed);
                self.portable(spec, stdio)
            }
            result => result,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn child(&mut self, spec: &CommandSpec, stdio: [Option<OwnedFd>; 3]) -> Result<Child, Refused> {
        self.portable(spec, stdio)
    }

    #[cfg(target_os = "linux")]
    fn fast(&mut self, spec: &CommandSpec, stdio: &[Option<OwnedFd>; 3]) -> Result<Child, Refused> {
        let program = spec.argv.iter().next().unwrap_or_default();
        let candidates = self.paths.candidates(program, spec.env.as_deref());
        let changed = spec
            .env
            .as_deref()
            .map(|changes: &Changes| changes.apply(&self.common.env));
        let null = &self.common.null;
        let image = raw::Image {
            candidates: &candidates,
            argv: &spec.argv,
            env: changed.as_ref().unwrap_or(&self.common.env),
            cwd: spec.cwd.as_deref(),
            stdio: stdio
                .each_ref()
                .map(|fd| fd.as_ref().unwrap_or(null).as_fd()),
            reset: &self.reset,
            parent: self.parent,
        };
        let started = raw::spawn(&mut self.stack, &image)?;
        self.paths.found(program, &candidates, started.candidate);
        let mut child = Child::new(started.pid);
        let watch = |error| Refused {
            stage: Stage::Watch,
            error,
        };
        child.watch(Exit::Pidfd(raw::readable(started.pidfd).map_err(watch)?));
        Ok(child)
    }

    fn portable(
        &mut self,
        spec: &CommandSpec,
        stdio: [Option<OwnedFd>; 3],
    ) -> Result<Child, Refused> {
        let null = || {
            self.common.null.try_clone().map_err(|error| Refused {
                stage: Stage::Pipes,
                error,
            })
        };
        let [stdin, stdout, stderr] = stdio.map(|fd| fd.map_or_else(null, Ok));
        portable::spawn(spec, [stdin?, stdout?, stderr?], self.parent)
    }
}

/// A sandbox, or a kernel, that does not know or allow this way of starting a process.
#[cfg(target_os = "linux")]
fn is_forbidden(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOSYS | libc::EINVAL | libc::EPERM)
    )
}
