//! What a page shows, before it is HTML: sections of facts, tables, plots and commands. One template turns any of it into HTML,
//! so that every page is read by a keyboard or a screen reader in the same way.

use shared::view::suggest;

use crate::{cell::Cell, picture::Picture};

/// A page.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its heading, and the title of the window.
    pub(crate) title: String,
    /// What it shows, in order.
    pub(crate) sections: Vec<Section>,
}

/// A part of a page, with a heading.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its name in the address and for updates: unique on the page.
    pub(crate) id: &'static str,
    /// Its heading.
    pub(crate) title: String,
    /// What it shows, in order.
    pub(crate) blocks: Vec<Block>,
}

/// Something in a section.
#[derive(Debug)]
pub(crate) enum Block {
    /// A paragraph.
    Text(Cell),
    /// Names and what they are.
    Facts(Vec<(&'static str, Cell)>),
    /// Rows and columns.
    Table(Table),
    /// A picture of the table beneath it.
    Plot(Plot),
    /// One cell per chunk, with a legend.
    Map(Vec<MapCell>),
    /// Ways to choose what is shown; the one that is chosen has no link.
    Filters(&'static str, Vec<Cell>),
    /// Commands of the operator, each with what it does.
    Commands(Vec<(&'static str, String)>),
    /// Text as it is, such as a message's body.
    Verbatim(&'static str, String),
    /// What a person fills in and sends.
    Form(Form),
}

/// Fields and a button.
#[derive(Debug)]
pub(crate) struct Form {
    /// Where it is sent.
    pub(crate) action: String,
    /// Whether sending it changes something; otherwise it chooses what is shown.
    pub(crate) changes: bool,
    /// Whether what it does is hard to undo.
    pub(crate) danger: bool,
    /// Its fields, in order.
    pub(crate) fields: Vec<Field>,
    /// What the button says.
    pub(crate) button: String,
}

/// A field of a form.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its name when it is sent.
    pub(crate) name: &'static str,
    /// What a person reads beside it.
    pub(crate) label: &'static str,
    /// More about it; may be empty.
    pub(crate) hint: String,
    /// What it holds.
    pub(crate) value: String,
    /// How it is filled in.
    pub(crate) input: Input,
}

/// How a field is filled in.
#[derive(Debug)]
pub(crate) enum Input {
    /// Not at all, and not shown.
    Hidden,
    /// As text.
    Text,
    /// As a text that nobody should read over a shoulder.
    Secret,
    /// By ticking it; whether it is ticked.
    Box(bool),
    /// By choosing one of these.
    Choice(Vec<&'static str>),
}

impl Field {
    /// A field that is sent as it is.
    pub(crate) fn hidden(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, label: "", hint: String::new(), value: value.into(), input: Input::Hidden }
    }

    /// A field for a text.
    pub(crate) fn text(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        Self { name, label, hint: String::new(), value: value.into(), input: Input::Text }
    }

    /// A field whose value is one of these.
    pub(crate) fn choice(
        name: &'static str,
        label: &'static str,
        value: impl Into<String>,
        of: Vec<&'static str>,
    ) -> Self {
        Self { name, label, hint: String::new(), value: value.into(), input: Input::Choice(of) }
    }

    /// The same with more about it.
    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

/// A picture, with a sentence that says what it shows, and a table with the same numbers.
#[derive(Debug)]
pub(crate) struct Plot {
    /// Its name in the page.
    pub(crate) id: &'static str,
    /// What it is of.
    pub(crate) title: String,
    /// What it shows, in a sentence.
    pub(crate) summary: String,
    /// The picture.
    pub(crate) picture: Picture,
    /// The same as a table.
    pub(crate) table: Table,
    /// Whether the table is folded away.
    pub(crate) folded: bool,
}

/// Rows and columns.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// What it shows.
    pub(crate) caption: String,
    /// The columns' names.
    pub(crate) head: Vec<&'static str>,
    /// Its rows; the first cell of each is its heading.
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Said in the place of an empty table.
    pub(crate) empty: &'static str,
}

/// A chunk on the map of a pull.
#[derive(Debug)]
pub(crate) struct MapCell {
    /// Its page.
    pub(crate) href: String,
    /// Its number, and a sign for its state.
    pub(crate) text: String,
    /// The style of its state.
    pub(crate) class: &'static str,
}

impl Table {
    /// The columns' names, each with whether numbers stand in it.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let numeric = |column: usize| {
            self.rows.first().and_then(|row| row.get(column)).is_some_and(|cell| cell.numeric)
        };
        self.head.iter().enumerate().map(move |(column, name)| (*name, numeric(column)))
    }

    /// The cells of a row, each with the name of its column.
    pub(crate) fn named<'a>(&'a self, row: &'a [Cell]) -> impl Iterator<Item = (&'a str, &'a Cell)> {
        self.head.iter().copied().zip(row)
    }
}

impl Section {
    /// A section; its blocks follow.
    pub(crate) fn new(id: &'static str, title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self { id, title: title.into(), blocks }
    }
}

/// A command of the operator, as it is typed here.
pub(crate) fn command(words: &str) -> String {
    suggest::command(words)
}
