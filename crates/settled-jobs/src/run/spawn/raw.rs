//! Starting a process with `clone(CLONE_VM | CLONE_VFORK)`: the only unsafe file of this crate.
//!
//! The child runs [`child`] in *our* memory, on a stack of its own, while the calling thread is suspended until the child has
//! called `execve` or `_exit`. Nothing is copied, so the cost does not grow with our memory. It is sound because:
//!
//! 1. *Everything is prepared before.* Strings, pointer arrays, descriptors and the list of signals lie in memory that is
//!    borrowed for the whole call; the child allocates nothing and frees nothing.
//! 2. *The child takes no lock and can't panic.* It makes system calls through libc's async-signal-safe functions and steps
//!    through arrays that end with NULL; no checked arithmetic, no indexing of slices, no formatting.
//! 3. *The child's stack is its own*: [`Stack`], 64 KiB, 16-aligned, of which it needs a few hundred bytes plus what libc takes;
//!    it is borrowed mutably for the call, and the call does not return before the child has left it (`CLONE_VFORK`).
//! 4. *No handler of ours runs in the child.* All signals are blocked in the calling thread from before the clone until after
//!    it; the child inherits that mask, and puts every signal that has a handler in us back to default before it opens the mask.
//!    Without `CLONE_SIGHAND` the child has its own table of handlers, so that doesn't touch us. (A handler that is installed
//!    after the list was made could still run in the child, in the moment between opening the mask and `execve`.)
//! 5. *What the child tells us* ([`Told`]) is written by it through a raw pointer into an `UnsafeCell`, and read by us only after
//!    the clone has returned; no reference to it exists meanwhile. The same goes for the argument array's first two places.
//! 6. *The thread-local errno is shared* with the suspended thread: the child reads it right after its own failed call, and we
//!    read it only where the clone itself failed, that is where there is no child.
//! 7. *Descriptors*: without `CLONE_FILES` the child has its own table, so `dup2` there doesn't touch us. Each of the three
//!    sources is 3 or more (checked), so a `dup2` onto 0, 1 or 2 neither overwrites a source nor leaves close-on-exec set.
//!    Everything else that we own is close-on-exec.
//! 8. *No lazy binding*: Rust links with `-z now`, so a call into libc never enters the dynamic linker's resolver.
//!
//! Where the memory is not really shared (an emulator that makes a fork of it) all this holds as well, but a failure to start
//! shows as exit status 127.

use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr::{null, null_mut};

use rustix::process::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::super::strings::Strings;
use super::{Refused, Stage};

/// All that a child is made of.
#[derive(Debug)]
pub(super) struct Image<'a> {
    /// Paths of the program, to be tried in this order.
    pub(super) candidates: &'a [CString],
    /// Arguments, the program's name first.
    pub(super) argv: &'a Strings,
    pub(super) env: &'a Strings,
    pub(super) cwd: Option<&'a CStr>,
    /// What becomes standard input, output and error; none of them is itself 0, 1 or 2.
    pub(super) stdio: [BorrowedFd<'a>; 3],
    /// The signals that are put back to default.
    pub(super) reset: &'a [c_int],
    /// Our own process id.
    pub(super) parent: Pid,
}

/// A child that runs its program.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) pid: Pid,
    /// Readable when the child has ended.
    pub(super) pidfd: OwnedFd,
    /// Which of the candidates it was.
    pub(super) candidate: usize,
}

/// The stack that children run on until they are programs of their own.
pub(super) struct Stack(Box<[u128]>);

impl Stack {
    pub(super) fn new() -> Self {
        Self(vec![0; (64 << 10) / size_of::<u128>()].into())
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stack")
    }
}

/// What the child reads. Each array ends with NULL, and `reset` with 0.
struct Start {
    candidates: *const *const c_char,
    /// A free place, then the arguments: room for the name of a shell.
    argv: *mut *const c_char,
    env: *const *const c_char,
    /// May be null.
    cwd: *const c_char,
    stdio: [RawFd; 3],
    reset: *const c_int,
    parent: c_int,
    told: *mut Told,
}

/// What the child tells us.
struct Told {
    stage: Stage,
    /// 0 as long as all went well.
    errno: c_int,
    /// How many candidates were passed over.
    candidate: usize,
}

