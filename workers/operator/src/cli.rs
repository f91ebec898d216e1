//! The command line. `--help` is the reference, so its words are chosen here.

use std::str::FromStr;

use clap::{CommandFactory, Parser, builder::StyledStr};
use shared::{
    clock::Clock,
    config::{self, Broker, Database, Parsed, Unparsed},
    schema::PullId,
    version::VERSION,
};

use crate::{command::Command, context::Context, output::Output, suggest};

const EXIT_CODES: &str = "\
Exit codes:
    0  done, and well
    1  the thing failed, is not there, or is not well
    2  the command line cannot be understood, or somebody has to be asked and nobody is there
    3  a careful replay stopped by itself
   69  PostgreSQL or RabbitMQ cannot be used
   78  a setting cannot be used
  124  the time given with --timeout is over
  130  Ctrl-C while waiting: the pull goes on

Examples:
  operator migrate && operator pull --wait
  operator show latest
  operator pulls --json | jq 'select(.status == \"failed\") | .error'
  operator status || echo somebody should look";

/// Runs and explains the flow: asks for pulls, follows them, and tells how everything stands.
#[derive(Debug, Parser)]
#[command(name = "operator", version = VERSION, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON: one document, or for `pulls` one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    broker: Broker,
}

/// Parses the command line. Settings may stand anywhere.
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
    /// What to do, and what with; `settings` are all of them, as they may be seen.
    pub(crate) fn into_parts(self, settings: Result<String, String>) -> (Command, Context) {
        let Self { command, json, database, broker } = self;
        (command, Context { database, broker, settings, output: Output { json }, clock: Clock::System })
    }
}

/// How a person names a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullRef {
    /// By its number.
    Id(PullId),
    /// The newest.
    Latest,
}

impl FromStr for PullRef {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "latest" => Ok(Self::Latest),
            number => number
                .parse()
                .map(Self::Id)
                .map_err(|_| "name a pull by its number, or the newest as `latest`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

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
}
