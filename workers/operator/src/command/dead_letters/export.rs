//! `operator dead-letters export`.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use clap::Args;
use shared::store::{DeadLetterFilter, Store};

use super::{filter::FilterFlags, ndjson::Line, selection::explain_no_match};
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    output::{self, to_json},
    view::format::count,
};

/// Dead letters per query.
const PAGE: i64 = 200;

/// What a program reads.
const JSON: &str = r#"JSON: with a FILE {"exported"}; without, the dead letters are the output"#;

/// Write dead letters to a file or to standard output as NDJSON, bodies in base64
///
/// `import` reads them, here or elsewhere.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Export {
    #[command(flatten)]
    flags: FilterFlags,
    /// The file, which must not exist yet; default: standard output
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter = self.flags.filter(context.clock.now());
        if store.count_dead_letters(&filter).await? == 0 && filter != DeadLetterFilter::default() {
            return Err(explain_no_match(&store, &filter).await?);
        }
        let Some(path) = self.file else {
            export(&store, &filter, |line| {
                output::print(line);
                Ok(())
            })
            .await?;
            return Ok(Exit::Success);
        };
        let unwritable =
            |error: io::Error| Error::Failed(format!("{} cannot be written: {error}", path.display()));
        let mut file = BufWriter::new(File::create_new(&path).map_err(unwritable)?);
        let exported = export(&store, &filter, |line| writeln!(file, "{line}").map_err(unwritable)).await?;
        file.flush().map_err(unwritable)?;
        context.output.result(
            exported,
            |exported| json::Exported { exported },
            |exported| format!("{} exported to {}", count(*exported, "dead letter"), path.display()),
        );
        Ok(Exit::Success)
    }
}

/// Writes each matching dead letter as a line. Returns how many.
async fn export(
    store: &Store,
    filter: &DeadLetterFilter,
    mut write: impl FnMut(&str) -> Result<(), Error>,
) -> Result<i64, Error> {
    let (mut after, mut exported) = (0, 0);
    loop {
        let page = store.export_dead_letters(filter, after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(exported) };
        after = *last;
        for (_, dead_letter) in page {
            exported += 1;
            write(&to_json(&Line::from(dead_letter)))?;
        }
    }
}
