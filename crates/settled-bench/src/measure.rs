//! One command, run alone to its end: how long, how much CPU, how much memory, how many lines.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::child::{Child, Ended, Start};
use crate::error::{Doing, Result};
use crate::interrupt::Interrupt;

/// What one run of one command cost.
#[derive(Debug)]
pub struct Measured {
    /// Its time, CPU and memory.
    pub ended: Ended,
    /// Lines on its standard output.
    pub stdout_lines: u64,
    /// What went wrong: a status other than 0, or the time limit; with the end of what it said on
    /// standard error.
    pub fault: Option<String>,
}

/// Runs the command to its end, at most for `limit`; its output goes to files in `dir`.
///
/// # Errors
/// If it can't be started, or a signal arrived. A command that fails is no error, see
/// [`Measured::fault`].
pub fn run(
    command: &mut Command,
    limit: Duration,
    dir: &Path,
    interrupt: &Interrupt,
) -> Result<Measured> {
    let (stdout, stderr) = (dir.join("stdout"), dir.join("stderr"));
    command.stdout(create(&stdout)?).stderr(create(&stderr)?);
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = Child::start(command, Start::default()).doing(format!("starting {name}"))?;
    let (ended, late) = match child.wait(limit, interrupt)? {
        Some(ended) => (ended, false),
        None => (child.kill()?, true),
    };
    let said = tail(&stderr);
    let fault = if late {
        Some(format!("not done in {} s {said}", limit.as_secs()))
    } else {
        describe(ended.status).map(|how| format!("{how} {said}"))
    };
    let stdout_lines = lines(&stdout).doing("counting lines")?;
    Ok(Measured {
        ended,
        stdout_lines,
        fault: fault.map(|fault| fault.trim_end().to_owned()),
    })
}

/// How a status other than success is called.
#[must_use]
pub fn describe(status: i32) -> Option<String> {
    match status {
        0 => None,
        1.. => Some(format!("exit {status}")),
        _ => Some(format!("signal {}", -status)),
    }
}

/// How many lines a file has; 0 if there is none.
///
/// # Errors
/// If it can't be read.
pub fn lines(path: &Path) -> io::Result<u64> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let (mut buffer, mut lines) = (vec![0; 64 * 1024], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(lines),
            got => lines += buffer[..got].iter().filter(|byte| **byte == b'\n').count() as u64,
        }
    }
}

/// The end of what a command said, on one line.
#[must_use]
pub fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let end = String::from_utf8_lossy(&text[text.len().saturating_sub(160)..]).into_owned();
    end.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn create(path: &Path) -> Result<Stdio> {
    File::create(path)
        .map(Stdio::from)
        .doing(format!("creating {}", path.display()))
}
