//! `settled run`: from flags to a plan, and the plan to its end.

use settled_jobs::Plan;
use settled_jobs::run::{ExitCodes, Program, Run, RunConfig, Separator, Template};

use crate::drive::{Job, drive};
use crate::exit::{Ended, Stop};
use crate::flags::{RunArgs, RunKeep};
use crate::options::{Defaults, cores, options};
use crate::output;

pub(crate) fn main(args: RunArgs) -> Result<Ended, Stop> {
    let defaults = Defaults {
        jobs: cores(),
        retries: 0,
        timeout: args.timeout.and_then(|limit| limit.0),
        total_timeout: args.total_timeout.and_then(|limit| limit.0),
        budget: None,
        per_host: None,
        per_host_rate: None,
    };
    let options = options(&args.load, &defaults)?;
    let config = config(&args, options.retries > 0)?;
    let plan = plan(&args, &config);
    let source = output::source(&args.input, &[])?;
    let work = Run::new(config).map_err(Stop::usage)?;
    let opened = output::open(&args.output, &plan)?;
    drive(Job {
        work,
        options,
        source,
        opened,
        load: &args.load,
        output: &args.output,
        show: &args.show,
    })
}

fn config(args: &RunArgs, retries: bool) -> Result<RunConfig, Stop> {
    let program = match &args.shell {
        Some(text) => Program::Shell(text.clone()),
        None => Program::Template(Template::parse(&args.command).map_err(Stop::usage)?),
    };
    let mut config = RunConfig::new(program);
    config.append = !args.no_append;
    if let Some(sep) = &args.sep {
        let separator = Separator::new(unescaped(sep).into_bytes());
        config.separator =
            Some(separator.ok_or_else(|| Stop::usage("--sep: nothing separates nothing"))?);
    }
    if let Some(codes) = &args.ok_exit {
        config.ok_exit = codes
            .parse()
            .map_err(|why| Stop::usage(format!("--ok-exit {codes}: {why}")))?;
    }
    config.retry_exit = retries;
    if let Some(codes) = &args.retry_on {
        let chosen = codes.parse::<ExitCodes>();
        config.retry_on =
            Some(chosen.map_err(|why| Stop::usage(format!("--retry-on {codes}: {why}")))?);
    }
    let keeps = |what| args.keep.as_ref().is_none_or(|keep| keep.contains(&what));
    config.keep_stdout = keeps(RunKeep::Stdout);
    config.keep_stderr = keeps(RunKeep::Stderr);
    config.inline = usize::try_from(args.output.inline).unwrap_or(usize::MAX);
    config.save_dir = output::save_dir(&args.output)?;
    Ok(config)
}

/// `\t` and the like, as they are typed where a shell does not know `$'\t'`.
fn unescaped(text: &str) -> String {
    text.replace("\\t", "\t")
        .replace("\\n", "\n")
        .replace("\\0", "\0")
}

/// What these flags mean.
fn plan(args: &RunArgs, config: &RunConfig) -> Plan {
    let mut plan = Plan::new("run");
    match &args.shell {
        Some(text) => plan.set("shell", text.to_string_lossy()),
        None => {
            let command = args
                .command
                .iter()
                .map(|arg| arg.to_string_lossy().into_owned());
            plan.set("template", command.collect::<Vec<_>>());
        }
    }
    if let Some(sep) = &args.sep {
        plan.set("sep", sep.as_str());
    }
    if args.no_append {
        plan.set("append", false);
    }
    if let Some(codes) = &args.ok_exit {
        plan.set("ok_exit", codes.as_str());
    }
    if !(config.keep_stdout && config.keep_stderr) {
        let kept = [
            ("stdout", config.keep_stdout),
            ("stderr", config.keep_stderr),
        ];
        plan.set(
            "keep",
            kept.into_iter()
                .filter(|(_, kept)| *kept)
                .map(|(name, _)| name)
                .collect::<Vec<_>>(),
        );
    }
    output::plan(&mut plan, &args.input, &args.output);
    plan
}
