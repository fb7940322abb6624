//! The flags, as they are typed.

pub(crate) mod pages;
pub(crate) mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use settled_jobs::{Fsync, Halt};

use values::{BackoffRange, Budget, Rate, TimeLimit};

/// Push a long list of HTTP requests or commands through to the end, one recorded outcome each
///
/// Every line of the list settles exactly once. A run that was interrupted, even by kill -9 or a power cut, goes on where it was
/// when the same command is given again.
#[derive(Debug, Parser)]
#[command(name = "settled", version, max_term_width = 100, arg_required_else_help = true, styles = STYLES)]
#[command(after_help = "Examples:
  settled run   -i files.txt -o sums.jsonl  -j 8 -- sha256sum {}
  settled fetch -i urls.txt  -o pages.jsonl -j 64 --retries 3 --timeout 5s --rate 200/s
  settled fetch https://a.example https://b.example
  settled pages https://api.example/items --items /data --more /hasMore
  settled report pages.jsonl
  settled demo

settled COMMAND --help says more.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "What you see"
    )]
    pub(crate) color: When,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an HTTP request for every line of a list
    Fetch(Box<FetchArgs>),
    /// Run a command for every line of a list
    Run(Box<RunArgs>),
    /// Bring a paginated API out as one stream of JSON lines
    Pages(Box<pages::PagesArgs>),
    /// Say what a ledger holds: outcomes, times, failures, and what to change
    Report(ReportArgs),
    /// Rehearse: a real fetch from a loopback API that misbehaves on purpose, checked against its log
    Demo(DemoArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

/// `auto`, `always` or `never`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  settled fetch -i urls.txt -o pages.jsonl -j 64 --retries 3 --timeout 5s --rate 200/s
  settled fetch https://a.example https://b.example          # outcomes to stdout
  settled fetch -i batch.jsonl --base-url https://api.example -o answers.jsonl --bearer-env API_KEY --retry-unsafe
  settled fetch -i urls.txt -o pages.jsonl --redo rejected,timed_out
  settled fetch -i urls.txt | jq -r 'select(.result.status == 404) | .input'

A line of the list is a URL, or a JSON object:
  {\"id\", \"url\", \"method\", \"headers\", \"query\", \"body\" | \"json\" | \"body_file\", \"timeout\", \"meta\"}")]
