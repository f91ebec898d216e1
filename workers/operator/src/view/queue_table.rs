//! The broker's queues as the table that `status` and `topology` share.

use shared::view::StageQueues;

use super::{
    format::number,
    table::{Style, Table},
};

/// The stages' queues as a table; a stage without a worker and one with dead letters stand out.
pub(super) fn queue_table(stages: &[StageQueues]) -> Table {
    let headings = ["STAGE", ">WORKERS", ">READY", ">RETRYING", ">REPLAYED", ">DEAD LETTERS"];
    let mut table = Table::new(&headings);
    let bad_if = |bad| if bad { Style::Bad } else { Style::Plain };
    for queues in stages {
        let (absent, dead) = (bad_if(queues.workers == 0), bad_if(queues.dead > 0));
        let counts = [queues.workers, queues.ready, queues.retrying, queues.replay, queues.dead];
        table.styled_row(
            &[Style::Plain, absent, Style::Plain, Style::Plain, Style::Plain, dead],
            [queues.stage.to_owned()].into_iter().chain(counts.map(number)),
        );
    }
    table
}
