//! `operator config`.

use clap::Args;
use shared::config::ConfigCommand;

use crate::{context::Context, error::Error, exit::Exit, output};

/// Look at the settings
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: ConfigCommand,
}

impl Config {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Error> {
        match (self.command, &context.settings) {
            (ConfigCommand::Check, _) => {
                context.check()?;
                output::say("operator: the settings can be used");
                Ok(Exit::Success)
            }
            (ConfigCommand::Show, Ok(settings)) => {
                output::say(settings);
                Ok(Exit::Success)
            }
            (ConfigCommand::Show, Err(settings)) => {
                output::say(settings);
                Ok(Exit::Config)
            }
        }
    }
}