pub(crate) struct FetchArgs {
    /// URLs to fetch; none: the list comes from -i or standard input
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// How long one try may take, or none [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = values::time_limit, help_heading = LOAD)]
    pub(crate) timeout: Option<TimeLimit>,
    /// How long a job may take with all its tries and waits, or none [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = values::time_limit, help_heading = LOAD)]
    pub(crate) total_timeout: Option<TimeLimit>,
    /// How long name lookup, TCP and TLS may take together [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = LOAD)]
    pub(crate) connect_timeout: Option<Duration>,
    /// How many requests to one host run at once
    #[arg(long, value_name = "N", value_parser = values::count, help_heading = LOAD)]
    pub(crate) per_host: Option<usize>,
    /// How many requests to one host begin in a time: 5/s, 100/min
    #[arg(long, value_name = "RATE", value_parser = values::rate, help_heading = LOAD)]
    pub(crate) per_host_rate: Option<Rate>,
    /// Statuses after which another try is made [default: 408,425,429,500,502,503,504]
    #[arg(long, value_name = "STATUSES", help_heading = FAILURE)]
    pub(crate) retry_on: Option<String>,
    /// Statuses that are a success [default: 200-299]
    #[arg(long, value_name = "STATUSES", help_heading = FAILURE)]
    pub(crate) ok_status: Option<String>,
    /// Try POST and PATCH again even if they may have been processed
    #[arg(long, help_heading = FAILURE)]
    pub(crate) retry_unsafe: bool,
    /// Send an Idempotency-Key that is the same for every try of a job in this ledger
    #[arg(long, help_heading = FAILURE)]
    pub(crate) idempotency_key: bool,
    /// What of an answer is recorded: body, headers, or none [default: body,headers]
    #[arg(long, value_name = "WHAT", value_delimiter = ',', help_heading = OUTPUT)]
    pub(crate) keep: Option<Vec<FetchKeep>>,
    /// Larger bodies are rejected [default: 64MiB]
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, help_heading = OUTPUT)]
    pub(crate) max_body: Option<u64>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// What of an answer is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FetchKeep {
    Body,
    Headers,
    None,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArgs {
    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// A header for every request
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// Headers from a file, a line each; they are secrets: never shown, never recorded
    #[arg(long, value_name = "FILE")]
    pub(crate) header_file: Option<PathBuf>,
    /// Send `Authorization: Bearer …` with the value of this environment variable
    #[arg(long, value_name = "NAME")]
    pub(crate) bearer_env: Option<String>,
    /// What relative URLs are relative to
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// A body for every request that has none; @FILE reads it from a file
    #[arg(short = 'd', long, value_name = "TEXT", conflicts_with = "json")]
    pub(crate) data: Option<String>,
    /// As --data, sent as application/json
    #[arg(long, value_name = "JSON")]
    pub(crate) json: Option<String>,
    /// Do not follow redirects: a 3xx is an answer like any other
    #[arg(long)]
    pub(crate) no_redirects: bool,
    /// Follow at most this many redirects [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "no_redirects")]
    pub(crate) max_redirects: Option<u32>,
    /// Do not ask for compressed answers
    #[arg(long)]
    pub(crate) no_compression: bool,
    /// The User-Agent
    #[arg(short = 'A', long, value_name = "TEXT")]
    pub(crate) user_agent: Option<String>,
    /// Trust the certificates of this PEM file as well
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// Accept any certificate: whoever is on the way can read and change everything
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Refuse addresses that are not public (for lists from somebody you do not trust)
    #[arg(long)]
    pub(crate) deny_private: bool,
    /// Take no proxy from the environment
    #[arg(long)]
    pub(crate) no_proxy: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  settled run -i files.txt -o sums.jsonl -j 8 -- sha256sum {}
  find . -name '*.png' -print0 | settled run -0 -o webp.jsonl -- cwebp -quiet {} -o {}.webp
  settled run -i hosts.tsv -o up.jsonl --retries 2 --timeout 10s -- ssh {1} uptime
  settled run -i jobs.jsonl -o done.jsonl --shell 'gzip -dc \"$1\" | wc -l'

Placeholders: {} the line, {1} {2} … its columns, {/pointer} a JSON value, {#} the line number, {id} the job's id, {{ a brace.
Without any, the line is appended as the last argument.

A line of the list is plain text, or a JSON object:
  {\"id\", \"args\": [..] | \"input\": \"..\", \"env\", \"cwd\", \"stdin\", \"timeout\", \"meta\"}")]
pub(crate) struct RunArgs {
    /// The program and its arguments, with placeholders
    #[arg(
        last = true,
        value_name = "COMMAND",
        required_unless_present = "shell",
        conflicts_with = "shell"
    )]
    pub(crate) command: Vec<OsString>,
    /// Run this text with `sh -c` instead; the line (or its columns, or args) are $1, $2, …
    #[arg(long, value_name = "TEXT", help_heading = "Command")]
    pub(crate) shell: Option<OsString>,
    /// What separates columns [default: tab]
    #[arg(long, value_name = "TEXT", help_heading = "Command")]
    pub(crate) sep: Option<String>,
    /// Do not append the line where the command has no placeholder
    #[arg(long, help_heading = "Command")]
    pub(crate) no_append: bool,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    /// How long one try may take [default: none]
    #[arg(long, value_name = "TIME", value_parser = values::time_limit, help_heading = LOAD)]
    pub(crate) timeout: Option<TimeLimit>,
    /// How long a job may take with all its tries and waits [default: none]
    #[arg(long, value_name = "TIME", value_parser = values::time_limit, help_heading = LOAD)]
    pub(crate) total_timeout: Option<TimeLimit>,
    /// Exit statuses that are a success [default: 0]
    #[arg(long, value_name = "STATUSES", help_heading = FAILURE)]
    pub(crate) ok_exit: Option<String>,
    /// Exit statuses after which another try is made, 128+N for signal N [default: every one that is no success]
    #[arg(long, value_name = "STATUSES", help_heading = FAILURE)]
    pub(crate) retry_on: Option<String>,
    /// What of a command is recorded: stdout, stderr, or none [default: stdout,stderr]
    #[arg(long, value_name = "WHAT", value_delimiter = ',', help_heading = OUTPUT)]
    pub(crate) keep: Option<Vec<RunKeep>>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// What of a command is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunKeep {
    Stdout,
    Stderr,
    None,
}

