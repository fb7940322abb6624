//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use regex_lite::Regex;

use crate::table::Style;

/// Every figure of docs/performance.md, with its peers side by side. `cargo xtask bench` builds
/// what is needed first.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", version, max_term_width = 100)]
pub struct Options {
    /// Which table.
    #[command(subcommand)]
    pub bench: Bench,
}

/// Which table.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Bulk GET over loopback: requests a second, CPU and memory.
    Fetch(Fetch),
    /// Spawning short commands: jobs a second, CPU and memory.
    Spawn(Spawn),
    /// A list of ten million jobs: time to the first job, and memory, fresh and on resume.
    List(List),
    /// A thousand children awaited: nanoseconds and allocations a child.
    All(Library),
    /// A million items, ten at a time.
    Map(Library),
    /// A time limit that is not reached.
    Timeout(Library),
    /// A hundred thousand waiting children, cancelled.
    Cancel(Library),
    /// A permit taken and given back.
    Semaphore(Library),
}

/// What every bench can be told.
#[derive(Args, Debug)]
pub struct Common {
    /// Only the tools whose name matches; the references that ratios need run anyhow.
    #[arg(long, value_name = "REGEX")]
    pub only: Option<Regex>,
    /// The binary of settled to measure.
    #[arg(long, value_name = "PATH", default_value = "target/release/settled")]
    pub settled: PathBuf,
    /// Where peers are installed, and looked for before PATH [default: ~/.cache/settled-bench].
    #[arg(long, value_name = "DIR")]
    pub tools: Option<PathBuf>,
    /// First install the peers that are missing: cargo, pip and npm packages into --tools, Debian's
    /// by apt-get.
    #[arg(long)]
    pub install: bool,
    /// Print Markdown, for docs/performance.md.
    #[arg(long)]
    pub markdown: bool,
    /// For lists and results [default: /dev/shm for fetch and spawn, the temporary folder for
    /// list].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Bulk GET.
#[derive(Args, Debug)]
pub struct Fetch {
    /// Requests of a fast tool; slow ones get a fifth, a 25th or a hundredth.
    #[arg(short, long, value_name = "N", default_value = "100000", value_parser = positive())]
    pub n: u64,
    /// How often every tool runs; medians are shown.
    #[arg(long, value_name = "N", default_value = "5", value_parser = positive())]
    pub rounds: u64,
    /// Requests in flight; one table each.
    #[arg(short = 'j', long, value_name = "N,N..", value_delimiter = ',')]
    #[arg(default_value = "64", value_parser = positive())]
    pub in_flight: Vec<u64>,
    /// The server.
    #[arg(long, value_enum, default_value = "nginx")]
    pub server: ServerKind,
    /// The longest that one tool may take for its list.
    #[arg(long, value_name = "SECONDS", default_value = "400", value_parser = positive())]
    pub limit_seconds: u64,
    /// What every bench can be told.
    #[command(flatten)]
    pub common: Common,
}

/// Which loopback server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ServerKind {
    /// An nginx of our own, or the one of this crate where there is none.
    Nginx,
    /// The small server of this crate.
    Hyper,
}

/// Spawning.
#[derive(Args, Debug)]
pub struct Spawn {
    /// Jobs of a fast tool; slow ones get a fifth.
    #[arg(short, long, value_name = "N", default_value = "5000", value_parser = positive())]
    pub n: u64,
    /// How often every tool runs; medians are shown.
    #[arg(long, value_name = "N", default_value = "5", value_parser = positive())]
    pub rounds: u64,
    /// Commands at a time; one table each.
    #[arg(short = 'j', long, value_name = "N,N..", value_delimiter = ',')]
    #[arg(default_value = "8", value_parser = positive())]
    pub in_flight: Vec<u64>,
    /// What is run: a path, or `static` for a program of three instructions; one table each.
    #[arg(
        long,
        value_name = "PATH,..",
        default_value = "/bin/true,static",
        value_delimiter = ','
    )]
    pub command: Vec<String>,
    /// The longest that one tool may take for its list.
    #[arg(long, value_name = "SECONDS", default_value = "400", value_parser = positive())]
    pub limit_seconds: u64,
    /// What every bench can be told.
    #[command(flatten)]
    pub common: Common,
}

/// A long list.
#[derive(Args, Debug)]
pub struct List {
    /// Lines of the list.
    #[arg(short, long, value_name = "N", default_value = "10000000", value_parser = positive())]
    pub n: u64,
    /// Requests in flight of the tools that make requests; commands run one a core.
    #[arg(short = 'j', long, value_name = "N", default_value = "64", value_parser = positive())]
    pub in_flight: u64,
    /// How long a tool may take to its first job.
    #[arg(long, value_name = "SECONDS", default_value = "90", value_parser = positive())]
    pub limit_seconds: u64,
    /// A tool's address space; node reserves more than it uses and is not limited.
    #[arg(long, value_name = "GIB", default_value = "6", value_parser = positive())]
    pub limit_gib: u64,
    /// What every bench can be told.
    #[command(flatten)]
    pub common: Common,
}

/// What one operation of the library costs.
#[derive(Args, Debug)]
pub struct Library {
    /// How often every case runs, in a process of its own; medians are shown.
    #[arg(long, value_name = "N", default_value = "15", value_parser = positive())]
    pub rounds: u64,
    /// How long a case is measured each time.
    #[arg(long, value_name = "N", default_value = "100", value_parser = positive())]
    pub millis: u64,
    /// What every bench can be told.
    #[command(flatten)]
    pub common: Common,
}

fn positive() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=1_000_000_000)
}

impl Common {
    /// Whether a tool of this name is wanted.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.is_match(name))
    }

    /// How tables are written.
    #[must_use]
    pub fn style(&self) -> Style {
        if self.markdown {
            Style::Markdown
        } else {
            Style::Text
        }
    }

    /// The folder of installed peers.
    #[must_use]
    pub fn tools(&self) -> PathBuf {
        let cache = || {
            let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
            std::env::var_os("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(home)
        };
        let or_cache = || {
            cache()
                .unwrap_or_else(std::env::temp_dir)
                .join("settled-bench")
        };
        self.tools.clone().unwrap_or_else(or_cache)
    }

    /// The folder for lists and results: memory where it is small and quick, so that no disk is
    /// measured.
    #[must_use]
    pub fn memory_dir(&self) -> PathBuf {
        let memory = Path::new("/dev/shm");
        let or_memory = || {
            if memory.is_dir() {
                memory.to_owned()
            } else {
                std::env::temp_dir()
            }
        };
        self.dir.clone().unwrap_or_else(or_memory)
    }

    /// The folder for lists too large for memory.
    #[must_use]
    pub fn disk_dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(std::env::temp_dir)
    }
}

impl Fetch {
    /// The time limit of one tool.
    #[must_use]
    pub fn limit(&self) -> Duration {
        Duration::from_secs(self.limit_seconds)
    }
}

impl Spawn {
    /// The time limit of one tool.
    #[must_use]
    pub fn limit(&self) -> Duration {
        Duration::from_secs(self.limit_seconds)
    }
}
