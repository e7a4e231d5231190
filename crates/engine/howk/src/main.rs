//! The binary: everything is in the library, so that tests can have it.

fn main() -> std::process::ExitCode {
    howk::cli::main()
}
