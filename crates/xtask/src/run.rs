//! Running other programs: shows the command, runs it, and names its failure.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Result, paths};

/// A command, run at the root of the repository unless told otherwise.
pub(crate) struct Run(Command);

/// Outcome of a watched command.
pub(crate) struct Watched {
    pub(crate) success: bool,
    /// Standard output and standard error, in the order they came.
    pub(crate) output: String,
}

impl Run {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Run {
        let mut command = Command::new(program);
        command.current_dir(paths::root());
        Run(command)
    }

    /// The cargo that runs this tool.
    pub(crate) fn cargo() -> Run {
        Run::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// A script of the package in `dir`.
    pub(crate) fn npm_script(dir: &Path, script: &str) -> Run {
        Run::new("npm").args(["run", script]).dir(dir)
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Run {
        self.0.args(args);
        self
    }

    pub(crate) fn arg(self, arg: impl AsRef<OsStr>) -> Run {
        self.args([arg])
    }

    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Run {
        self.0.current_dir(dir);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.0.env(name, value);
        self
    }

    /// Runs it; its output is shown to the user.
    pub(crate) fn go(mut self) -> Result {
        let line = self.line();
        println!("$ {line}");
        let status = self.0.status().map_err(|error| not_started(&line, &error))?;
        if status.success() { Ok(()) } else { Err(format!("{line}\n  ended with {status}").into()) }
    }

    /// Runs it quietly and returns its standard output.
    pub(crate) fn read(mut self) -> Result<String> {
        let line = self.line();
        let output = self.0.output().map_err(|error| not_started(&line, &error))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{line}\n  ended with {}\n{stderr}", output.status).into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it quietly; true if it could be started and succeeded.
    pub(crate) fn succeeds(mut self) -> bool {
        self.0.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
    }

    /// Runs it; its output is shown to the user, and returned.
    pub(crate) fn watch(mut self) -> Result<Watched> {
        let line = self.line();
        println!("$ {line}");
        // One pipe for both streams: that is what keeps their order.
        let (reader, writer) = std::io::pipe()?;
        self.0.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = self.0.spawn().map_err(|error| not_started(&line, &error))?;
        // The command still holds the writing ends; the pipe ends only when they are gone.
        drop(self);

        let mut output = Vec::new();
        let mut reader = BufReader::new(reader);
        loop {
            let start = output.len();
            if reader.read_until(b'\n', &mut output)? == 0 {
                break;
            }
            print!("{}", String::from_utf8_lossy(&output[start..]));
        }
        let success = child.wait()?.success();
        Ok(Watched { success, output: String::from_utf8_lossy(&output).into_owned() })
    }

    /// The command as it would be typed.
    fn line(&self) -> String {
        let program = Path::new(self.0.get_program());
        // The toolchain's full path to cargo tells nobody anything.
        let mut line = if program.ends_with("cargo") { "cargo".to_owned() } else { paths::shown(program) };
        for arg in self.0.get_args() {
            line.push(' ');
            line.push_str(&paths::shown(Path::new(arg)));
        }
        match self.0.get_current_dir() {
            Some(dir) if dir != paths::root() => format!("(cd {} && {line})", paths::shown(dir)),
            _ => line,
        }
    }
}

fn not_started(line: &str, error: &std::io::Error) -> String {
    format!("{line}\n  could not be started: {error}")
}

#[cfg(test)]
mod tests {
    use super::Run;

    #[test]
    fn a_watched_command_keeps_both_streams_in_order() {
        let watched =
            Run::new("sh").args(["-c", "echo one; echo two >&2; echo three; exit 3"]).watch().unwrap();
        assert!(!watched.success);
        assert_eq!(watched.output, "one\ntwo\nthree\n");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Run::new("no-such-program").arg("x").go().unwrap_err().to_string();
        assert!(error.contains("no-such-program x"), "{error}");
    }
}
