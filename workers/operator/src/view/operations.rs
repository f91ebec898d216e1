//! What people have ordered, and what came of it.

use chrono::{DateTime, Utc};
use shared::store::{OperationRow, OperationStep, ReplayReport};

pub(crate) use shared::view::describe_operation;

use super::{
    format::{number, short_time, time},
    replay::replay_report,
    table::{Style, Table},
};
use crate::suggest;

/// An operation, its steps, and what came of its replay.
#[derive(Debug)]
pub(crate) struct OperationDetails {
    /// The operation.
    pub(crate) row: OperationRow,
    /// Its steps, in order.
    pub(crate) steps: Vec<OperationStep>,
    /// Its replay so far.
    pub(crate) replay: Option<ReplayReport>,
}

/// The table of operations.
pub(crate) fn operations(operations: &[OperationRow], now: DateTime<Utc>) -> String {
    if operations.is_empty() {
        return "Nobody has ordered anything.".to_owned();
    }
    let mut table = Table::new(&[">ID", "AT (UTC)", "BY", "FROM", "STATE", "COMMAND", "~OUTCOME"]);
    for row in operations {
        table.styled_row(
            &[Style::Plain, Style::Plain, Style::Plain, Style::Plain, style(&row.state)],
            [
                row.id.to_string(),
                short_time(row.requested_at, now),
                row.requested_by.clone(),
                row.requested_from.clone(),
                row.state.clone(),
                row.command.clone(),
                row.outcome.clone().unwrap_or_else(|| "-".to_owned()),
            ],
        );
    }
    table.to_string()
}

/// All that is known of an operation.
pub(crate) fn operation(details: &OperationDetails) -> String {
    let OperationDetails { row, steps, replay } = details;
    let mut facts = vec![
        (
            "ordered by",
            format!("{}, from the {}, at {}", row.requested_by, row.requested_from, time(row.requested_at)),
        ),
        ("same as", suggest::command(&row.command)),
    ];
    facts.extend(row.counted.map(|counted| ("dead letters then", number(counted))));
    facts.extend(row.carried_by.clone().map(|carrier| ("carried out by", carrier)));
    let head = format!("{}\n{}", describe_operation(row), Table::facts(facts));
    let steps = steps.iter().map(|OperationStep { at, step }| format!("  {}  {step}\n", time(*at)));
    let replay = replay.iter().map(|replay| format!("\n{}", replay_report(replay)));
    [head].into_iter().chain(steps).chain(replay).collect::<Vec<_>>().concat()
}

fn style(state: &str) -> Style {
    match state {
        "done" => Style::Good,
        "failed" => Style::Bad,
        _ => Style::Busy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn an_operation_says_who_ordered_it_how_and_what_came_of_it() {
        let text = operation(&sample::operation_details());
        for words in
            ["Operation 5 (replay)", "ada, from the console", "dead-letters replay --group 3fa9", "begun by"]
        {
            assert!(text.contains(words), "{words:?} is missing in\n{text}");
        }
        let text = operations(&[sample::operation()], sample::now());
        assert!(text.contains("stopping"), "{text}");
        assert_eq!(operations(&[], sample::now()), "Nobody has ordered anything.");
    }
}
