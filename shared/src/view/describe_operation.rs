//! How an operation stands, in a sentence.

use crate::store::OperationRow;

/// Its number, its kind and how it stands: who stops it, and what came of it.
pub fn describe_operation(row: &OperationRow) -> String {
    let by = row.stop_by.as_deref().unwrap_or("somebody");
    let state = match row.state.as_str() {
        "requested" => "is waiting for an extractor to take it on, for an hour at most".to_owned(),
        "running" => "is under way".to_owned(),
        "stopping" => format!("ends before its next step: {by} has stopped it"),
        "done" => "is done".to_owned(),
        "stopped" if row.stop_by.is_some() => format!("was stopped by {by}"),
        "stopped" => "stopped by itself".to_owned(),
        _ => "has failed".to_owned(),
    };
    let outcome = row.outcome.as_ref().map_or_else(String::new, |outcome| format!(": {outcome}"));
    format!("Operation {} ({}) {state}{outcome}", row.id, row.kind)
}
