//! The list of subcommands.

use clap::{Args, Subcommand};

use super::{
    adopt::Adopt, compact::Compact, expire::Expire, export::Export, reset::Reset, status::Status,
    verify::Verify,
};
use crate::{context::Context, error::Error, exit::Exit};

/// Show the data lake, and have the exporter export, compact, verify and expire
#[derive(Debug, Args)]
pub(crate) struct Lake {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(Status),
    Export(Export),
    Compact(Compact),
    Verify(Verify),
    Expire(Expire),
    Adopt(Adopt),
    Reset(Reset),
}

impl Lake {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::Status(status) => status.run(context).await,
            Command::Export(export) => context.recording(export.run(context)).await,
            Command::Compact(compact) => context.recording(compact.run(context)).await,
            Command::Verify(verify) => context.recording(verify.run(context)).await,
            Command::Expire(expire) => context.recording(expire.run(context)).await,
            Command::Adopt(adopt) => context.recording(adopt.run(context)).await,
            Command::Reset(reset) => context.recording(reset.run(context)).await,
        }
    }
}
