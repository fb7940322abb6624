//! What a job asks for: one command, ready to be started.

use std::ffi::CString;

use super::strings::Strings;

/// One command with its arguments and surroundings.
#[derive(Debug)]
pub struct CommandSpec {
    pub(super) argv: Strings,
    pub(super) env: Option<Box<Changes>>,
    pub(super) cwd: Option<CString>,
    pub(super) stdin: Option<Box<[u8]>>,
}

impl CommandSpec {
    /// The program and its arguments, as bytes.
    pub fn args(&self) -> impl Iterator<Item = &[u8]> {
        self.argv.iter()
    }
}

/// What a job changes of the environment that all commands get.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// `NAME=VALUE` each.
    pub(super) set: Strings,
    pub(super) removed: Strings,
}

impl Changes {
    /// `base` with the changes made.
    pub(super) fn apply(&self, base: &Strings) -> Strings {
        let name = |variable: &[u8]| {
            variable
                .split(|&byte| byte == b'=')
                .next()
                .unwrap_or_default()
                .to_vec()
        };
        let mut changed: Vec<Vec<u8>> = self.set.iter().map(name).collect();
        changed.extend(self.removed.iter().map(<[u8]>::to_vec));
        let mut env = Strings::with_capacity(base.bytes().len() + self.set.bytes().len());
        for variable in base
            .iter()
            .filter(|variable| !changed.contains(&name(variable)))
            .chain(self.set.iter())
        {
            // Every string came out of `Strings`, so none has a NUL inside.
            let _ = env.push(variable);
        }
        env
    }

    /// What `NAME` is set to. `None`: it is not set here.
    pub(super) fn value_of(&self, name: &[u8]) -> Option<&[u8]> {
        self.set
            .iter()
            .find_map(|variable| variable.strip_prefix(name)?.strip_prefix(b"="))
    }

    pub(super) fn removes(&self, name: &[u8]) -> bool {
        self.removed.iter().any(|removed| removed == name)
    }
}
