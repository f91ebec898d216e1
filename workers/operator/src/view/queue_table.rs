//! The broker's queues as the table that `status` and `topology` share.

use shared::{steering::StagePause, view::StageQueues};

use super::{
    format::number,
    table::{Style, Table},
};

/// The stages' queues as a table; a stage without a worker and one with dead letters stand out. Of a stage that a person has
/// paused nobody reads the queue, which is as it should be.
pub(super) fn queue_table(stages: &[StageQueues], paused: &[StagePause]) -> Table {
    let headings = ["STAGE", ">WORKERS", ">READY", ">RETRYING", ">REPLAYED", ">DEAD LETTERS"];
    let mut table = Table::new(&headings);
    let bad_if = |bad| if bad { Style::Bad } else { Style::Plain };
    for queues in stages {
        let by_person = paused.iter().any(|pause| pause.stage == queues.stage);
        let (workers, style) = match queues.workers {
            0 if by_person => ("paused".to_owned(), Style::Busy),
            workers => (number(workers), bad_if(workers == 0)),
        };
        let counts = [queues.ready, queues.retrying, queues.replay, queues.dead];
        table.styled_row(
            &[Style::Plain, style, Style::Plain, Style::Plain, Style::Plain, bad_if(queues.dead > 0)],
            [queues.stage.to_owned(), workers].into_iter().chain(counts.map(number)),
        );
    }
    table
}
