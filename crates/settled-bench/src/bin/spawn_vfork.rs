//! The floor of spawning: a thread per slot, `clone(CLONE_VM | CLONE_VFORK)` by hand.
//!
//! glibc's `posix_spawn` asks for all 64 signal handlers in each child (121 `rt_sigaction` calls);
//! a process that keeps its signals blocked needs none of that. `spawn_vfork N JOBS null|pipe
//! COMMAND`, as `spawn_posix`.

use std::error::Error;
use std::ffi::{CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use settled_bench::reference::{Capture, arguments, in_slots, succeeded};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Words of the child's stack, which it uses until its exec.
const STACK: usize = 64 * 1024 / size_of::<u128>();

/// What the child needs to know, and its errno if exec failed.
struct Start {
    path: *const c_char,
    argv: *const *const c_char,
    output: c_int,
    mask: libc::sigset_t,
    error: c_int,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = arguments::<4>("spawn_vfork N JOBS null|pipe COMMAND");
    let piped = args[2] == "pipe";
    let command = CString::new(args[3].as_str())?;
    in_slots(args[0].parse()?, args[1].parse()?, || {
        let mut capture = Capture::new(piped);
        let mut stack = vec![0_u128; STACK];
        let (command, mask) = (command.clone(), block_signals());
        move |i| run(&command, i, mask, &mut stack, &mut capture)
    })
}

/// Blocks every signal in this thread and returns the mask that was.
fn block_signals() -> libc::sigset_t {
    let (mut every, mut old) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: sigfillset and pthread_sigmask write the whole set that they are given.
    unsafe {
        libc::sigfillset(every.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, every.as_ptr(), old.as_mut_ptr());
        old.assume_init()
    }
}

fn run(
    command: &CString,
    i: usize,
    mask: libc::sigset_t,
    stack: &mut [u128],
    capture: &mut Capture,
) -> bool {
    let argument = CString::new(i.to_string()).expect("digits have no NUL");
    let argv = [command.as_ptr(), argument.as_ptr(), null()];
    let pipe = capture.open();
    let mut start = Start {
        path: command.as_ptr(),
        argv: argv.as_ptr(),
        output: pipe.as_ref().map_or(-1, |pipe| pipe.write_end()),
        mask,
        error: 0,
    };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: CLONE_VFORK stops this thread until the child has called exec or _exit, so everything
    // the child reads (`start`, `argv`, the strings) and its stack outlive its use of them; the
    // stack is 16-byte aligned and is used by one child at a time. Signals are blocked, so no
    // handler runs in the child on our memory.
    let pid = unsafe {
        let top = stack.as_mut_ptr_range().end.cast();
        libc::clone(child, top, flags, (&raw mut start).cast::<c_void>())
    };
    assert!(pid > 0 && start.error == 0, "clone or exec failed");
    capture.read(pipe);
    succeeded(pid)
}

/// Runs in the child, on its own stack but in the parent's memory: only async-signal-safe calls
/// from here to the exec.
extern "C" fn child(start: *mut c_void) -> c_int {
    // SAFETY: the parent passed a `Start` and waits until we are done with it; nothing else refers
    // to it.
    unsafe {
        let start = &mut *start.cast::<Start>();
        if start.output >= 0 {
            libc::dup2(start.output, 1);
            libc::dup2(start.output, 2);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &start.mask, null_mut());
        libc::execve(start.path, start.argv, environ);
        start.error = *libc::__errno_location();
        libc::_exit(127)
    }
}
