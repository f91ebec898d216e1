//! `operator config`.

use clap::Args;
use shared::config::ConfigCommand;

use crate::{context::Context, error::Error, exit::Exit, output};

/// Check or show the settings
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: ConfigCommand,
}

impl Config {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Error> {
        let (text, exit) = match (self.command, &context.settings) {
            (ConfigCommand::Check, _) => {
                let mut errors = context.check();
                if let Some(last) = errors.pop() {
                    for error in &errors {
                        output::error(error);
                    }
                    return Err(last);
                }
                ("operator: the settings can be used", Exit::Success)
            }
            (ConfigCommand::Show, Ok(settings)) => (settings.as_str(), Exit::Success),
            (ConfigCommand::Show, Err(settings)) => (settings.as_str(), Exit::Config),
        };
        output::print(text);
        Ok(exit)
    }
}
