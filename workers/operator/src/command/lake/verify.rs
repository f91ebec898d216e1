//! `operator lake verify`.

use clap::Args;
use serde_json::{Value, json};
use shared::store::LakeAction;

use super::ask::{Ask, texts};
use crate::{context::Context, error::Error, exit::Exit, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"files", "missing": ["path", …], "truncated", "damaged", "duplicated", "unknown", "stale_manifests",
"miscounted"}: lists of paths from the lake's root"#;

/// What can be wrong, and what that means.
const TROUBLES: [(&str, &str); 7] = [
    ("missing", "in the catalogue and not in storage"),
    ("truncated", "not of the size that the catalogue says"),
    ("damaged", "other bytes than were written"),
    ("duplicated", "twice in the catalogue: its rows count twice"),
    ("unknown", "in storage and in no catalogue"),
    ("stale_manifests", "a manifest that does not say what the catalogue says"),
    ("miscounted", "rows in files and rows of pulls differ"),
];

/// Compare the catalogue with storage: exits 0 if they agree, 1 if not
///
/// Names each file that is missing, truncated, damaged, in the catalogue twice, or unknown to it.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Verify {
    #[command(flatten)]
    ask: Ask,
}

impl Verify {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let answer = self.ask.ask(context, LakeAction::Verify, &json!({})).await?;
        let well = TROUBLES.iter().all(|(trouble, _)| texts(&answer, trouble).is_empty());
        context.output.result(answer, |answer| answer, text);
        Ok(if well { Exit::Success } else { Exit::Failed })
    }
}

fn text(answer: &Value) -> String {
    let found = TROUBLES.iter().flat_map(|(trouble, means)| {
        texts(answer, trouble).into_iter().map(move |path| format!("{path}: {means}"))
    });
    let lines: Vec<String> = found.collect();
    let files = count(answer["files"].as_u64().unwrap_or(0), "file");
    if lines.is_empty() { format!("{files}: catalogue and storage agree.") } else { lines.join("\n") }
}
