//! Where a program is: `PATH`, asked once per name.

use std::collections::HashMap;
use std::ffi::CString;
use std::rc::Rc;

use super::super::spec::Changes;
use super::super::strings::Strings;

/// Where programs are looked for if there is no `PATH`, as `execvp` does.
const DEFAULT: &[u8] = b"/bin:/usr/bin";

/// More names than this are not remembered: a template may make a new one for each job.
const NAMES: usize = 256;

/// The paths at which a program is looked for, the right one first as soon as it is known.
///
/// Whether a path is right is found out by executing it, so there is no gap between a check and the use, and a program that is
/// moved while we run is still found. Nothing is remembered where `PATH` has relative entries: there the answer depends on the
/// job's directory.
#[derive(Debug)]
pub(super) struct Paths {
    path: Vec<u8>,
    memorable: bool,
    known: HashMap<Box<[u8]>, Rc<[CString]>>,
}

impl Paths {
    pub(super) fn of(env: &Strings) -> Self {
        let path = env
            .iter()
            .find_map(|variable| variable.strip_prefix(b"PATH="))
            .unwrap_or(DEFAULT);
        let memorable = path
            .split(|&byte| byte == b':')
            .all(|dir| dir.starts_with(b"/"));
        Self {
            path: path.to_vec(),
            memorable,
            known: HashMap::new(),
        }
    }

    /// What to try for `program`, in this order.
    pub(super) fn candidates(
        &mut self,
        program: &[u8],
        changes: Option<&Changes>,
    ) -> Rc<[CString]> {
        if program.is_empty() || program.contains(&b'/') {
            return path_of(&[program]).into_iter().collect();
        }
        if let Some(changes) = changes {
            if let Some(path) = changes.value_of(b"PATH") {
                return in_each(path, program);
            }
            if changes.removes(b"PATH") {
                return in_each(DEFAULT, program);
            }
        }
        if let Some(known) = self.known.get(program) {
            return known.clone();
        }
        let candidates = in_each(&self.path, program);
        if self.memorable && self.known.len() < NAMES {
            self.known.insert(program.into(), candidates.clone());
        }
        candidates
    }

    /// The one at `index` was right: it is tried first from now on.
    pub(super) fn found(&mut self, program: &[u8], candidates: &Rc<[CString]>, index: usize) {
        if index == 0 {
            return;
        }
        if let Some(known) = self
            .known
            .get_mut(program)
            .filter(|known| Rc::ptr_eq(known, candidates))
        {
            *known = candidates[index..=index]
                .iter()
                .chain(candidates.iter())
                .cloned()
                .collect();
        }
    }
}

fn in_each(path: &[u8], program: &[u8]) -> Rc<[CString]> {
    let dirs = path.split(|&byte| byte == b':');
    dirs.filter_map(|dir| {
        if dir.is_empty() {
            path_of(&[program])
        } else {
            path_of(&[dir, b"/", program])
        }
    })
    .collect()
}

/// `None` can't be: all of it came out of C strings.
fn path_of(parts: &[&[u8]]) -> Option<CString> {
    CString::new(parts.concat()).ok()
}
