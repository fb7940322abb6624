//! Exceptions from a length, each with its own maximum, which may only shrink.

/// Lines `PATH[:NAME] MAXIMUM`; `#` begins a comment.
#[derive(Debug)]
pub(super) struct Ratchet {
    file: &'static str,
    exceptions: Vec<(String, usize)>,
}

impl Ratchet {
    pub(super) fn read(file: &'static str, text: &str) -> Self {
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or(line));
        let exceptions = lines.filter_map(|line| {
            let (what, maximum) = line.trim().rsplit_once(' ')?;
            Some((what.trim().to_owned(), maximum.parse().ok()?))
        });
        Self {
            file,
            exceptions: exceptions.collect(),
        }
    }

    /// Holds lengths against the limit that all have and the maximum that some have.
    pub(super) fn check(&self, limit: usize, lengths: &[(String, usize)]) -> Vec<String> {
        let file = self.file;
        let mut found = Vec::new();
        for (what, length) in lengths {
            let exception = self.exceptions.iter().find(|(name, _)| name == what);
            match exception {
                None if *length > limit => found.push(format!(
                    "{what}: {length} lines of code, the limit is {limit}: what is it really two of?"
                )),
                Some((_, maximum)) if length > maximum => found.push(format!(
                    "{what}: {length} lines of code, its maximum was {maximum} and may only shrink"
                )),
                Some((_, maximum)) if length < maximum || *length <= limit => {
                    let to = if *length <= limit { "remove its line".to_owned() } else { format!("write {length}") };
                    found.push(format!(
                        "{file}: {what} has {length} lines now, not {maximum}: {to}"
                    ));
                }
                _ => {}
            }
        }
        for (what, _) in &self.exceptions {
            if !lengths.iter().any(|(name, _)| name == what) {
                found.push(format!(
                    "{file}: there is no {what} any more: remove its line"
                ));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maximum_may_only_shrink() {
        let ratchet = Ratchet::read(
            "r.txt",
            "# why\ngrown.rs 12\nshrunk.rs 20 # x\nsmall.rs 11\nsame.rs 15\ngone.rs 30\n",
        );
        let lengths = [
            ("new.rs", 11),
            ("fine.rs", 10),
            ("grown.rs", 13),
            ("shrunk.rs", 19),
            ("small.rs", 9),
            ("same.rs", 15),
        ]
        .map(|(name, length)| (name.to_owned(), length));
        let found = ratchet.check(10, &lengths);
        let names = ["new.rs", "grown.rs", "shrunk.rs", "small.rs", "gone.rs"];
        assert_eq!(found.len(), names.len(), "{found:?}");
        for (found, name) in found.iter().zip(names) {
            assert!(found.contains(name), "{found}");
        }
    }
}
