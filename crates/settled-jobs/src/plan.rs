//! The plan: what a run means. It is the first line of a ledger, and a ledger is resumed only by the plan that began it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::job::Key;
use crate::line::seal;

/// What a run means: the command, what it does with a line, and what it keeps. How fast and how often is no part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// `fetch` or `run`.
    pub command: String,
    /// Everything else that decides what an outcome means, by name. What is at its default is left out.
    #[serde(flatten)]
    pub settings: BTreeMap<String, Value>,
}

/// The ledger's first line.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlanLine {
    settled: u32,
    pub(crate) plan: Plan,
    plan_hash: String,
    /// A random name of this ledger: idempotency keys are made from it, so that two ledgers never share one.
    pub(crate) ledger: String,
}

impl Plan {
    /// A plan without settings.
    #[must_use]
    pub fn new(command: &str) -> Self {
        Self {
            command: command.to_owned(),
            settings: BTreeMap::new(),
        }
    }

    /// Adds a setting that is not at its default.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.settings.insert(name.to_owned(), value.into());
    }

    /// A hash of the plan: equal plans, equal hashes.
    #[must_use]
    pub fn hash(&self) -> String {
        // A map of strings to JSON values is always written, and in the order of its names.
        Key::of(&serde_json::to_vec(self).unwrap_or_default()).to_string()
    }

    /// What differs between the plan of a ledger and the one asked for, a line each.
    #[must_use]
    pub fn differences(&self, asked: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.command != asked.command {
            found.push(format!(
                "command: the ledger has {}, asked for is {}",
                self.command, asked.command
            ));
        }
        let names = self.settings.keys().chain(
            asked
                .settings
                .keys()
                .filter(|n| !self.settings.contains_key(*n)),
        );
        for name in names {
            let (had, now) = (self.settings.get(name), asked.settings.get(name));
            if had != now {
                found.push(format!(
                    "{name}: the ledger has {}, asked for is {}",
                    shown(had),
                    shown(now)
                ));
            }
        }
        found
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "the default".to_owned(), Value::to_string)
}

impl PlanLine {
    pub(crate) fn new(plan: &Plan, ledger: &str) -> Self {
        Self {
            settled: 1,
            plan_hash: plan.hash(),
            plan: plan.clone(),
            ledger: ledger.to_owned(),
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let written = serde_json::to_writer(&mut *out, self);
        debug_assert!(written.is_ok());
        seal(out, start);
        out.push(b'\n');
    }

    /// Reads a plan line. `None`: it is none.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        if !line.starts_with(b"{\"settled\":") || crate::line::checksum_holds(line) == Some(false) {
            return None;
        }
        let line: Self = serde_json::from_slice(line).ok()?;
        (line.settled == 1 && line.plan_hash == line.plan.hash()).then_some(line)
    }

    /// Whether bytes may be a plan line that was cut off or damaged. Fewer bytes than these could be anybody's file, and that
    /// is not ours to touch.
    pub(crate) fn may_start_with(bytes: &[u8]) -> bool {
        bytes.starts_with(br#"{"settled":1,"plan":{"command":"#)
    }
}

/// A fresh name for a ledger.
pub(crate) fn ledger_name() -> String {
    format!("{:032x}", fastrand::u128(..))
}
