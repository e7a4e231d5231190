//! `howk script validate|test|put`.

use super::expectation::{Case, Expectation};
use super::put::{PutArgs, put};
use super::{FAILED, SettingsArgs, WRONG_SETTINGS, complain, run as run_async, say};
use crate::api::{ApiError, TestAnswer, TestLimits, TestRequest, TestRun, Tester};
use crate::assembly;
use crate::config::Loaded;
use clap::{Args, Subcommand};
use howk_contract::ConfigId;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum ScriptCommand {
    /// Compiles scripts, and tells of each that does not compile with its line
    Validate(ValidateArgs),
    /// Runs a script on a made-up webhook, and prints what it would send; or compares that with what is
    /// expected
    Test(TestArgs),
    /// Stores a script by the API of a server
    Put(PutArgs),
}

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// The scripts
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// The script
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The payload, or @FILE with its bytes
    #[arg(long, value_name = "TEXT|@FILE", default_value = "{}")]
    payload: String,
    /// A header of the webhook; may be given often
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// A value of kv; may be given often
    #[arg(long, value_name = "KEY=VALUE")]
    kv: Vec<String>,
    /// Made-up answers: a file with `{ URL: { status_code, body, headers } }`
    #[arg(long, value_name = "FILE")]
    http: Option<PathBuf>,
    /// Number of the attempt, from 0
    #[arg(long, default_value_t = 0)]
    attempt: u32,
    /// Config of the script
    #[arg(long, value_name = "ID", default_value = "test")]
    config_id: ConfigId,
    /// The body that must come of it, or @FILE: compared as JSON where it is JSON
    #[arg(long, value_name = "TEXT|@FILE")]
    expect: Option<String>,
    /// Files of cases, each { given, expect }, instead of the flags above
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["payload", "header", "kv", "http", "expect"])]
    case: Vec<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(command: ScriptCommand) -> ExitCode {
    match command {
        ScriptCommand::Validate(args) => validate(&args),
        ScriptCommand::Test(args) => test(&args),
        ScriptCommand::Put(args) => put(args),
    }
}

/// The text of a script's file.
pub(super) fn read(file: &Path, most: usize) -> Result<String, String> {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|error| format!("{shown}: {error}"))?;
    if bytes.len() > most {
        let len = bytes.len();
        return Err(format!(
            "{shown}: the script has {len} bytes, and may have {most} (lua.script_max_bytes)"
        ));
    }
    String::from_utf8(bytes).map_err(|_| format!("{shown}: the script is not UTF-8"))
}

/// Settings and a tester, or the exit code.
fn tester(args: &SettingsArgs) -> Result<(Loaded, Tester), ExitCode> {
    let loaded = args.load(&[("log.level", "error")])?;
    drop(crate::logs::start(&loaded.settings));
    let tester = assembly::tester(&loaded).map_err(|error| {
        complain(format!("howk: {error}"));
        ExitCode::from(FAILED)
    })?;
    Ok((loaded, tester))
}

fn validate(args: &ValidateArgs) -> ExitCode {
    let (loaded, tester) = match tester(&args.settings) {
        Ok(both) => both,
        Err(code) => return code,
    };
    run_async(async {
        let mut wrong = 0_usize;
        for file in &args.files {
            let outcome = match read(file, loaded.settings.lua.script_max_bytes) {
                Err(problem) => Err(problem),
                Ok(source) => tester.check(&source).await.map_err(|error| {
                    let line = error.line.map(|line| format!(":{line}")).unwrap_or_default();
                    format!("{}{line}: {}", file.display(), without_place(&error.message))
                }),
            };
            match outcome {
                Ok(()) => say(format!("{}: fine", file.display())),
                Err(problem) => {
                    wrong += 1;
                    complain(problem);
                }
            }
        }
        if wrong == 0 {
            Ok(())
        } else {
            Err(format!("{wrong} of {} scripts do not compile", args.files.len()))
        }
    })
}

