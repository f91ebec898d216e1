//! The broker's side as tables. What is alike for every stage is said once, with `<stage>` in its place.

use shared::{
    runtime::QueueDepth,
    topology::{Argument, EXCHANGES, Queue, STAGES},
};

use super::{
    Table,
    format::number,
    queues::{StageQueues, by_stage, ready},
    table::{self, Style},
};

/// Stages with what lies in their queues, exchanges, and every kind of queue.
pub(crate) fn topology(queues: &[Queue], depths: &[QueueDepth], trouble: Option<&str>) -> String {
    let known = trouble.is_none();
    let depth = match trouble {
        Some(trouble) => format!("How deep the queues are is not known: {trouble}\n"),
        None => background(queues, depths),
    };
    [
        section("Stages", &stages(known.then(|| by_stage(depths)).as_deref())),
        depth,
        section("\nExchanges", &exchanges()),
        section("\nQueues", &kinds(queues)),
        format!("<ms> is one of {}\n", delays(queues)),
    ]
    .concat()
}

fn section(title: &str, table: &Table) -> String {
    let breaks = title.len() - title.trim_start().len();
    format!("{}{}\n{table}", &title[..breaks], table::line(title.trim_start(), Style::Plain))
}

fn stages(depths: Option<&[StageQueues]>) -> Table {
    let flow = ["STAGE", "READS", "ANNOUNCES", ">PREFETCH"];
    let live = [">WORKERS", ">READY", ">REPLAY", ">RETRY", ">DEAD"];
    let headings: Vec<&str> = flow.into_iter().chain(live.into_iter().filter(|_| depths.is_some())).collect();
    let mut table = Table::new(&headings);
    for (place, stage) in STAGES.into_iter().enumerate() {
        let flow = [
            stage.name.to_owned(),
            stage.reads.to_owned(),
            stage.announces.to_owned(),
            number(stage.prefetch),
        ];
        let live = depths.and_then(|depths| depths.get(place)).map(|queues| {
            [queues.workers, queues.ready, queues.replay, queues.retrying, queues.dead].map(number)
        });
        table.row(flow.into_iter().chain(live.into_iter().flatten()));
    }
    table
}

/// The queues that belong to no stage.
fn background(queues: &[Queue], depths: &[QueueDepth]) -> String {
    let background = queues.iter().filter(|queue| stage_of(&queue.name).is_none());
    let holds =
        background.map(|queue| format!("{} holds {}", queue.name, number(ready(&queue.name, depths))));
    format!("{}\n", holds.collect::<Vec<_>>().join(", "))
}

fn exchanges() -> Table {
    let mut table = Table::new(&["EXCHANGE", "TYPE"]);
    for (name, topic) in EXCHANGES {
        table.row([name.to_owned(), if topic { "topic" } else { "direct" }.to_owned()]);
    }
    table
}

/// Every kind of queue once, with its bindings and arguments.
fn kinds(queues: &[Queue]) -> Table {
    let mut kinds: Vec<[String; 3]> = Vec::new();
    for kind in queues.iter().map(kind) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let mut table = Table::new(&["QUEUE", "BOUND TO", "ARGUMENTS"]);
    for kind in kinds {
        table.row(kind);
    }
    table
}

/// The delays of the retry queues.
fn delays(queues: &[Queue]) -> String {
    let mut delays = Vec::new();
    for (_, millis) in queues.iter().filter_map(|queue| queue.name.rsplit_once(".retry.")) {
        if !delays.contains(&millis) {
            delays.push(millis);
        }
    }
    delays.join(", ")
}

/// A queue with what is its stage's own taken out.
fn kind(queue: &Queue) -> [String; 3] {
    let stage = stage_of(&queue.name);
    let delay = queue.name.rsplit_once(".retry.").map(|(_, millis)| millis);
    let alike = |text: &str| {
        let text = stage.map_or(text.to_owned(), |(name, reads)| {
            text.replace(name, "<stage>").replace(reads, "<what it reads>")
        });
        delay.map_or(text.clone(), |millis| text.replace(millis, "<ms>"))
    };
    let bindings = queue.bindings.iter().map(|(exchange, key)| format!("{exchange}: {}", alike(key)));
    let arguments = queue.arguments.iter().map(|(name, argument)| match argument {
        Argument::Text(text) => format!("{name} = {:?}", alike(text)),
        Argument::Number(number) => format!("{name} = {}", alike(&number.to_string())),
    });
    [alike(&queue.name), lines(bindings), lines(arguments)]
}

/// The stage a queue belongs to, and what that stage reads.
fn stage_of(queue: &str) -> Option<(&'static str, &'static str)> {
    let stage = STAGES.into_iter().find(|stage| {
        queue.strip_prefix(stage.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    stage.map(|stage| (stage.name, stage.reads))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use shared::topology::queues;

    use super::*;

    #[test]
    fn what_is_alike_is_said_once() {
        let queues = queues(&shared::topology::RetryDelays::default());
        let text = topology(&queues, &[], Some("AMQP_URL is not set"));
        for once in
            ["<stage>.retry.<ms>", "x-message-ttl = <ms>", "work: <what it reads>", "streams.rejected\n"]
        {
            assert!(text.matches(once).count() <= 1, "{once} in {text}");
        }
        assert!(text.contains("How deep the queues are is not known: AMQP_URL is not set"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
