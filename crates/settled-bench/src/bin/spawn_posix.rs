//! A thread per slot, `posix_spawn` and `waitpid`: what libc allows.
//!
//! `spawn_posix N JOBS null|pipe COMMAND`. With `pipe` one pipe takes standard output and error of
//! the child and is read to its end before the child is waited for.

use std::error::Error;
use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use settled_bench::reference::{Capture, arguments, in_slots, succeeded};

unsafe extern "C" {
    static environ: *const *mut c_char;
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = arguments::<4>("spawn_posix N JOBS null|pipe COMMAND");
    let piped = args[2] == "pipe";
    let command = CString::new(args[3].as_str())?;
    in_slots(args[0].parse()?, args[1].parse()?, || {
        let mut capture = Capture::new(piped);
        let command = command.clone();
        move |i| run(&command, i, &mut capture)
    })
}

fn run(command: &CString, i: usize, capture: &mut Capture) -> bool {
    let argument = CString::new(i.to_string()).expect("digits have no NUL");
    let argv = [
        command.as_ptr().cast_mut(),
        argument.as_ptr().cast_mut(),
        null_mut(),
    ];
    let pipe = capture.open();
    let mut pid = 0;
    // SAFETY: the actions are initialised before they are used and destroyed after; `argv` and its
    // strings live until posix_spawn has returned, and it copies them; `environ` is not changed by
    // this program.
    let error = unsafe {
        let mut actions = MaybeUninit::uninit();
        libc::posix_spawn_file_actions_init(actions.as_mut_ptr());
        if let Some(pipe) = &pipe {
            libc::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), pipe.write_end(), 1);
            libc::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), pipe.write_end(), 2);
        }
        let error = libc::posix_spawn(
            &mut pid,
            command.as_ptr(),
            actions.as_ptr(),
            null(),
            argv.as_ptr(),
            environ,
        );
        libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr());
        error
    };
    assert_eq!(error, 0, "posix_spawn failed");
    capture.read(pipe);
    succeeded(pid)
}
