//! `settled report`: what a ledger says.

use std::io::{self, BufWriter, Write};

use settled_jobs::{Report, Skipped, latest, read};
use signal_hook::consts::SIGPIPE;

use crate::exit::{Ended, Stop};
use crate::flags::ReportArgs;
use crate::show::number::grouped;
use crate::show::say;
use crate::show::summary;

pub(crate) fn main(args: &ReportArgs) -> Result<Ended, Stop> {
    let printed = if args.latest {
        print_latest(args)
    } else {
        print_report(args)
    };
    match printed {
        Ok(()) => Ok(Ended::Fulfilled),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Ended::Signal(SIGPIPE)),
        Err(error) => Err(Stop::usage(format!("{}: {error}", args.file.display()))),
    }
}

fn print_latest(args: &ReportArgs) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    latest(&args.file, |line| {
        out.write_all(line)?;
        out.write_all(b"\n")
    })?;
    out.flush()
}

fn print_report(args: &ReportArgs) -> io::Result<()> {
    let found = read(&args.file)?;
    if found.tally.settled() == 0 && found.unreadable_count > 0 {
        return Err(io::Error::other(
            "no outcome line in it: this is no ledger of settled",
        ));
    }
    let report = Report::new(&found.tally, Skipped::default());
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", summary::text(&report))?;
        if found.superseded > 0 {
            writeln!(
                out,
                "  {} older lines of jobs that were done again are left out",
                grouped(found.superseded)
            )?;
        }
    }
    out.flush()?;
    if found.unreadable_count > 0 {
        let lines: Vec<_> = found.unreadable.iter().map(u64::to_string).collect();
        say!(
            "settled: {}: {} lines are damaged and left out: line {}",
            args.file.display(),
            grouped(found.unreadable_count),
            lines.join(", ")
        );
    }
    Ok(())
}
