//! `operator lake verify`.

use clap::Args;
use serde_json::{Value, json};
use shared::store::LakeAction;

use super::ask::Ask;
use crate::{context::Context, error::Error, exit::Exit, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"files", "noted", "missing": ["path", …], "truncated": [{"path", "expected", "found"}, …], "damaged": [the
same, …], "duplicated": ["path", …], "unknown", "stale_manifests", "miscounted"}: paths from the lake's root; sizes in bytes of those that are
truncated, SHA-256 of those that are damaged; "noted": files of older builds whose SHA-256 is known from now on"#;

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
/// Names each file that is missing, truncated, damaged, in the catalogue twice, or unknown to it. Reads every file of the lake.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Verify {
    /// Do not read the files: compare their names and sizes alone
    #[arg(long)]
    without_contents: bool,
    #[command(flatten)]
    ask: Ask,
}

impl Verify {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let arguments = json!({ "contents": !self.without_contents });
        let answer = self.ask.ask(context, LakeAction::Verify, &arguments).await?;
        let well = TROUBLES.iter().all(|(trouble, _)| found(&answer, trouble).is_empty());
        context.output.result(answer, |answer| answer, text);
        Ok(if well { Exit::Success } else { Exit::Failed })
    }
}

/// What an answer has of a trouble.
fn found<'a>(answer: &'a Value, trouble: &str) -> &'a [Value] {
    answer[trouble].as_array().map_or(&[], Vec::as_slice)
}

fn text(answer: &Value) -> String {
    let troubles = TROUBLES.iter().flat_map(|(trouble, means)| {
        found(answer, trouble).iter().map(move |one| {
            if let Some(path) = one.as_str() {
                return format!("{path}: {means}");
            }
            let [path, expected, found] =
                ["path", "expected", "found"].map(|name| one[name].as_str().unwrap_or("?"));
            format!("{path}: {means}: expected {expected}, found {found}")
        })
    });
    let mut lines: Vec<String> = troubles.collect();
    if lines.is_empty() {
        let files = count(answer["files"].as_u64().unwrap_or(0), "file");
        lines.push(format!("{files}: catalogue and storage agree."));
    }
    let noted = answer["noted"].as_u64().unwrap_or(0);
    if noted > 0 {
        lines.push(format!("{} had no SHA-256 yet: noted as it is now.", count(noted, "file")));
    }
    lines.join("\n")
}
