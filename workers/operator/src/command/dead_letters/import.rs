//! `operator dead-letters import`.

use std::{
    fs,
    io::{Read, stdin},
    path::PathBuf,
};

use clap::Args;
use shared::dead_letters;

use super::{super::confirmation::Confirmation, ndjson};
use crate::{context::Context, error::Error, exit::Exit, json, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"imported": [17, …], "there_already"}"#;

/// Import dead letters that `export` wrote into their queues
///
/// Checks the whole file first; if a line is bad, nothing is changed. Skips dead letters that are already here.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Import {
    /// The file; default: standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let (name, text) = if let Some(path) = &self.file {
            (path.display().to_string(), fs::read(path))
        } else {
            let mut text = Vec::new();
            ("standard input".to_owned(), stdin().read_to_end(&mut text).map(|_| text))
        };
        let text = text.map_err(|error| Error::Failed(format!("{name} cannot be read: {error}")))?;
        let dead_letters = ndjson::read(&text)
            .map_err(|wrong| Error::Failed(format!("{name}, {wrong}. Nothing was changed")))?;
        if dead_letters.is_empty() {
            return Err(Error::Failed(format!("{name} has no dead letters")));
        }
        let store = context.ready_store().await?;
        let what = count(dead_letters.len(), "dead letter");
        self.confirmation.ask(&format!("Import {what} from {name}?"))?;
        let broker = context.connect().await?;
        let by = &self.confirmation.by;
        let imported =
            dead_letters::import(&store, &broker.announcer, &context.clock, &dead_letters, by).await?;
        let there_already = dead_letters.len() - imported.len();
        context.output.result(
            imported,
            |imported| json::Imported { imported, there_already },
            |imported| {
                let new = count(imported.len(), "dead letter");
                format!("{new} imported, {there_already} already here")
            },
        );
        Ok(Exit::Success)
    }
}
