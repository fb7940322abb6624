//! What a case says about itself.

use std::fmt;
use std::str::FromStr;

/// The one line that a case prints: operations, nanoseconds, CPU nanoseconds, allocations and bytes of
/// one batch, separated by spaces; `-` for what is not known.
///
/// ```
/// use settled_bench::library::Figure;
///
/// let figure = Figure { ops: 1000, nanos: 5000, cpu_nanos: 4800, heap: Some((2, 64_000)) };
/// assert_eq!(figure.to_string(), "1000 5000 4800 2 64000");
/// assert_eq!("1000 5000 4800 2 64000\n".parse(), Ok(figure));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// Operations of a batch.
    pub ops: u64,
    /// What the median batch took.
    pub nanos: u64,
    /// CPU time of all threads meanwhile.
    pub cpu_nanos: u64,
    /// Allocations of a batch, and their bytes; `None` where nobody counts them.
    pub heap: Option<(u64, u64)>,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.ops, self.nanos, self.cpu_nanos)?;
        match self.heap {
            Some((calls, bytes)) => write!(f, "{calls} {bytes}"),
            None => f.write_str("- -"),
        }
    }
}

impl FromStr for Figure {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [ops, nanos, cpu_nanos, calls, bytes] = words.try_into().map_err(drop)?;
        let number = |text: &str| text.parse().map_err(drop);
        Ok(Self {
            ops: number(ops)?,
            nanos: number(nanos)?,
            cpu_nanos: number(cpu_nanos)?,
            heap: if (calls, bytes) == ("-", "-") {
                None
            } else {
                Some((number(calls)?, number(bytes)?))
            },
        })
    }
}
