//! Reading a table from end to end, once, as PostgreSQL copies it: with half the work of a search in SQL, which would lower the case of
//! every text.

use std::borrow::Cow;

use deadpool_postgres::Transaction;
use futures::{TryStreamExt, pin_mut};

use super::{
    super::Error,
    table::{Column, Table},
};
use crate::proof::Needles;

/// The columns' values of a row, in their order, as texts; bytes as they are.
pub(super) type Values<'a> = Vec<Option<Cow<'a, [u8]>>>;

/// Hands over each row with something of the channel in these columns: where it stands, and their values.
pub(super) async fn scan(
    transaction: &Transaction<'_>,
    table: &Table,
    columns: &[&Column],
    needles: &Needles,
    mut row: impl FnMut(&str, Values<'_>),
) -> Result<(), Error> {
    let read: Vec<String> = columns.iter().map(|column| column.read("t")).collect();
    let copy = format!(
        "/* scan::scan */ copy (select t.ctid, {} from only {} t) to stdout",
        read.join(", "),
        table.sql
    );
    // It reads the whole table.
    transaction.batch_execute("set local statement_timeout = 0").await?;
    let rows = transaction.copy_out(&copy).await?;
    pin_mut!(rows);
    let has_bytes = columns.iter().any(|column| column.is_bytes);
    // One message per row.
    while let Some(line) = rows.try_next().await? {
        if !has_bytes && !needles.occur_in(&unescaped(&line)) {
            continue;
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let mut fields = line.split(|byte| *byte == b'\t');
        let place = fields.next().map(String::from_utf8_lossy).unwrap_or_default();
        let values: Values<'_> = fields.zip(columns).map(|(field, column)| value(field, column)).collect();
        if !has_bytes || values.iter().flatten().any(|value| needles.occur_in(value)) {
            row(&place, values);
        }
    }
    Ok(())
}

fn value<'a>(field: &'a [u8], column: &Column) -> Option<Cow<'a, [u8]>> {
    match field {
        b"\\N" => None,
        hex if column.is_bytes => Some(Cow::Owned(from_hex(hex))),
        text => Some(unescaped(text)),
    }
}

/// What a text of the copy says. Source: <https://www.postgresql.org/docs/15/sql-copy.html>, "Text Format".
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match (byte, if *byte == b'\\' { bytes.next() } else { None }) {
            (_, Some(b'b')) => 8,
            (_, Some(b'f')) => 12,
            (_, Some(b'n')) => b'\n',
            (_, Some(b'r')) => b'\r',
            (_, Some(b't')) => b'\t',
            (_, Some(b'v')) => 11,
            (_, Some(other)) => *other,
            (byte, None) => *byte,
        });
    }
    Cow::Owned(plain)
}

fn from_hex(hex: &[u8]) -> Vec<u8> {
    let digits =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|two| u8::from_str_radix(two, 16).ok());
    hex.chunks(2).map_while(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_copy_escapes_is_read_as_it_was() {
        assert_eq!(&*unescaped(br"a\tb\\n\nc\\"), b"a\tb\\n\nc\\");
        assert_eq!(from_hex(b"00ff41"), [0, 255, b'A']);
    }
}
