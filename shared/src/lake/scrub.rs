//! A channel leaves the rows of the lake as it leaves the database: what is counted stays, under the same pseudonyms.

use super::{Row, Table, Value};
use crate::scrub::{Own, Scrubber, own_column};

impl Table {
    /// The row without the channel; none where it has nothing of it.
    pub fn scrub(&self, row: &Row, scrubber: &Scrubber) -> Option<Row> {
        let own = self.is_own(row, scrubber);
        let without = self.columns.iter().zip(row).map(|(column, value)| {
            let written = if own { own_value(column.name, value, scrubber) } else { None };
            written.or_else(|| mention(column.name, value, scrubber))
        });
        let without: Vec<Option<Value>> = without.collect();
        let found = own || without.iter().any(Option::is_some);
        found.then(|| {
            without.into_iter().zip(row).map(|(new, old)| new.unwrap_or_else(|| old.clone())).collect()
        })
    }

    /// Whether a row is about the channel itself.
    pub fn is_own(&self, row: &Row, scrubber: &Scrubber) -> bool {
        let id = self.place("channel_id").and_then(|place| row.get(place));
        matches!(id, Some(Value::Text(id)) if id == scrubber.id())
    }
}

/// A value of the channel's own row; none for what is kept, and looked through like any other.
fn own_value(column: &str, value: &Value, scrubber: &Scrubber) -> Option<Value> {
    match (own_column(column), column, value) {
        (_, _, Value::Null) => None,
        (Some(Own::Pseudonym), _, Value::Text(text)) => Some(Value::Text(scrubber.pseudonym(text))),
        (Some(Own::Text(text)), _, _) => Some(Value::Text(text.to_owned())),
        (Some(Own::Empty), _, _) => Some(Value::Texts(Vec::new())),
        // They would tell the channel from all others.
        (None, "view_count", _) => Some(Value::Int(0)),
        (None, "created_at", _) => Some(Value::Null),
        _ => None,
    }
}

/// A text without what it says of the channel; none where it says nothing.
fn mention(column: &str, value: &Value, scrubber: &Scrubber) -> Option<Value> {
    match value {
        Value::Text(text) if scrubber.may_name(text) => scrubber.text(column, text).map(Value::Text),
        Value::Texts(texts) if texts.iter().any(|text| scrubber.may_name(text)) => {
            let without: Vec<Option<String>> = texts.iter().map(|text| scrubber.text(column, text)).collect();
            let found = without.iter().any(Option::is_some);
            let texts = without.into_iter().zip(texts).map(|(new, old)| new.unwrap_or_else(|| old.clone()));
            found.then(|| Value::Texts(texts.collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_channel_keeps_what_is_counted_and_others_lose_the_mention() {
        let scrubber = Scrubber::new("123456789", ["some_body".to_owned()], true).expect("random numbers");
        let table = Table::find("stream_peek").expect("a table");
        let text = |text: &str| Value::Text(text.to_owned());
        let set = |row: &mut Row, column: &str, value| row[table.place(column).expect("a column")] = value;
        let mut row: Row = table.columns.iter().map(|_| Value::Null).collect();
        for (column, value) in [
            ("stream_id", text("55")),
            ("channel_id", text("123456789")),
            ("channel_login", text("some_body")),
            ("game_name", text("some_body")),
            ("viewer_count", Value::Int(7)),
            ("title", text("mine")),
            ("tags", Value::Texts(vec!["a".into()])),
        ] {
            set(&mut row, column, value);
        }
        let without = table.scrub(&row, &scrubber).expect("its own");
        let mut expected = row.clone();
        for (column, value) in [
            ("stream_id", text(&scrubber.pseudonym("55"))),
            ("channel_id", text(&scrubber.pseudonym("123456789"))),
            ("channel_login", text("erased")),
            ("title", text("")),
            ("tags", Value::Texts(vec![])),
        ] {
            set(&mut expected, column, value);
        }
        assert_eq!(without, expected);
        assert_eq!(table.scrub(&without, &scrubber), None, "nothing is left");

        set(&mut row, "channel_id", text("1"));
        set(&mut row, "channel_login", text("other"));
        set(&mut row, "tags", Value::Texts(vec!["b".into(), "Some_Body".into()]));
        let without = table.scrub(&row, &scrubber).expect("a mention");
        set(&mut row, "tags", Value::Texts(vec!["b".into(), "erased".into()]));
        assert_eq!(without, row);
    }
}