const LOAD: &str = "Load";
const FAILURE: &str = "Failure";
const OUTPUT: &str = "Output";

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputArgs {
    /// The list; - or nothing: standard input
    #[arg(
        short = 'i',
        long = "input",
        short_alias = 'a',
        alias = "arg-file",
        value_name = "FILE"
    )]
    pub(crate) file: Option<PathBuf>,
    /// Lines end with NUL (as find -print0 writes them)
    #[arg(short = '0', long = "null")]
    pub(crate) nul: bool,
    /// How a line is read; auto decides by the first one: JSON if it begins with {
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) input_format: InputFormat,
    /// Longer lines are rejected
    #[arg(long, value_name = "BYTES", default_value = "8MiB", value_parser = values::bytes)]
    pub(crate) max_line: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    Auto,
    Lines,
    Jsonl,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// The ledger: an outcome line for every job. The same command given again goes on with it [default: standard output]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Start anew: what the ledger holds is lost
    #[arg(long, requires = "output", conflicts_with_all = ["adopt_plan", "redo"])]
    pub(crate) overwrite: bool,
    /// Go on with a ledger that another plan has begun
    #[arg(long, requires = "output")]
    pub(crate) adopt_plan: bool,
    /// Do jobs again that have these outcomes (rejected, timed_out, cancelled, panicked, abandoned, fulfilled), or are changed
    #[arg(
        long,
        value_name = "OUTCOMES",
        value_delimiter = ',',
        requires = "output"
    )]
    pub(crate) redo: Vec<String>,
    /// Set damaged lines of the ledger aside and go on
    #[arg(long, requires = "output")]
    pub(crate) repair: bool,
    /// When lines are forced onto the disk: always, interval (every second), never
    #[arg(long, value_name = "WHEN", default_value = "interval", value_parser = values::fsync)]
    pub(crate) fsync: Fsync,
    /// How many bytes of a body or stream are kept in its line
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = values::bytes)]
    pub(crate) inline: u64,
    /// Put what is longer into files in this directory instead of cutting it
    #[arg(long, value_name = "DIR")]
    pub(crate) save_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadArgs {
    /// How many tries run at once [default: 32 requests, or as many commands as there are cores]
    #[arg(short = 'j', long, value_name = "N", value_parser = values::count)]
    pub(crate) jobs: Option<usize>,
    /// How many tries begin in a time: 200/s, 100/min
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) rate: Option<Rate>,
    /// How many may begin at once after a pause
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) burst: u32,
    /// How many tries a job has after its first [default: 3 for fetch, 0 for run]
    #[arg(long, value_name = "N", help_heading = FAILURE)]
    pub(crate) retries: Option<u32>,
    /// How long a job waits between tries: a random time that grows from MIN to MAX
    #[arg(long, value_name = "MIN..MAX", default_value = "200ms..30s", value_parser = values::backoff, help_heading = FAILURE)]
    pub(crate) backoff: BackoffRange,
    /// Wait no longer than this when a server says how long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = values::duration, help_heading = FAILURE)]
    pub(crate) retry_after_max: Duration,
    /// Retries allowed, as a share of first tries and a number a second, or off [default: 20%+10/s for fetch, off for run]
    #[arg(long, value_name = "BUDGET", value_parser = values::budget, help_heading = FAILURE)]
    pub(crate) retry_budget: Option<Budget>,
    /// Give up on the rest of the list when this many jobs have failed: soon lets running ones finish, now does not
    #[arg(long, value_name = "WHEN,fail=N|N%", value_parser = values::halt, help_heading = FAILURE)]
    pub(crate) halt: Option<Halt>,
    /// How long running tries may go on after Ctrl-C
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::grace, help_heading = FAILURE)]
    pub(crate) grace: Duration,
    /// How many cores to use [default: all]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(crate) threads: Option<usize>,
    /// Where random numbers start from (back-off), to repeat a run
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What you see")]
pub(crate) struct ShowArgs {
    /// Progress on standard error; auto: a live line on a terminal, else a line every 10 s
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) progress: ProgressWhen,
    /// Errors only
    #[arg(short = 'q', long)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressWhen {
    Auto,
    Always,
    Never,
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  settled report pages.jsonl
  settled report --json pages.jsonl | jq .remarks
  settled report --latest pages.jsonl | jq 'select(.outcome != \"fulfilled\")'")]
pub(crate) struct ReportArgs {
    /// The ledger; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print the report as JSON
    #[arg(long, conflicts_with = "latest")]
    pub(crate) json: bool,
    /// Print the newest line of each id instead
    #[arg(long)]
    pub(crate) latest: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// What the API's misbehaviour follows from: the same seed, the same faults
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How many requests to make
    #[arg(long, value_name = "N", default_value = "10000", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) requests: u64,
    /// How many at once
    #[arg(short = 'j', long, value_name = "N", default_value = "64", value_parser = values::count)]
    pub(crate) jobs: usize,
    /// Keep the ledger in this new file
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only the check's result
    #[arg(short = 'q', long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}
