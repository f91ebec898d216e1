//! `operator operations stop`.

use clap::Args;

use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
const JSON: &str = "JSON: as `list`";

/// Stop an operation before its next step
///
/// What was done stays done: dead letters that a replay has not sent are as they were. One that nobody has begun ends at once.
/// Exits 0 also if it has ended already.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Stop {
    /// The operation's number
    #[arg(value_name = "ID")]
    id: i64,
    /// Who stops it, for the record
    #[arg(long, value_name = "WHO", env = "USER", hide_env_values = true, default_value = "operator")]
    by: String,
}

impl Stop {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let none =
            || Error::Failed(format!("there is no operation {}: `operator operations` lists them", self.id));
        let row = store.stop_operation(self.id, &self.by, context.clock.now()).await?.ok_or_else(none)?;
        context.output.result(row, json::Operation::from, view::describe_operation);
        Ok(Exit::Success)
    }
}
