//! What needs a person, before everything else.

use shared::view::{About, Trouble};

use crate::{
    cell::{Cell, Tone},
    document::{Block, Section, Table, command},
};

/// What is not well, each with where to look and what to type.
pub(super) fn attention(troubles: &[Trouble]) -> Section {
    let next = |about: &About| match about {
        About::Database | About::Broker | About::Workers => ("/workers".to_owned(), command("status")),
        About::Pull(pull) => (format!("/pulls/{pull}"), command(&format!("show {pull}"))),
        About::DeadLetters(stage) => {
            (format!("/dead-letters?stage={stage}"), command(&format!("dead-letters groups --stage {stage}")))
        }
        About::Vanished(stage) => (
            format!("/dead-letters?stage={stage}&state=vanished"),
            command(&format!("dead-letters list --stage {stage} --state vanished")),
        ),
        About::Erasure(channel) => ("/operations".to_owned(), command(&format!("erase --channel {channel}"))),
    };
    let rows = troubles.iter().map(|Trouble { text, about }| {
        let (href, command) = next(about);
        vec![Cell::text(text.clone()).tone(Tone::Bad).link(href), Cell::code(command)]
    });
    let rows: Vec<_> = rows.collect();
    let blocks = if rows.is_empty() {
        vec![Block::Text(Cell::text("Nothing needs you.").tone(Tone::Good))]
    } else {
        let caption = "What is not well, and the command that says more".to_owned();
        vec![Block::Table(Table { caption, head: vec!["What", "Next"], rows, empty: "" })]
    };
    Section::new("attention", "Needs attention", blocks)
}
