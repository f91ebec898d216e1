//! The command line of a program: parsed, or refused in one line where a setting is to blame.

use std::{error::Error, ffi::OsStr, process::ExitCode};

use clap::{
    ArgMatches, Command, FromArgMatches, Subcommand,
    builder::Resettable,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{ConfigError, secret::variable, show::show};

/// What every program can say of its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Says whether the settings can be used, and calls nobody: exits 0 if they can, 78 with one line if not
    Check,
    /// Shows every setting, its value and where that comes from; secrets are masked
    Show,
}

/// A command line that was understood.
#[derive(Debug)]
pub struct Parsed<P> {
    /// What it says.
    pub program: P,
    command: Command,
    matches: ArgMatches,
}

impl<P> Parsed<P> {
    /// Every setting, one a line: name, value, where it comes from. Fails where a secret cannot be had, and says all the
    /// same what can be said.
    pub fn settings(&self) -> Result<String, String> {
        show(&self.command, &self.matches)
    }
}

/// Why there is nothing to run.
#[derive(Debug)]
pub enum Unparsed {
    /// What was asked for is told (`--help`, `--version`), or what cannot be understood is: exit with this.
    Told(ExitCode),
    /// A setting has a value it cannot have.
    Setting(ConfigError),
}

/// Parses what this process was started with. A variable that is set to nothing counts as not set, as compose files
/// write it.
pub fn parse<P: FromArgMatches>(command: Command) -> Result<Parsed<P>, Unparsed> {
    let command = empty_is_unset(command);
    let refused = |error: clap::Error| {
        unusable(&command, &error).map_or_else(|| Unparsed::Told(tell(&error)), Unparsed::Setting)
    };
    let matches = command.clone().try_get_matches().map_err(refused)?;
    let program = P::from_arg_matches(&matches).map_err(refused)?;
    Ok(Parsed { program, command, matches })
}

fn tell(error: &clap::Error) -> ExitCode {
    // Whoever closed the terminal does not want to know.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn empty_is_unset(command: Command) -> Command {
    let is_empty = |name: &OsStr| variable(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| match arg.get_env() {
            Some(name) if is_empty(name) => arg.env(Resettable::Reset),
            _ => arg,
        })
        .mut_subcommands(empty_is_unset)
}

/// The error as that of a setting, if it is one: a value that does not fit, of something that has a variable.
fn unusable(command: &Command, error: &clap::Error) -> Option<ConfigError> {
    if !matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        return None;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    // As in `--retry-delays <DELAYS>`.
    let flag = text(ContextKind::InvalidArg)?.split(' ').next()?;
    let setting = command.get_arguments().find(|arg| arg.get_long() == flag.strip_prefix("--"))?;
    let name = setting.get_env()?.to_string_lossy().into_owned();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let may_be = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => {
            Some(format!("write {}", values.join(" or ")))
        }
        _ => None,
    };
    let why = error.source().map(ToString::to_string).or(may_be);
    Some(ConfigError::Value {
        name,
        // What has an @ may be an address with a password in it.
        value: if value.contains('@') { "what it is".to_owned() } else { format!("{value:?}") },
        origin: if given(flag) { format!("flag {flag}") } else { "environment".to_owned() },
        why: why.unwrap_or_else(|| "a value is missing".to_owned()),
    })
}

/// Whether a flag is on the command line.
fn given(flag: &str) -> bool {
    std::env::args_os().any(|word| {
        let word = word.to_string_lossy();
        word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}
