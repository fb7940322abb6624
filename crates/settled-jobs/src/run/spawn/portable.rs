//! Starting a command as the standard library does, with a thread that waits for it: slower, and for every Unix.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use rustix::process::Pid;
use tokio::sync::oneshot;

use super::super::child::{Child, Exit, wait_without_reaping};
use super::super::spec::CommandSpec;
use super::{Refused, Stage};

/// What a thread that only waits needs.
const STACK: usize = 64 << 10;

pub(super) fn spawn(
    spec: &CommandSpec,
    stdio: [OwnedFd; 3],
    parent: Pid,
) -> Result<Child, Refused> {
    // The thread comes first: where there can be none, nothing has been started yet.
    let (pid, ended) = waiter().map_err(|error| Refused {
        stage: Stage::Clone,
        error,
    })?;
    let mut command = command(spec, stdio);
    #[cfg(target_os = "linux")]
    super::raw::die_with_parent(&mut command, parent);
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    let started = command.spawn().map_err(|error| refused(spec, error))?;
    let process = i32::try_from(started.id()).ok().and_then(Pid::from_raw);
    let process = process.ok_or_else(|| Refused {
        stage: Stage::Clone,
        error: io::Error::other("no process id"),
    })?;
    let mut child = Child::new(process);
    // The thread waits for exactly this message.
    let _ = pid.send(process);
    child.watch(Exit::Thread(ended));
    Ok(child)
}

fn command(spec: &CommandSpec, stdio: [OwnedFd; 3]) -> Command {
    let mut args = spec.argv.iter().map(OsStr::from_bytes);
    let mut command = Command::new(args.next().unwrap_or_default());
    let [stdin, stdout, stderr] = stdio;
    command
        .args(args)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    if let Some(changes) = &spec.env {
        for variable in changes.set.iter() {
            let (name, value) =
                variable.split_at(memchr::memchr(b'=', variable).unwrap_or(variable.len()));
            command.env(
                OsStr::from_bytes(name),
                OsStr::from_bytes(value.get(1..).unwrap_or_default()),
            );
        }
        for name in changes.removed.iter() {
            command.env_remove(OsStr::from_bytes(name));
        }
    }
    if let Some(cwd) = &spec.cwd {
        command.current_dir(OsStr::from_bytes(cwd.to_bytes()));
    }
    command
}

/// A thread that is told a process and tells when that has ended. If it is told none, it ends.
fn waiter() -> io::Result<(mpsc::Sender<Pid>, oneshot::Receiver<()>)> {
    let (tell, told) = mpsc::channel();
    let (ended, wait) = oneshot::channel();
    let work = move || {
        if let Ok(pid) = told.recv() {
            wait_without_reaping(pid);
        }
        drop(ended);
    };
    thread::Builder::new()
        .name("settled-wait".to_owned())
        .stack_size(STACK)
        .spawn(work)?;
    Ok((tell, wait))
}

/// The standard library doesn't say whether it was the directory or the program that is missing.
fn refused(spec: &CommandSpec, error: io::Error) -> Refused {
    match spec.cwd.as_deref().map(can_be_entered) {
        Some(Err(errno)) => Refused {
            stage: Stage::Cwd,
            error: errno.into(),
        },
        _ => Refused {
            stage: Stage::Exec,
            error,
        },
    }
}

fn can_be_entered(directory: &CStr) -> rustix::io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, open};
    open(
        directory,
        OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map(drop)
    .or_else(|errno| match errno {
        // One that can't be listed may well be entered.
        rustix::io::Errno::ACCESS => accessat(CWD, directory, Access::EXEC_OK, AtFlags::EACCESS),
        errno => Err(errno),
    })
}
