//! The tool of the person who runs the flow: asks for pulls, follows them, and explains how everything stands.
//!
//! One command per file in [`command`]. Each asks the store or the broker and hands what it learned to [`output`], which prints it
//! as text (drawn in [`view`]) or as a document (defined in [`json`]).

mod cli;
mod command;
mod context;
mod error;
mod exit;
mod json;
mod output;
mod progress;
mod pull_ref;
#[cfg(test)]
mod sample;
mod screen;
mod shadow;
mod view;
mod warnings;

use std::process::ExitCode;

pub use cli::command as command_line;
use command::Command;
use context::Context;
use error::Error;
use exit::Exit;
use shared::{config::Unparsed, view::suggest};

/// The whole of the operator's `main`: parses the command line, runs the command, and returns its exit code.
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
        output::error(&error);
        error.exit()
    });
    exit.into()
}

fn run(command: Command, context: &Context) -> Result<Exit, Error> {
    warnings::init(context::PROGRAM)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
    runtime.block_on(command.run(context))
}
