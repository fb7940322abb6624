//! Where outcome lines go, and what is there already.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use settled_jobs::{Format, IfExists, Opened, Output, Plan, Redo, Source, Work};

use crate::exit::Stop;
use crate::flags::{InputArgs, InputFormat, OutputArgs};
use crate::show::say;

/// Opens the list.
pub(crate) fn source(args: &InputArgs, entries: &[String]) -> Result<Source, Stop> {
    let source = match &args.file {
        Some(_) if !entries.is_empty() => {
            return Err(Stop::usage(
                "the list comes from -i or from the arguments, not from both",
            ));
        }
        _ if !entries.is_empty() => Source::of_entries(entries),
        Some(path) if path.as_os_str() != "-" => Source::open(path)
            .map_err(|error| Stop::usage(format!("-i {}: {error}", path.display())))?,
        _ => {
            if io::stdin().is_terminal() {
                say!(
                    "settled: reading the list from the terminal: a line each, Ctrl-D ends it (-i FILE reads a file)"
                );
            }
            Source::stdin().map_err(|error| Stop::usage(format!("standard input: {error}")))?
        }
    };
    let format = match args.input_format {
        InputFormat::Auto => Format::Auto,
        InputFormat::Lines => Format::Lines,
        InputFormat::Jsonl => Format::Jsonl,
    };
    let max_line = usize::try_from(args.max_line).unwrap_or(usize::MAX);
    Ok(source
        .format(format)
        .nul_separated(args.nul)
        .max_line(max_line))
}

/// Opens the output: a ledger, where `-o` names a regular file or a new one, else a stream of lines.
pub(crate) fn open<W: Work>(args: &OutputArgs, plan: &Plan) -> Result<Opened<W>, Stop> {
    output(args)?.open(plan).map_err(|error| match error {
        settled_jobs::LedgerError::PlanDiffers(..) => Stop::usage(error),
        _ => Stop::ledger(error),
    })
}

fn output(args: &OutputArgs) -> Result<Output, Stop> {
    let Some(path) = args
        .output
        .as_deref()
        .filter(|path| path.as_os_str() != "-")
    else {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        return stdout
            .map(|fd| Output::Stream(File::from(fd)))
            .map_err(|error| Stop::ledger(format!("standard output: {error}")));
    };
    let existing = fs::metadata(path);
    if existing.as_ref().is_ok_and(fs::Metadata::is_dir) {
        return Err(Stop::usage(format!(
            "-o {}: it is a directory",
            path.display()
        )));
    }
    if existing.is_ok_and(|existing| !existing.is_file()) {
        let file = OpenOptions::new().write(true).open(path);
        return file
            .map(Output::Stream)
            .map_err(|error| Stop::ledger(format!("-o {}: {error}", path.display())));
    }
    let if_exists = match (args.overwrite, args.adopt_plan) {
        (true, _) => IfExists::Overwrite,
        (false, true) => IfExists::AdoptPlan,
        (false, false) => IfExists::Resume,
    };
    let path = path.to_owned();
    Ok(Output::Ledger {
        path,
        if_exists,
        repair: args.repair,
        redo: redo(&args.redo)?,
        fsync: args.fsync,
    })
}

fn redo(names: &[String]) -> Result<Redo, Stop> {
    let mut redo = Redo::default();
    for name in names {
        match name.trim() {
            "changed" => redo.changed = true,
            name => redo.add(name.parse().map_err(|_| {
                Stop::usage(format!(
                    "--redo {name}: one of rejected, timed_out, cancelled, panicked, abandoned, fulfilled, changed"
                ))
            })?),
        }
    }
    Ok(redo)
}

/// The directory of `--save-dir`, made if it is not there.
pub(crate) fn save_dir(args: &OutputArgs) -> Result<Option<Arc<Path>>, Stop> {
    let Some(dir) = &args.save_dir else {
        return Ok(None);
    };
    let made = fs::create_dir_all(dir).and_then(|()| dir.canonicalize());
    made.map(|dir| Some(dir.into()))
        .map_err(|error| Stop::usage(format!("--save-dir {}: {error}", dir.display())))
}

/// What input and output flags mean.
pub(crate) fn plan(plan: &mut Plan, input: &InputArgs, output: &OutputArgs) {
    match input.input_format {
        InputFormat::Auto => {}
        InputFormat::Lines => plan.set("input_format", "lines"),
        InputFormat::Jsonl => plan.set("input_format", "jsonl"),
    }
    if input.nul {
        plan.set("null", true);
    }
    if output.inline != 1 << 20 {
        plan.set("inline", output.inline);
    }
    if let Some(dir) = &output.save_dir {
        plan.set("save_dir", dir.to_string_lossy());
    }
}

/// Outcome lines go to a terminal.
pub(crate) fn lines_to_terminal(args: &OutputArgs) -> bool {
    args.output
        .as_deref()
        .is_none_or(|path| path.as_os_str() == "-")
        && io::stdout().is_terminal()
}
