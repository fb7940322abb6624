//! The harness of `cargo xtask bench`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use settled_bench::error::{Doing, Error, Result};
use settled_bench::interrupt::Interrupt;
use settled_bench::library::{self, tables};
use settled_bench::lock::Lock;
use settled_bench::options::{Bench, Common, Options};
use settled_bench::peer::Toolbox;
use settled_bench::{fetch, list, spawn};
use tempfile::TempDir;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options.bench) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                Error::Interrupted(signal) => ExitCode::from(128 + signal.unsigned_abs() as u8),
                Error::Refused(_) | Error::Io { .. } => ExitCode::FAILURE,
            }
        }
    }
}

fn run(bench: &Bench) -> Result<()> {
    let (common, dir) = match bench {
        Bench::Fetch(options) => (&options.common, options.common.memory_dir()),
        Bench::Spawn(options) => (&options.common, options.common.memory_dir()),
        Bench::List(options) => (&options.common, options.common.disk_dir()),
        Bench::All(options)
        | Bench::Map(options)
        | Bench::Timeout(options)
        | Bench::Cancel(options)
        | Bench::Semaphore(options) => (&options.common, options.common.memory_dir()),
    };
    let interrupt = Interrupt::catch()?;
    let _lock = Lock::take(&interrupt)?;
    let toolbox = toolbox(common)?;
    // Removed, with everything in it, when this function is left.
    let work = work_dir(dir)?;
    let library = |options, parts| library::run(options, parts, &toolbox, work.path(), &interrupt);
    match bench {
        Bench::Fetch(options) => fetch::run(options, &toolbox, work.path(), &interrupt),
        Bench::Spawn(options) => spawn::run(options, &toolbox, work.path(), &interrupt),
        Bench::List(options) => list::run(options, &toolbox, work.path(), &interrupt),
        Bench::All(options) => library(options, tables::ALL),
        Bench::Map(options) => library(options, tables::MAP),
        Bench::Timeout(options) => library(options, tables::TIMEOUT),
        Bench::Cancel(options) => library(options, tables::CANCEL),
        Bench::Semaphore(options) => library(options, tables::SEMAPHORE),
    }
}

fn toolbox(common: &Common) -> Result<Toolbox> {
    let dir = std::path::absolute(common.tools()).doing("finding the folder of peers")?;
    let this = std::env::current_exe().doing("finding the references")?;
    // Cargo puts all binaries of a package into one folder.
    let references = this.with_file_name("");
    Ok(Toolbox {
        dir,
        references,
        settled: common.settled.clone(),
    })
}

fn work_dir(parent: PathBuf) -> Result<TempDir> {
    let what = format!("making a folder in {}", parent.display());
    tempfile::Builder::new()
        .prefix("settled-bench.")
        .tempdir_in(parent)
        .doing(what)
}
