//! The dictionary of the lake says what the code says: `deploy/LAKE-DICTIONARY.md` is made of the same table as the files.

use std::fmt::Write as _;

use shared::lake::{Column, Kind, TABLES};

use crate::settings::project_file;

fn kind(column: &Column) -> String {
    let kind = match column.kind {
        Kind::Texts(_) => "list of varchar",
        _ => column.ducklake_type(),
    };
    format!("{kind}{}", if column.nullable { ", or null" } else { "" })
}

fn dictionary() -> String {
    let mut text = String::from(
        "# Dictionary of the lake\n\nMade from the table of columns in `shared/src/lake/table.rs`. A test compares them, and writes \
         the dictionary as it should be.\n",
    );
    for table in &TABLES {
        write!(
            text,
            "\n## {}\n\n{}. Sorted by {}.\n\n",
            table.name,
            sentence(table.comment),
            table.sorted_by.join(", ")
        )
        .expect("a text");
        text += "| column | holds | meaning |\n|---|---|---|\n";
        for column in table.columns {
            writeln!(text, "| `{}` | {} | {} |", column.name, kind(column), column.comment).expect("a text");
        }
    }
    text
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[test]
fn the_dictionary_says_what_the_columns_are() {
    let (written, made) = (project_file("deploy/LAKE-DICTIONARY.md"), dictionary());
    let fresh = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/LAKE-DICTIONARY.md");
    if written != made {
        std::fs::write(fresh, &made).expect("a file");
    }
    assert_eq!(written, made, "as it should be: {fresh}");
}
