//! The broker's side as tables. What all stages have in common is shown once, with `<stage>` in place of a name.

use shared::{
    runtime::QueueDepth,
    topology::{Argument, EXCHANGES, Queue, all_stages},
};

use super::{
    by_stage,
    format::{count, number},
    queue_table::queue_table,
    ready,
    table::{Table, section},
};

/// Stages, messages in their queues, exchanges, and every kind of queue.
pub(crate) fn topology(queues: &[Queue], depths: &[QueueDepth], trouble: Option<&str>) -> String {
    let messages = match trouble {
        Some(trouble) => format!("unknown: {trouble}\n"),
        None => format!("{}{}", queue_table(&by_stage(depths), &[]), background(queues, depths)),
    };
    let sections = [
        section("Stages", &stages().to_string()),
        section("Messages", &messages),
        section("Exchanges", &exchanges().to_string()),
        section("Queues", &kinds(queues).to_string()),
        format!("<ms> is one of {}\n", delays(queues)),
    ];
    sections.concat().trim_start().to_owned()
}

fn stages() -> Table {
    let mut table = Table::new(&["STAGE", "READS", "ANNOUNCES", ">PREFETCH"]);
    for stage in all_stages() {
        table.row([
            stage.name.to_owned(),
            stage.reads.to_owned(),
            stage.announces.to_owned(),
            number(stage.prefetch),
        ]);
    }
    table
}

/// The queues that belong to no stage.
fn background(queues: &[Queue], depths: &[QueueDepth]) -> String {
    let background = queues.iter().filter(|queue| stage_of(&queue.name).is_none());
    let holds =
        background.map(|queue| format!("{}: {}", queue.name, count(ready(&queue.name, depths), "message")));
    lines(holds) + "\n"
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
    let mut kinds: Vec<[String; 2]> = Vec::new();
    for kind in queues.iter().map(kind) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let mut table = Table::new(&["QUEUE\n  bound to", "ARGUMENTS"]);
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

/// A queue without its stage's name and its delay.
fn kind(queue: &Queue) -> [String; 2] {
    let stage = stage_of(&queue.name);
    let delay = queue.name.rsplit_once(".retry.").map(|(_, millis)| millis);
    let generic = |text: &str| {
        let text = stage.map_or(text.to_owned(), |(name, reads)| {
            text.replace(name, "<stage>").replace(reads, "<what it reads>")
        });
        delay.map_or(text.clone(), |millis| text.replace(millis, "<ms>"))
    };
    let bindings = queue.bindings.iter().map(|(exchange, key)| format!("  {exchange}: {}", generic(key)));
    let arguments = queue.arguments.iter().map(|(name, argument)| match argument {
        Argument::Text(text) => format!("{name} = {:?}", generic(text)),
        Argument::Number(number) => format!("{name} = {}", generic(&number.to_string())),
    });
    [lines([generic(&queue.name)].into_iter().chain(bindings)), lines(arguments)]
}

/// The stage a queue belongs to, and what that stage reads.
fn stage_of(queue: &str) -> Option<(&'static str, &'static str)> {
    let stage = all_stages().find(|stage| {
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
    fn what_stages_have_in_common_is_shown_once() {
        let queues = queues(&shared::topology::RetryDelays::default());
        let text = topology(&queues, &[], Some("AMQP_URL is not set"));
        for once in
            ["<stage>.retry.<ms>", "x-message-ttl = <ms>", "work: <what it reads>", "\nstreams.rejected "]
        {
            assert!(text.matches(once).count() <= 1, "{once} in {text}");
        }
        assert!(text.contains("unknown: AMQP_URL is not set"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
