//! `operator alarms`.

use clap::{Args, Subcommand};

use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
const JSON: &str = r#"JSON: one document per line: {"id", "at", "subject", "kind", "pull_id", "detail", "acknowledged_at",
"acknowledged_by", "note"}. Times are UTC, RFC 3339"#;

/// Show alarms, and acknowledge them
///
/// An acknowledged alarm no longer counts in `operator status`. What it was about may raise the next one.
#[derive(Debug, Args)]
pub(crate) struct Alarms {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Acknowledge(Acknowledge),
}

/// List alarms that nobody has acknowledged, newest first
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
struct List {
    /// Acknowledged ones too
    #[arg(long)]
    all: bool,
    /// List at most N
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

/// Say that you know of alarms; prints those that nobody had acknowledged before
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
struct Acknowledge {
    /// Their numbers
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<i64>,
    /// All that are not acknowledged
    #[arg(long)]
    all: bool,
    /// What you know of it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who acknowledges it, for the record
    #[arg(long, value_name = "WHO", env = "USER", hide_env_values = true, default_value = "operator")]
    by: String,
}

impl Alarms {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let now = context.clock.now();
        let alarms = match &self.command {
            Command::List(list) => store.alarm_rows(list.all, list.limit).await?,
            Command::Acknowledge(Acknowledge { ids, all, note, by }) => {
                let alarms = store.acknowledge_alarms(ids, *all, by, note.as_deref(), now).await?;
                if alarms.is_empty() {
                    return Err(Error::Failed("there is no such alarm that is not acknowledged".to_owned()));
                }
                alarms
            }
        };
        context.output.list(alarms, json::Alarm::from, |alarms| view::alarms(alarms, now));
        Ok(Exit::Success)
    }
}
