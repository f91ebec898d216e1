//! What was erased of a channel, and whether it is still found.

use std::collections::BTreeMap;

use shared::{proof::Leftovers, schema::ChannelId, store::Places};

use super::{
    format::{count, number},
    table::Table,
};

/// What no erasure reaches, and what to do about it.
const NOT_REACHED: [&str; 8] = [
    "backups, replicas that are behind, and archived WAL of PostgreSQL: until they expire",
    "logs of the programs, of PostgreSQL and of RabbitMQ, wherever they are shipped to: until they expire there",
    "old versions of the lake's files in a bucket that keeps versions: until its lifecycle removes them",
    "copies that others made: exports of dead letters, files of the lake, tables that they own, queues of their own that are bound to `events`",
    "what was loaded into Redshift: load the days again, and delete the pulls of before there",
    "queues of former builds and settings (`dead-letters.ledger`, retry queues of another RETRY_DELAYS): delete them",
    "messages that a worker has in hand just now: they are gone once they are handled",
    "what is collected from now on: a channel that is live is in the next pull again",
];

/// Where a channel was found, and where it still is.
#[derive(Debug, Clone)]
pub(crate) struct Erased {
    /// The channel.
    pub(crate) channel_id: ChannelId,
    /// Rows by table and column, and messages by queue, that named it.
    pub(crate) counts: Places,
    /// Where its bytes still are after it was erased; none where it was not.
    pub(crate) found: Option<Places>,
    /// Where the same bytes are something else, by what they are.
    pub(crate) explained: BTreeMap<String, Places>,
    /// Whether the erasure is done. Otherwise it knows whose it is until it is.
    pub(crate) ended: bool,
    /// Whether there is a lake whose files were left as they are.
    pub(crate) lake: bool,
    /// What no erasure reaches.
    pub(crate) not_reached: &'static [&'static str],
}

impl Erased {
    /// A channel that was only counted.
    pub(crate) fn counted(channel_id: ChannelId, counts: Places, lake: bool) -> Self {
        let explained = BTreeMap::new();
        Self { channel_id, counts, found: None, explained, ended: false, lake, not_reached: &NOT_REACHED }
    }

    /// A channel that was erased, and searched for.
    pub(crate) fn done(
        channel_id: ChannelId,
        counts: Places,
        left: Leftovers,
        lake: bool,
        ended: bool,
    ) -> Self {
        let Leftovers { unexplained, explained } = left;
        let found = Some(unexplained);
        Self { channel_id, counts, found, explained, ended, lake, not_reached: &NOT_REACHED }
    }
}

/// The counts, and what the search afterwards found.
pub(crate) fn erased(erased: &Erased) -> String {
    let Erased { channel_id, counts, found, explained, ended, lake, not_reached } = erased;
    let mut table = Table::new(&["WHERE", ">ROWS"]);
    for (place, rows) in counts {
        table.row([place.clone(), number(*rows)]);
    }
    let table = if counts.is_empty() { String::new() } else { format!("{table}\n") };
    let told = match found {
        None => format!("{table}{} Nothing was changed.", found_in(counts)),
        Some(found) if found.is_empty() => {
            format!("{table}Channel {channel_id} was erased, and is found nowhere any longer.")
        }
        Some(found) => format!(
            "{table}Channel {channel_id} was erased, and is found again in {}: a pull that is under way may have stored it \
             meanwhile. Run the command again; --accept-found ends it where that is something else.",
            list(found)
        ),
    };
    let explained =
        explained.iter().map(|(reason, places)| format!("\nFound, and {reason}: {}.", list(places)));
    let lake =
        if *lake { "\nThere is a lake: its files were not searched, and may hold the channel." } else { "" };
    let under_way = if found.is_some() && !ended {
        "\nThe erasure has not ended: until it does, the database knows whose it is, and `operator status` names it."
    } else {
        ""
    };
    let not_reached: Vec<String> = not_reached.iter().map(|place| format!("- {place}")).collect();
    format!(
        "{told}{}{lake}{under_way}\n\nNot reached, and not searched:\n{}",
        explained.collect::<Vec<_>>().concat(),
        not_reached.join("\n")
    )
}

fn list(places: &Places) -> String {
    let places: Vec<String> = places.iter().map(|(place, rows)| format!("{place} ({rows})")).collect();
    places.join(", ")
}

/// How much there is, in a sentence.
pub(crate) fn found_in(counts: &Places) -> String {
    let rows: i64 = counts.values().sum();
    if rows == 0 {
        return "The channel is found nowhere.".to_owned();
    }
    format!("The channel is found {} in {}.", count(rows, "time"), count(counts.len() as u64, "place"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_was_erased_is_counted_and_what_is_left_is_named() {
        let clean = erased(&sample::erased());
        let begin = "WHERE                 ROWS\npull_data.channel_id    12\nstreams.rejected         1\n\n\
             Channel 123456789 was erased, and is found nowhere any longer.\n\
             Found, and digits within a longer number: dead_letter.body (1).\n\n\
             Not reached, and not searched:\n- backups";
        assert!(clean.starts_with(begin), "{clean}");
        let found = Some([("pull_chunk.page".to_owned(), 2)].into());
        let left = erased(&Erased { found, ended: false, ..sample::erased() });
        assert!(left.contains("is found again in pull_chunk.page (2)"), "{left}");
        assert!(left.contains("The erasure has not ended"), "{left}");
        let beside_lake = erased(&Erased { lake: true, ..sample::erased() });
        assert!(
            beside_lake.contains("its files were not searched, and may hold the channel."),
            "{beside_lake}"
        );
        let counted = erased(&Erased { found: None, ..sample::erased() });
        assert!(counted.contains("found 13 times in 2 places. Nothing was changed."), "{counted}");
    }
}
