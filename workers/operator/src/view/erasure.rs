//! What was erased of a channel, and whether it is still found.

use shared::{schema::ChannelId, store::Places};

use super::{
    format::{count, number},
    table::Table,
};

/// Where a channel was found, and where it still is.
#[derive(Debug, Clone)]
pub(crate) struct Erased {
    /// The channel.
    pub(crate) channel_id: ChannelId,
    /// Rows by table and column, and messages by queue, that named it.
    pub(crate) counts: Places,
    /// The same after it was erased; none where it was not.
    pub(crate) found: Option<Places>,
    /// Whether there is a lake whose files were left as they are.
    pub(crate) lake: bool,
}

/// The counts, and what the search afterwards found.
pub(crate) fn erased(erased: &Erased) -> String {
    let Erased { channel_id, counts, found, lake } = erased;
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
        Some(found) => {
            let places: Vec<String> = found.iter().map(|(place, rows)| format!("{place} ({rows})")).collect();
            format!(
                "{table}Channel {channel_id} was erased, and is found again in {}: a pull that is under way may have \
                 stored it meanwhile. Run the command again.",
                places.join(", ")
            )
        }
    };
    let lake =
        if *lake { "\nThere is a lake: its files were not searched, and may hold the channel." } else { "" };
    format!("{told}{lake}")
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
        assert_eq!(
            clean,
            "WHERE                 ROWS\npull_data.channel_id    12\nstreams.rejected         1\n\n\
             Channel 123456789 was erased, and is found nowhere any longer."
        );
        let found = Some([("pull_chunk.page".to_owned(), 2)].into());
        let left = erased(&Erased { found, ..sample::erased() });
        assert!(left.contains("is found again in pull_chunk.page (2)"), "{left}");
        let beside_lake = erased(&Erased { lake: true, ..sample::erased() });
        assert!(
            beside_lake.ends_with("its files were not searched, and may hold the channel."),
            "{beside_lake}"
        );
        let counted = erased(&Erased { found: None, ..sample::erased() });
        assert!(counted.ends_with("found 13 times in 2 places. Nothing was changed."), "{counted}");
    }
}
