//! `operator dead-letters export`.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use clap::Args;
use serde::Serialize;
use shared::store::DeadLetterFilter;

use super::{
    filter::{FilterFlags, nothing},
    ndjson::Line,
};
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    output::{self, json},
    view::format::count,
};

/// Dead letters read in one go.
const PAGE: i64 = 200;

/// What a program reads.
const JSON: &str = r#"JSON: with a FILE {"exported"}; without, the dead letters themselves are the output"#;

/// Write dead letters to a file or to standard output, one JSON document a line, bodies in base64
///
/// `import` takes them in elsewhere, or here again.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Export {
    #[command(flatten)]
    flags: FilterFlags,
    /// The file, which must not be there yet; without it, standard output
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document {
    exported: i64,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter = self.flags.filter(context.clock.now());
        if store.count_dead_letters(&filter).await? == 0 && filter != DeadLetterFilter::default() {
            return Err(nothing(&store, &filter).await?);
        }
        let mut file = match &self.file {
            Some(path) => {
                Some(BufWriter::new(File::create_new(path).map_err(|error| unwritable(path, &error))?))
            }
            None => None,
        };
        let (mut after, mut exported) = (0, 0);
        loop {
            let page = store.export_dead_letters(&filter, after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, letter) in page {
                exported += 1;
                let line = json(&Line::from(letter));
                match (&mut file, &self.file) {
                    (Some(file), Some(path)) => {
                        writeln!(file, "{line}").map_err(|error| unwritable(path, &error))?;
                    }
                    _ => output::raw(&line),
                }
            }
        }
        if let (Some(file), Some(path)) = (&mut file, &self.file) {
            file.flush().map_err(|error| unwritable(path, &error))?;
            let told = format!("{} exported to {}", count(exported, "dead letter"), path.display());
            context.output.result(&Document { exported }, |_| told);
        }
        Ok(Exit::Success)
    }
}

fn unwritable(path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::Nothing(format!("{} cannot be written: {error}", path.display()))
}
