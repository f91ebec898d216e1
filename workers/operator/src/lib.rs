//! The tool of the person who runs the flow: asks for pulls, follows them, and explains how everything stands.
//!
//! One command a file in [`command`]; each asks the store or the broker, and gives what it learned to [`output`] as
//! text or JSON. The words are made by pure functions in [`text`] and [`progress`], from facts handed to them.

mod cli;
mod command;
mod context;
mod dead_letters;
mod error;
mod exit;
mod output;
mod progress;
mod rejected;
mod suggest;
mod view;
mod warnings;

use std::process::ExitCode;

pub use cli::command as command_line;
use command::Command;
use context::Context;
use error::Error;
use exit::Exit;
use shared::config::Unparsed;

/// The whole of the operator's `main`: parses the command line, runs the command, exits honestly.
pub fn main() -> ExitCode {
    let exit = match cli::parse() {
        Err(Unparsed::Told(code)) => return code,
        Err(Unparsed::Setting(error)) => Err(error.into()),
        Ok(parsed) => {
            let settings = parsed.settings();
            let (command, context) = parsed.program.into_parts(settings);
            run(command, &context)
        }
    };
    let exit = exit.unwrap_or_else(|error| {
        output::complain(&error);
        error.exit()
    });
    exit.into()
}

fn run(command: Command, context: &Context) -> Result<Exit, Error> {
    warnings::init()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
    runtime.block_on(command.run(context))
}
