//! The command line. `--help` is the reference, so its texts are written here.

use clap::{CommandFactory, Parser, builder::StyledStr};
use shared::{
    clock::Clock,
    config::{self, Broker, Database, Parsed, Unparsed},
    version::VERSION,
};

use crate::{command::Command, context::Context, output::Output, suggest};

const EXIT_CODES: &str = "\
Exit codes:
    0  done, or all is well
    1  failed, not found, or not well
    2  wrong command line, or confirmation needed without a terminal
    3  a canary replay stopped by itself
   69  PostgreSQL or RabbitMQ is unavailable
   78  a setting cannot be used
  124  --timeout expired
  130  Ctrl-C while waiting; the pull continues

Examples:
  operator migrate && operator pull --wait
  operator show latest
  operator pulls --json | jq 'select(.status == \"failed\") | .error'
  operator status || echo not well";

/// Run and explain the flow: request pulls, follow them, and show overall health
#[derive(Debug, Parser)]
#[command(name = "operator", version = VERSION, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON: one document, or for lists one per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    broker: Broker,
}

/// Parses the command line. Settings may come before or after the command.
pub(crate) fn parse() -> Result<Parsed<Cli>, Unparsed> {
    config::parse(command())
}

/// The whole command line. Help names the commands as a person types them.
pub fn command() -> clap::Command {
    as_typed(Cli::command().mut_args(|setting| setting.global(true)).bin_name(suggest::operator()))
}

fn as_typed(command: clap::Command) -> clap::Command {
    let typed = |text: Option<&StyledStr>| text.map(|text| suggest::typed(&text.to_string()));
    let (long, after) = (typed(command.get_long_about()), typed(command.get_after_help()));
    let command = match long {
        Some(long) => command.long_about(long),
        None => command,
    };
    let command = match after {
        Some(after) => command.after_help(after),
        None => command,
    };
    command.mut_subcommands(as_typed)
}

impl Cli {
    /// The command and what it works with; `settings` are all of them, with secrets hidden.
    pub(crate) fn into_parts(self, settings: Result<String, String>) -> (Command, Context) {
        let Self { command, json, database, broker } = self;
        let (output, clock) = (Output { json }, Clock::System);
        let command_line = self::command;
        (command, Context { database, broker, settings, command_line, output, clock })
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;
    use clap_complete::Shell;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn settings_may_stand_after_the_command() {
        for line in ["operator --json show latest", "operator show latest --json"] {
            let matches = command().try_get_matches_from(line.split(' ')).unwrap();
            assert!(Cli::from_arg_matches(&matches).unwrap().json, "{line}");
        }
        let error = command().try_get_matches_from(["operator", "show", "newest"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("`latest`"), "{error}");
    }
    #[test]
    fn the_former_name_of_a_command_still_works() {
        let line = "operator rejected replay --pull 1 --min-viewers 0 --dry-run";
        command().try_get_matches_from(line.split(' ')).unwrap();
    }
    #[test]
    fn a_check_reports_every_setting_at_once() {
        let line = "operator config check --database-url-file /none --amqp-url-file /none";
        let matches = command().try_get_matches_from(line.split(' ')).unwrap();
        let (_, context) = Cli::from_arg_matches(&matches).unwrap().into_parts(Ok(String::new()));
        assert_eq!(context.check().len(), 2);
    }
    #[test]
    fn every_shell_is_told_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "operator", &mut script);
            let script = String::from_utf8(script).unwrap();
            for command in command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
