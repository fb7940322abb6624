//! The flags of `settled pages`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use settled_jobs::pages::Pointer;

use super::values::{self, BackoffRange, Rate, TimeLimit};
use super::{FAILURE, LOAD, OUTPUT, RequestArgs, ShowArgs};

const PAGES: &str = "Pages";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  settled pages https://api.example/items --items /data --more /hasMore --max-pages 10
  settled pages https://api.example/items --items /data --cursor /next
  settled pages 'https://api.example/items?page=1' --page-param page      # page numbers, until a page is empty
  settled pages https://api.github.example/repos/x/issues --bearer-env TOKEN -o issues.jsonl
  settled pages https://api.example/items --items /data --cursor /meta/token --cursor-param after | jq .id

The next page is the value of --cursor, or the next --page-param; without these flags it is the one of the header
`Link: <..>; rel=next`, or, if the first page has no such header and --more is given, the next page number.
The last page is the one where --more is false, that has no next, or, with page numbers, that is empty.")]
pub(crate) struct PagesArgs {
    /// The first page
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// Where in a page the array of its items is, as a JSON pointer [default: the page is the array]
    #[arg(long, value_name = "POINTER", help_heading = PAGES)]
    pub(crate) items: Option<Pointer>,
    /// Where in a page it says whether there is more: true or false
    #[arg(long, value_name = "POINTER", help_heading = PAGES)]
    pub(crate) more: Option<Pointer>,
    /// Where in a page the next one is: a URL (it begins with http://, https://, / or ?), or a token for the query
    #[arg(long, value_name = "POINTER", help_heading = PAGES, conflicts_with_all = ["page_param", "first_page"])]
    pub(crate) cursor: Option<Pointer>,
    /// The query parameter for the token; what --cursor finds is then a token, whatever it looks like [default: cursor]
    #[arg(long, value_name = "NAME", help_heading = PAGES, requires = "cursor")]
    pub(crate) cursor_param: Option<String>,
    /// Count pages in this query parameter [default: page]
    #[arg(long, value_name = "NAME", help_heading = PAGES)]
    pub(crate) page_param: Option<String>,
    /// The number of the first page [default: the one in the URL, or 1]
    #[arg(long, value_name = "N", help_heading = PAGES)]
    pub(crate) first_page: Option<u64>,
    /// Stop after this many pages
    #[arg(long, value_name = "N", help_heading = PAGES, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_pages: Option<u64>,
    /// How many pages may be fetched ahead of the one that is being written; more than one only with page numbers
    #[arg(long, value_name = "N", help_heading = PAGES, default_value = "1", value_parser = clap::value_parser!(u16).range(0..=256))]
    pub(crate) prefetch: u16,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// Write the items to this new file [default: standard output]
    #[arg(short = 'o', long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) output: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "output", help_heading = OUTPUT)]
    pub(crate) overwrite: bool,
    /// Larger pages are rejected [default: 64MiB]
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, help_heading = OUTPUT)]
    pub(crate) max_body: Option<u64>,
    /// How many requests begin in a time: 200/s, 100/min
    #[arg(long, value_name = "RATE", value_parser = values::rate, help_heading = LOAD)]
    pub(crate) rate: Option<Rate>,
    /// How many may begin at once after a pause
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..), help_heading = LOAD)]
    pub(crate) burst: u32,
    /// How long one try may take, or none [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = values::time_limit, help_heading = LOAD)]
    pub(crate) timeout: Option<TimeLimit>,
    /// How long a page may take with all its tries and waits, or none [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = values::time_limit, help_heading = LOAD)]
    pub(crate) total_timeout: Option<TimeLimit>,
    /// How long name lookup, TCP and TLS may take together [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = LOAD)]
    pub(crate) connect_timeout: Option<Duration>,
    /// How many tries a page has after its first
    #[arg(long, value_name = "N", default_value = "3", help_heading = FAILURE)]
    pub(crate) retries: u32,
    /// How long a page waits between tries: a random time that grows from MIN to MAX
    #[arg(long, value_name = "MIN..MAX", default_value = "200ms..30s", value_parser = values::backoff, help_heading = FAILURE)]
    pub(crate) backoff: BackoffRange,
    /// Wait no longer than this when a server says how long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = values::duration, help_heading = FAILURE)]
    pub(crate) retry_after_max: Duration,
    /// Statuses after which another try is made [default: 408,425,429,500,502,503,504]
    #[arg(long, value_name = "STATUSES", help_heading = FAILURE)]
    pub(crate) retry_on: Option<String>,
    /// Statuses that are a success [default: 200-299]
    #[arg(long, value_name = "STATUSES", help_heading = FAILURE)]
    pub(crate) ok_status: Option<String>,
    /// Try POST and PATCH again even if they may have been processed
    #[arg(long, help_heading = FAILURE)]
    pub(crate) retry_unsafe: bool,
    /// Where random numbers start from (back-off), to repeat a run
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}
