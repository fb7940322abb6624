//! How many tests ran, from what `cargo test` says: a step that ran none has proved nothing.

/// Follows the output of `cargo test`.
#[derive(Debug, Default)]
pub(crate) struct Count {
    passed: u64,
    ignored: u64,
    /// The test binary that runs now.
    binary: String,
    binaries: u64,
    /// Test files (not unit tests, not examples in the docs: a crate may have none of these) in which nothing ran.
    empty: Vec<String>,
    /// How many cases of random tests and of tests that cause faults ran, by what they say.
    cases: u64,
    /// What this machine could not do, by what tests say.
    left_out: Vec<String>,
    /// Inside of what passing tests have printed.
    in_successes: bool,
}

impl Count {
    /// Takes in one line, and says whether it is worth showing: of what passing tests print, only seeds, counts of cases and what
    /// was left out are.
    pub(crate) fn look(&mut self, line: &str) -> bool {
        let line = line.trim();
        let noted = self.note(line);
        match line {
            "successes:" => self.in_successes = true,
            "failures:" => self.in_successes = false,
            _ => {}
        }
        if let Some(binary) = line.strip_prefix("Running ") {
            self.binary = binary.split(" (").next().unwrap_or(binary).to_owned();
        } else if line.starts_with("Doc-tests ") {
            self.binary = line.to_owned();
        } else if let Some(result) = line
            .strip_prefix("test result: ")
            // We ask for all tests of a binary; a test that runs one test in a process of its own does not.
            .filter(|result| number(result, " filtered out") == 0)
        {
            self.in_successes = false;
            self.add(result);
        }
        noted || !self.in_successes
    }

    /// What tests say that matters for the verdict.
    fn note(&mut self, line: &str) -> bool {
        if line.contains(": SKIPPED, ") || line.starts_with("not tried: ") {
            self.left_out.push(line.to_owned());
            true
        } else if line.ends_with(" cases") || line.ends_with(" interleavings") {
            let count = line.rsplit(' ').nth(1).map(str::parse);
            self.cases += count.and_then(Result::ok).unwrap_or(0);
            true
        } else {
            line.contains("seed ")
        }
    }

    fn add(&mut self, result: &str) {
        let (passed, failed) = (number(result, " passed"), number(result, " failed"));
        self.passed += passed;
        self.ignored += number(result, " ignored");
        self.binaries += 1;
        if self.binary.starts_with("tests/") && passed + failed == 0 {
            self.empty.push(self.binary.clone());
        }
    }

    /// What the step came to.
    pub(crate) fn verdict(&self) -> Result<String, String> {
        if self.passed == 0 {
            return Err("no test ran".into());
        }
        if !self.empty.is_empty() {
            return Err(format!("no test ran in {}", self.empty.join(", ")));
        }
        let mut text = format!("{} tests ran in {} binaries", self.passed, self.binaries);
        if self.cases > 0 {
            text += &format!(", {} cases in those that count them", self.cases);
        }
        if self.ignored > 0 {
            text += &format!(", {} ignored", self.ignored);
        }
        for line in &self.left_out {
            text += &format!("\n    left out: {line}");
        }
        Ok(text)
    }
}

/// The number that stands before `what`.
fn number(result: &str, what: &str) -> u64 {
    let before = result.split(what).next().unwrap_or_default();
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next();
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(output: &str) -> Result<String, String> {
        let mut count = Count::default();
        for line in output.lines() {
            count.look(line);
        }
        count.verdict()
    }

    fn result(passed: u64) -> String {
        format!(
            "test result: ok. {passed} passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n"
        )
    }

    #[test]
    fn tests_are_counted() {
        let output = format!(
            "     Running unittests src/lib.rs (target/debug/deps/a-1)\n{}     Running tests/it/main.rs (target/debug/deps/it-1)\n{}   Doc-tests settled\n{}",
            result(0),
            result(17),
            result(0)
        );
        assert_eq!(
            count(&output).as_deref(),
            Ok("17 tests ran in 3 binaries, 3 ignored")
        );
    }

    #[test]
    fn cases_are_counted_and_what_is_left_out_is_said() {
        let output = format!(
            "kill -9: 40 cases\nthe limit: 12 interleavings\npower: SKIPPED, no case ran: no strace\nnot tried: nginx is missing\n{}",
            result(1)
        );
        let verdict = count(&output).unwrap_or_default();
        assert!(verdict.contains("52 cases") && verdict.contains("left out: power"));
        assert!(verdict.contains("left out: not tried: nginx"));
    }

    #[test]
    fn of_what_passing_tests_print_only_what_matters_is_shown() {
        let mut count = Count::default();
        let output = "successes:\n---- a stdout ----\nnoise\n\
                      test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 5 filtered out\nkill: seed 7\nfailures:\nnoise\n";
        let shown: Vec<_> = output.lines().filter(|line| count.look(line)).collect();
        assert_eq!(shown, ["kill: seed 7", "failures:", "noise"]);
        assert_eq!(count.passed, 0);
    }

    #[test]
    fn a_step_without_a_test_fails() {
        assert!(count("").is_err());
        assert!(count(&format!("Running unittests src/lib.rs (a)\n{}", result(0))).is_err());
    }

    #[test]
    fn a_test_file_without_a_test_fails() {
        let output = format!(
            "Running tests/it/main.rs (a)\n{}Running tests/faults/main.rs (b)\n{}",
            result(5),
            result(0)
        );
        assert_eq!(
            count(&output),
            Err("no test ran in tests/faults/main.rs".into())
        );
    }
}