/// Starts a child. It leads a process group of its own, and is killed when the calling thread ends before it.
pub(super) fn spawn(stack: &mut Stack, image: &Image<'_>) -> Result<Started, Refused> {
    let stdio = image.stdio.each_ref().map(AsRawFd::as_raw_fd);
    assert!(stdio.iter().all(|&fd| fd > 2), "invariant 7");
    let candidates: Vec<_> = image
        .candidates
        .iter()
        .map(|path| path.as_ptr())
        .chain([null()])
        .collect();
    let mut argv = Vec::with_capacity(image.argv.len() + 2);
    argv.push(null());
    pointers(image.argv, &mut argv);
    let mut env = Vec::with_capacity(image.env.len() + 1);
    pointers(image.env, &mut env);
    let reset: Vec<_> = image.reset.iter().copied().chain([0]).collect();
    let told = UnsafeCell::new(Told {
        stage: Stage::Group,
        errno: 0,
        candidate: 0,
    });
    let mut start = Start {
        candidates: candidates.as_ptr(),
        argv: argv.as_mut_ptr(),
        env: env.as_ptr(),
        cwd: image.cwd.map_or(null(), CStr::as_ptr),
        stdio,
        reset: reset.as_ptr(),
        parent: image.parent.as_raw_nonzero().get(),
        told: told.get(),
    };
    let (pid, pidfd) = clone(stack, &mut start).map_err(|error| Refused {
        stage: Stage::Clone,
        error,
    })?;
    let Told {
        stage,
        errno,
        candidate,
    } = told.into_inner();
    if errno == 0 {
        return Ok(Started {
            pid,
            pidfd,
            candidate,
        });
    }
    // It is in `_exit` already, so this does not wait for anything.
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(
        rustix::process::WaitId::Pid(pid),
        rustix::process::WaitIdOptions::EXITED,
    ) {}
    Err(Refused {
        stage,
        error: io::Error::from_raw_os_error(errno),
    })
}

/// Pointers to each of `strings`, then NULL.
fn pointers(strings: &Strings, out: &mut Vec<*const c_char>) {
    // `Strings` guarantees a NUL at the end of each.
    out.extend(
        strings
            .iter()
            .map(|string| string.as_ptr().cast::<c_char>()),
    );
    out.push(null());
}

fn clone(stack: &mut Stack, start: &mut Start) -> io::Result<(Pid, OwnedFd)> {
    let (mut every, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the sets are initialised before they are read (`sigfillset`, the third argument of `pthread_sigmask`). `child` gets
    // a pointer to a `Start` whose arrays live until this returns, and a stack that nobody else uses (invariants 1 to 8). The end
    // of the stack is in bounds of its allocation, one past its last element. With CLONE_PIDFD the fifth argument is where the
    // kernel stores the descriptor.
    let pid = unsafe {
        libc::sigfillset(every.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, every.as_ptr(), before.as_mut_ptr());
        let top = stack.0.as_mut_ptr_range().end.cast::<c_void>();
        let pid = libc::clone(child, top, flags, (&raw mut *start).cast(), &raw mut pidfd);
        let error = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), null_mut());
        if pid > 0 { Ok(pid) } else { Err(error) }
    }?;
    // SAFETY: the kernel gave us this descriptor, and nobody else knows it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("clone gave no process id"))?;
    Ok((pid, pidfd))
}

/// What runs in the child: invariant 2 is about this function and those that it calls.
extern "C" fn child(start: *mut c_void) -> c_int {
    // SAFETY: `clone` passes a pointer to a `Start` that outlives the child's use of our memory; its arrays end as promised.
    unsafe {
        let start = start.cast::<Start>();
        prepare(start);
        (*(*start).told).stage = Stage::Exec;
        exec(start);
        libc::_exit(127)
    }
}

/// Leaves with what went wrong at the stage that was noted last.
///
/// # Safety
/// In the child only; `start` as in [`child`].
unsafe fn fail(start: *const Start) -> ! {
    // SAFETY: by the contract of this function; errno was set by the call that failed (invariant 6).
    unsafe {
        (*(*start).told).errno = *libc::__errno_location();
        libc::_exit(127)
    }
}