fn test(args: &TestArgs) -> ExitCode {
    let cases = match cases(args) {
        Ok(cases) => cases,
        Err(problem) => {
            complain(problem);
            return ExitCode::from(WRONG_SETTINGS);
        }
    };
    let (loaded, tester) = match tester(&args.settings) {
        Ok(both) => both,
        Err(code) => return code,
    };
    run_async(async {
        let source = read(&args.file, loaded.settings.lua.script_max_bytes)?;
        let mut wrong = 0_usize;
        let count = cases.len();
        for (name, given, expect) in cases {
            let answer = answer(&loaded, &tester, &args.config_id, given, &source).await;
            let answer = answer.map_err(|error| format!("{name}: {}", error.error))?;
            let differences = match &expect {
                Some(expect) => expect.differences(&answer),
                None if answer.success => Vec::new(),
                None => vec![failure(&args.file, &answer)],
            };
            if args.case.is_empty() {
                say(serde_json::to_string_pretty(&answer).map_err(|error| error.to_string())?);
            } else if differences.is_empty() {
                say(format!("{name}: fine"));
            }
            if !differences.is_empty() {
                wrong += 1;
                for difference in &differences {
                    complain(format!("{name}: {difference}"));
                }
            }
        }
        if wrong == 0 { Ok(()) } else { Err(format!("{wrong} of {count} cases differ")) }
    })
}

fn failure(file: &Path, answer: &TestAnswer) -> String {
    let line = answer.line.map(|line| format!(":{line}")).unwrap_or_default();
    let word = answer.error_type.map_or("error", |word| word.as_str());
    let message = without_place(answer.error.as_deref().unwrap_or_default());
    format!("{}{line}: {word}: {message}", file.display())
}

/// A message without `script:LINE:` at its beginning, where file and line stand before it.
pub(crate) fn without_place(message: &str) -> &str {
    let rest =
        message.strip_prefix("script:").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.and_then(|rest| rest.strip_prefix(": ")).unwrap_or(message)
}

async fn answer(
    loaded: &Loaded,
    tester: &Tester,
    config_id: &ConfigId,
    given: TestRequest,
    source: &str,
) -> Result<TestAnswer, ApiError> {
    let settings = &loaded.settings;
    let limits = TestLimits {
        payload_bytes: settings.api.max_payload_bytes,
        script_bytes: settings.lua.script_max_bytes,
        max_attempts: settings.retry.max_attempts,
    };
    let event = given.event(config_id.clone(), || Ok(source.into()), limits)?;
    let payload = event.input.payload.clone();
    match tester.run(event).await {
        TestRun::Done(report) => Ok(TestAnswer::of(report, &payload)),
        TestRun::Deferred => Err(ApiError::unavailable("there is no memory for the script")),
    }
}

type Cases = Vec<(String, TestRequest, Option<Expectation>)>;

/// The cases of the flags, or of the files.
fn cases(args: &TestArgs) -> Result<Cases, String> {
    if args.case.is_empty() {
        let expect = args.expect.as_deref().map(text_or_file).transpose()?;
        let expect =
            expect.map(|bytes| String::from_utf8(bytes).map_err(|_| "--expect: it is not UTF-8".to_owned()));
        let given = given(args)?;
        return Ok(vec![("test".into(), given, expect.transpose()?.as_deref().map(Expectation::of_body))]);
    }
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        let case: Case = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        Ok((name, case.given, Some(case.expect)))
    };
    args.case.iter().map(read).collect()
}

/// The bytes of a flag: its text, or those of the file behind an `@`.
fn text_or_file(flag: &str) -> Result<Vec<u8>, String> {
    match flag.strip_prefix('@') {
        Some(path) => std::fs::read(path).map_err(|error| format!("{path}: {error}")),
        None => Ok(flag.as_bytes().to_vec()),
    }
}

fn given(args: &TestArgs) -> Result<TestRequest, String> {
    use base64::Engine;
    let pair = |text: &str, at: char, what: &str| {
        let (name, value) =
            text.split_once(at).ok_or_else(|| format!("{what} {text:?}: there is no {at:?} in it"))?;
        Ok::<_, String>((name.trim().to_owned(), Value::from(value.trim())))
    };
    let headers = args.header.iter().map(|text| pair(text, ':', "--header"));
    let kv = args.kv.iter().map(|text| pair(text, '=', "--kv"));
    let http = match &args.http {
        None => json!({}),
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?
        }
    };
    let payload = base64::engine::general_purpose::STANDARD.encode(text_or_file(&args.payload)?);
    let request = json!({
        "payload_base64": payload,
        "headers": headers.collect::<Result<serde_json::Map<_, _>, _>>()?,
        "kv": kv.collect::<Result<serde_json::Map<_, _>, _>>()?,
        "http": http,
        "metadata": { "attempt": args.attempt },
    });
    // By its text: a payload's is kept as it was written only there.
    serde_json::from_str(&request.to_string()).map_err(|error| error.to_string())
}
