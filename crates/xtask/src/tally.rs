//! Counts of tests, read from what test runners print. A suite that prints none has failed.

use crate::run::Watched;

/// Counts of one suite.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Reads the counts of a finished suite, and says what is wrong with it beyond failed tests.
    pub(crate) fn of(watched: &Watched) -> (Tally, Option<&'static str>) {
        let mut tally = Tally::read(&watched.output);
        let complaint = match watched.success {
            false if tally.failed == 0 => Some("it ended with an error outside of any test"),
            true if tally.passed + tally.failed == 0 => Some("it ran no test"),
            true if tally.failed > 0 => Some("it ended well in spite of failed tests"),
            _ => None,
        };
        if complaint.is_some() && tally.failed == 0 {
            tally.failed = 1;
        }
        (tally, complaint)
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Sums every summary in `output`: those of libtest and wasm-bindgen-test, and those of node's runner.
    fn read(output: &str) -> Tally {
        let mut tally = Tally::default();
        for line in output.lines() {
            let line = line.trim();
            if let Some(counts) = line.strip_prefix("test result: ") {
                tally.add(libtest(counts));
            } else if let Some(count) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
                tally.add(node(count));
            }
        }
        tally
    }
}

/// Reads `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn libtest(counts: &str) -> Tally {
    let mut tally = Tally::default();
    let counts = counts.split_once(". ").map_or(counts, |(_, rest)| rest);
    for part in counts.split(';') {
        let mut words = part.split_whitespace();
        let Some(Ok(count)) = words.next().map(str::parse::<u64>) else {
            continue;
        };
        match words.next() {
            Some("passed") => tally.passed = count,
            Some("failed") => tally.failed = count,
            Some("ignored") => tally.skipped = count,
            _ => {}
        }
    }
    tally
}

/// Reads one line: `pass 3`, `fail 0`, `cancelled 0`, `skipped 0` or `todo 0`.
fn node(line: &str) -> Tally {
    let mut tally = Tally::default();
    let mut words = line.split(' ');
    let (Some(word), Some(Ok(count)), None) =
        (words.next(), words.next().map(str::parse::<u64>), words.next())
    else {
        return tally;
    };
    match word {
        "pass" => tally.passed = count,
        "fail" | "cancelled" => tally.failed = count,
        "skipped" | "todo" => tally.skipped = count,
        _ => {}
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::{Tally, Watched};

    fn check(output: &str, passed: u64, failed: u64, skipped: u64) {
        assert_eq!(Tally::read(output), Tally { passed, failed, skipped }, "{output}");
    }

    fn suite(output: &str, success: bool) -> (u64, bool) {
        let (tally, complaint) = Tally::of(&Watched { success, output: output.to_owned() });
        (tally.failed, complaint.is_some())
    }

    #[test]
    fn reads_cargo_and_wasm_bindgen() {
        check(
            "test a ... ok\n\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.0s\n\
             test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s\n",
            5,
            1,
            1,
        );
        check("test result: ok. 4 passed; 0 failed; 0 ignored; 2 filtered out", 4, 0, 0);
    }

    #[test]
    fn reads_both_reporters_of_node() {
        check(
            "# tests 4\n# suites 1\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 0\n# todo 0\n# duration_ms 5",
            2,
            2,
            0,
        );
        check("ℹ tests 7\nℹ pass 5\nℹ fail 0\nℹ cancelled 0\nℹ skipped 1\nℹ todo 1\n", 5, 0, 2);
    }

    #[test]
    fn what_a_test_prints_is_no_summary() {
        check("# pass the salt 3\n# pass many\npass 5\n", 0, 0, 0);
    }

    #[test]
    fn silence_and_crashes_are_failures() {
        assert_eq!(suite("", true), (1, true));
        assert_eq!(suite("test result: ok. 0 passed; 0 failed", true), (1, true));
        assert_eq!(suite("# pass 9\n# fail 0", false), (1, true));
        assert_eq!(suite("# pass 9\n# fail 2", false), (2, false));
        assert_eq!(suite("# pass 9\n# fail 2", true), (2, true));
        assert_eq!(suite("# pass 9\n# fail 0", true), (0, false));
    }
}