/// # Safety
/// In the child only; `start` as in [`child`].
unsafe fn prepare(start: *const Start) {
    // SAFETY: by the contract of this function. A zeroed `sigaction` is SIG_DFL with an empty mask and no flags.
    unsafe {
        let told = (*start).told;
        if libc::setpgid(0, 0) != 0 || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            fail(start);
        }
        if libc::getppid() != (*start).parent {
            libc::_exit(127); // We were killed before the line above; nobody is left to be told.
        }
        (*told).stage = Stage::Stdio;
        let [input, output, error] = (*start).stdio;
        if libc::dup2(input, 0) < 0 || libc::dup2(output, 1) < 0 || libc::dup2(error, 2) < 0 {
            fail(start);
        }
        (*told).stage = Stage::Cwd;
        if !(*start).cwd.is_null() && libc::chdir((*start).cwd) != 0 {
            fail(start);
        }
        (*told).stage = Stage::Group;
        let default: libc::sigaction = MaybeUninit::zeroed().assume_init();
        let mut signal = (*start).reset;
        while *signal != 0 {
            libc::sigaction(*signal, &raw const default, null_mut());
            signal = signal.wrapping_add(1);
        }
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), null_mut());
    }
}

/// Becomes the first candidate that can be run, by the rules of `execvp`: one that is not there, or not allowed, is passed over;
/// one that is no binary is run by the shell.
///
/// # Safety
/// In the child only; `start` as in [`child`].
unsafe fn exec(start: *const Start) {
    // SAFETY: by the contract of this function; `argv` has a free place before the first argument.
    unsafe {
        let (argv, told) = ((*start).argv, (*start).told);
        let (mut candidate, mut errno) = ((*start).candidates, libc::ENOENT);
        while !(*candidate).is_null() {
            libc::execve(*candidate, argv.wrapping_add(1), (*start).env);
            if *libc::__errno_location() == libc::ENOEXEC {
                *argv = c"/bin/sh".as_ptr();
                *argv.wrapping_add(1) = *candidate;
                libc::execve(*argv, argv, (*start).env);
                fail(start);
            }
            match *libc::__errno_location() {
                libc::EACCES => errno = libc::EACCES,
                libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
                _ => fail(start),
            }
            candidate = candidate.wrapping_add(1);
            (*told).candidate = (*told).candidate.wrapping_add(1);
        }
        (*told).errno = errno;
    }
}

/// Has the runtime watch a descriptor.
pub(super) fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: it is open, and stays open and the same as long as the `AsyncFd` owns it.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

/// The signals that a child has to put back to default: those that have a handler in this process, and SIGPIPE, which every Rust
/// program ignores. What else is ignored stays so (`nohup`).
pub(super) fn signals_to_reset() -> Vec<c_int> {
    let handled = |&signal: &c_int| {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: without a new action this only writes the present one; where it fails (a signal of libc's own), it is not read.
        unsafe {
            libc::sigaction(signal, null(), action.as_mut_ptr()) == 0
                && ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.assume_init_ref().sa_sigaction)
        }
    };
    let mut signals: Vec<_> = (1..=64).filter(handled).collect();
    if !signals.contains(&libc::SIGPIPE) {
        signals.push(libc::SIGPIPE);
    }
    signals
}

/// Takes back an inherited `SIG_IGN` of SIGCHLD: under it the kernel reaps children by itself, and their status is lost.
pub(super) fn keep_child_statuses() {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the present action is read only if it was written; a default action has no handler that could be unsound.
    unsafe {
        if libc::sigaction(libc::SIGCHLD, null(), action.as_mut_ptr()) == 0
            && action.assume_init_ref().sa_sigaction == libc::SIG_IGN
        {
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        }
    }
}

/// Has the child of `command` killed when the calling thread ends before it.
pub(super) fn die_with_parent(command: &mut Command, parent: Pid) {
    let parent = parent.as_raw_nonzero().get();
    let hook = move || {
        // SAFETY: two system calls without pointers.
        let (asked, now) = unsafe {
            (
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL),
                libc::getppid(),
            )
        };
        if asked != 0 {
            return Err(io::Error::last_os_error());
        }
        if now == parent {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::ESRCH))
        }
    };
    // SAFETY: the hook makes two async-signal-safe calls and allocates nothing (an error number is kept inline).
    unsafe { command.pre_exec(hook) };
}
