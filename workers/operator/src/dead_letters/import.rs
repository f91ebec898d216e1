//! `operator dead-letters import`.

use std::{
    fs,
    io::{Read, stdin},
    path::PathBuf,
};

use clap::Args;
use serde::Serialize;
use shared::dead_letters;

use super::{confirm::Confirmation, ndjson};
use crate::{context::Context, error::Error, exit::Exit, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"imported": [17, …], "there_already"}"#;

/// Take dead letters in that `export` wrote, into their dead-letter queues
///
/// The whole file is checked first: one bad line, and nothing is changed. Dead letters that lie here already are passed over.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Import {
    /// The file; without it, standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    consent: Confirmation,
}

#[derive(Serialize)]
struct Document {
    imported: Vec<i64>,
    there_already: usize,
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let (name, text) = if let Some(path) = &self.file {
            (path.display().to_string(), fs::read(path))
        } else {
            let mut text = Vec::new();
            ("standard input".to_owned(), stdin().read_to_end(&mut text).map(|_| text))
        };
        let text = text.map_err(|error| Error::Nothing(format!("{name} cannot be read: {error}")))?;
        let letters = ndjson::read(&text)
            .map_err(|wrong| Error::Nothing(format!("{name}, {wrong}. Nothing was changed")))?;
        if letters.is_empty() {
            return Err(Error::Nothing(format!("{name} holds no dead letters")));
        }
        let store = context.ready_store().await?;
        let all = i64::try_from(letters.len()).unwrap_or(i64::MAX);
        self.consent
            .ask(&format!("Take {} from {name} into their dead-letter queues?", count(all, "dead letter")))?;
        let broker = context.connect().await?;
        let imported =
            dead_letters::import(&store, &broker.announcer, &context.clock, &letters, &self.consent.by)
                .await?;
        let document = Document { there_already: letters.len() - imported.len(), imported };
        context.output.result(&document, |document| {
            let new = i64::try_from(document.imported.len()).unwrap_or(i64::MAX);
            format!("{} imported, {} were already here", count(new, "dead letter"), document.there_already)
        });
        Ok(Exit::Success)
    }
}
