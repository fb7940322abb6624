//! `settled`: push a long list of HTTP requests or commands through to the end, one recorded outcome each.
//!
//! Flags are read (`flags`), checked and turned into a plan (`plan`), and the plan is driven (`drive`); what a person sees is
//! made of the run's counters and its report only (`show`).

mod demo;
mod drive;
mod exit;
mod extras;
mod fetch;
mod flags;
mod options;
mod output;
mod pages;
mod report;
mod run;
mod show;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use flags::{Cli, Command};

fn main() -> ExitCode {
    signals::outlive_file_limits();
    let cli = Cli::parse();
    show::style::set(cli.color);
    let ended = match cli.command {
        Command::Fetch(args) => fetch::main(*args),
        Command::Run(args) => run::main(*args),
        Command::Pages(args) => pages::main(*args),
        Command::Demo(args) => demo::main(&args),
        Command::Report(args) => report::main(&args),
        Command::Completions(args) => extras::completions(&args),
        Command::Man => extras::man(),
    };
    ended.unwrap_or_else(exit::Stop::report).into_code()
}
