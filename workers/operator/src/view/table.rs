//! Tables, and colour: only if standard output is a terminal, and not with `NO_COLOR`.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, presets};

/// Spaces left and right of a column.
const PADDING: (u16, u16) = (0, 2);

/// The width of a terminal that does not tell its own.
const USUAL_WIDTH: u16 = 80;

/// A table without lines: columns two spaces apart, numbers to the right.
pub(crate) struct Table(comfy_table::Table);

/// How a cell stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is.
    Plain,
    /// Well.
    Good,
    /// In progress.
    Busy,
    /// Not well.
    Bad,
}

impl Style {
    /// The style of a pull's status.
    pub(crate) fn from_status(status: &str) -> Self {
        match status {
            "success" => Self::Good,
            "failed" => Self::Bad,
            _ => Self::Busy,
        }
    }

    /// The style of a dead letter's state.
    pub(crate) fn from_state(state: &str) -> Self {
        if state == "dead" { Self::Bad } else { Self::Busy }
    }
}

impl Table {
    /// A table with these headings. One that begins with `>` aligns right; one that begins with `~` is of a column of prose, which
    /// takes the room that the others leave, and wraps between words.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut table = bare();
        let names = headings.iter().map(|heading| heading.trim_start_matches(['>', '~']));
        table.set_header(names.map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
        for (column, heading) in table.column_iter_mut().zip(headings) {
            column.set_padding(PADDING);
            if heading.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
            if !heading.starts_with('~') {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        Self(table)
    }

    /// A list of facts: a name, and what there is to say.
    pub(crate) fn facts<N: AsRef<str>, S: AsRef<str>>(facts: impl IntoIterator<Item = (N, S)>) -> Self {
        let mut table = Self(bare());
        for (name, fact) in facts {
            table.row([format!("  {}", name.as_ref()), fact.as_ref().to_owned()]);
        }
        table.0.column_iter_mut().for_each(|column| _ = column.set_padding(PADDING));
        if let Some(names) = table.0.column_mut(0) {
            names.set_constraint(ColumnConstraint::ContentWidth);
        }
        table
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.styled_row(&[], cells);
    }

    /// Adds a row whose first cells have these styles.
    pub(crate) fn styled_row(&mut self, styles: &[Style], cells: impl IntoIterator<Item = String>) {
        let styles = styles.iter().copied().chain(std::iter::repeat(Style::Plain));
        self.0.add_row(cells.into_iter().zip(styles).map(|(text, style)| styled(text, style)));
    }

    /// The table for so many columns, whatever the terminal says.
    #[must_use]
    pub(crate) fn of_width(mut self, columns: u16) -> Self {
        self.0.set_width(columns);
        self
    }

    #[cfg(test)]
    pub(crate) fn at_width(mut self, columns: u16) -> String {
        self.0.set_width(columns);
        self.to_string()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in self.0.lines() {
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A bold line in a style.
pub(crate) fn line(text: &str, style: Style) -> String {
    let mut table = bare();
    table.add_row([styled(text.to_owned(), style).add_attribute(Attribute::Bold)]);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.column_iter_mut().for_each(|column| _ = column.set_padding((0, 0)));
    table.trim_fmt()
}

/// A title above a body.
pub(crate) fn section(title: &str, body: &str) -> String {
    format!("\n{}\n{body}", line(title, Style::Plain))
}

fn bare() -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if table.width() == Some(0) {
        // A terminal that does not know its width, as one over a serial line or made by `script`.
        table.set_width(USUAL_WIDTH);
    }
    table
}

/// Colours of the terminal's own sixteen, of which each can be read on a light and on a dark background: bright green and both
/// yellows cannot be on a light one.
fn styled(text: String, style: Style) -> Cell {
    let cell = Cell::new(text);
    match style {
        Style::Plain => cell,
        Style::Good => cell.fg(Color::DarkGreen),
        Style::Busy => cell.fg(Color::DarkMagenta),
        Style::Bad => cell.fg(Color::Red),
    }
}
