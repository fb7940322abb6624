//! Completions and the manual page, made from the flags.

use std::io;

use clap::CommandFactory;

use crate::exit::{Ended, Stop};
use crate::flags::{Cli, CompletionsArgs};

pub(crate) fn completions(args: &CompletionsArgs) -> Result<Ended, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "settled", &mut script);
    print(&script)
}

pub(crate) fn man() -> Result<Ended, Stop> {
    let command = Cli::command();
    let mut page = Vec::new();
    let written = clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .and_then(|()| {
            // One page: what the commands take follows what they are.
            command
                .get_subcommands()
                .filter(|sub| sub.get_name() != "help")
                .try_for_each(|sub| {
                    let man = clap_mangen::Man::new(
                        sub.clone()
                            .display_name(format!("settled-{}", sub.get_name())),
                    );
                    man.render_name_section(&mut page)?;
                    man.render_synopsis_section(&mut page)?;
                    man.render_options_section(&mut page)?;
                    man.render_extra_section(&mut page)
                })
        });
    written.map_err(Stop::usage)?;
    print(&page)
}

fn print(bytes: &[u8]) -> Result<Ended, Stop> {
    match io::Write::write_all(&mut io::stdout(), bytes) {
        Ok(()) => Ok(Ended::Fulfilled),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Ended::Signal(signal_hook::consts::SIGPIPE))
        }
        Err(error) => Err(Stop::usage(format!("standard output: {error}"))),
    }
}
