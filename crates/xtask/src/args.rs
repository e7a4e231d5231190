//! Command line arguments: flags, options with a value, and nothing left over.

use crate::Result;

/// The arguments not yet taken.
pub(crate) struct Args(Vec<String>);

impl Args {
    pub(crate) fn from_env() -> Args {
        Args(std::env::args().skip(1).collect())
    }

    /// Takes the first argument, the command.
    pub(crate) fn command(&mut self) -> Option<String> {
        if self.0.is_empty() { None } else { Some(self.0.remove(0)) }
    }

    /// Takes `--name`; true if it was there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|arg| arg != name);
        self.0.len() != before
    }

    /// Takes `--name VALUE`.
    pub(crate) fn option(&mut self, name: &str) -> Result<Option<String>> {
        let Some(at) = self.0.iter().position(|arg| arg == name) else {
            return Ok(None);
        };
        if at + 1 == self.0.len() {
            return Err(format!("{name} needs a value").into());
        }
        self.0.remove(at);
        Ok(Some(self.0.remove(at)))
    }

    /// Takes whatever is left, for a command that hands it on.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }

    /// Refuses whatever is left.
    pub(crate) fn finish(&self) -> Result {
        match self.0.first() {
            None => Ok(()),
            Some(arg) => Err(format!("unknown argument {arg:?} (cargo xtask help)").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn args(line: &str) -> Args {
        Args(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn takes_flags_and_options_in_any_order() {
        let mut args = args("demo --quiet --port 9000");
        assert_eq!(args.command().as_deref(), Some("demo"));
        assert_eq!(args.option("--port").unwrap().as_deref(), Some("9000"));
        assert!(args.flag("--quiet"));
        assert!(!args.flag("--quiet"));
        args.finish().unwrap();
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(args("--prot 9000").finish().is_err());
        assert!(args("--port").option("--port").is_err());
    }
}
