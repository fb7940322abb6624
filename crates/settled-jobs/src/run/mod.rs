//! Commands: how `settled run` reads its lines and runs them.
//!
//! A line becomes a [`CommandSpec`] by the [`Template`] (or shell text) of the [`RunConfig`]; [`RunCore`] starts it, reads both its
//! output streams, and ends it when its time is up.
//!
//! # What a line may say
//! A plain line is the input. A JSON line is an object with these members, all optional; any other is an error of that line,
//! unless the template has a `{/pointer}`: then lines are data of any form, and what no pointer goes through is passed over.
//! `null` counts as absent.
//!
//! | member | value |
//! |---|---|
//! | `id` | a string or an integer |
//! | `args` | a list of strings; numbers, `true` and `false` are taken as they are written |
//! | `input` | a string, instead of `args`: treated as a plain line |
//! | `env` | an object: variables to set (as `args`), or to take away (`null`) |
//! | `cwd` | the working directory |
//! | `stdin` | a string that the command reads; without it, it reads `/dev/null` |
//! | `timeout` | seconds, or a text such as `"1m 30s"` |
//! | `meta` | anything: passed on to the outcome line |
//!
//! # How a command runs
//! - It leads a process group of its own, has no signal blocked, SIGPIPE at its default, and none of our descriptors.
//!   What is ignored when we start (`nohup`) stays ignored. It gets our environment as it was at the start.
//! - The program is looked for as `execvp` does, with the job's own `PATH` if it has one, relative to the job's directory.
//! - When its time is up or it is aborted, the group gets TERM (and CONT), and KILL after the grace of the attempt.
//! - When it ends by itself while others of its group keep its output open, these have one second, then TERM and KILL as above.
//!   When it ends and its output is closed, whatever is left of its group is killed at once.
//! - What leaves the group (`setsid`, a daemon) is not followed; an output that it keeps open is closed after that time.
//! - On Linux the kernel kills the command itself, though not what it started, if we are killed.
//! - A limit of the system (processes, open files, memory) is no failure: the start is tried again when another command has ended,
//!   and at growing intervals, for up to a minute or as long as the attempt may take.
//! - A command that even KILL doesn't end within 5 seconds (it hangs inside the kernel) is abandoned and says so.

mod attempt;
mod child;
mod config;
mod decode;
mod failure;
mod json;
mod spawn;
mod spec;
mod stream;
mod strings;
mod template;
mod values;
mod wait;

use std::io;
use std::sync::Arc;

use crate::job::{Job, Line};
use crate::record::Failure;
use crate::work::Work;

pub use attempt::RunCore;
pub use config::{ExitCodes, INLINE, InvalidExitCodes, Program, RunConfig, Separator, Spawner};
pub use spec::CommandSpec;
pub use template::{Template, TemplateError};

/// A list of commands.
///
/// ```
/// use settled_jobs::run::{Program, Run, RunConfig, Template};
/// use settled_jobs::{Line, Work};
///
/// let program = Program::Template(Template::parse(["cp", "{}", "backup/{#}"])?);
/// let run = Run::new(RunConfig::new(program))?;
/// let job = run.decode(Line { seq: 7, bytes: b"a file", json: false }).expect("a good line");
/// let args: Vec<_> = job.spec.args().collect();
/// assert_eq!(args, [&b"cp"[..], b"a file", b"backup/7"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Run {
    config: Arc<RunConfig>,
    decoder: decode::Decoder,
    common: Arc<spawn::Common>,
}

impl Run {
    /// A list of commands that are made and run as `config` says.
    ///
    /// # Errors
    /// If a shell text has a NUL byte (kind `InvalidInput`), or `/dev/null` can't be opened.
    pub fn new(config: RunConfig) -> io::Result<Self> {
        if let Program::Shell(text) = &config.program
            && text.as_encoded_bytes().contains(&0)
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the shell text has a NUL byte",
            ));
        }
        let (decoder, common) = (
            decode::Decoder::new(&config),
            Arc::new(spawn::Common::new(&config)?),
        );
        Ok(Self {
            config: Arc::new(config),
            decoder,
            common,
        })
    }
}

impl Work for Run {
    type Spec = CommandSpec;
    type Core = RunCore;

    fn decode(&self, line: Line<'_>) -> Result<Job<CommandSpec>, Failure> {
        self.decoder.decode(line)
    }

    fn host<'a>(&self, _: &'a CommandSpec) -> Option<&'a str> {
        None
    }

    /// # Panics
    /// When an attempt is made outside a tokio runtime with I/O and time.
    fn core(&self) -> io::Result<RunCore> {
        Ok(RunCore::new(
            self.config.clone(),
            spawn::Launcher::new(self.common.clone()),
        ))
    }
}
