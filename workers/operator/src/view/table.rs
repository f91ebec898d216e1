//! Tables, and colour: only where standard output is a terminal, and not with `NO_COLOR`.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, presets};

/// Spaces left and right of a column.
const PADDING: (u16, u16) = (0, 2);

/// The width of a terminal that does not tell.
const USUAL_WIDTH: u16 = 100;

/// A table without lines: columns two spaces apart, numbers to the right.
pub(crate) struct Table(comfy_table::Table);

/// How a cell stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is.
    Plain,
    /// Well.
    Good,
    /// Under way.
    Busy,
    /// Not well.
    Bad,
}

impl Style {
    /// The tone of a pull's status.
    pub(crate) fn of_status(status: &str) -> Self {
        match status {
            "success" => Self::Good,
            "failed" => Self::Bad,
            _ => Self::Busy,
        }
    }
}

impl Table {
    /// A table with these headings; one that begins with `>` stands above numbers.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut table = bare();
        table.set_header(
            headings
                .iter()
                .map(|heading| Cell::new(heading.trim_start_matches('>')).add_attribute(Attribute::Bold)),
        );
        for (column, heading) in table.column_iter_mut().zip(headings) {
            column.set_padding(PADDING);
            if heading.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self(table)
    }

    /// A list of facts: a name, and what there is to say.
    pub(crate) fn facts<S: AsRef<str>>(facts: impl IntoIterator<Item = (&'static str, S)>) -> Self {
        Self::facts_of(facts)
    }

    /// The same, of names that are not ours.
    pub(crate) fn facts_of<N: AsRef<str>, S: AsRef<str>>(facts: impl IntoIterator<Item = (N, S)>) -> Self {
        let mut table = Self(bare());
        for (name, fact) in facts {
            table.row([format!("  {}", name.as_ref()), fact.as_ref().to_owned()]);
        }
        table.0.column_iter_mut().for_each(|column| _ = column.set_padding(PADDING));
        table
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.add_row(cells);
    }

    /// Adds a row whose first cells stand out.
    pub(crate) fn toned(&mut self, tones: &[Style], cells: impl IntoIterator<Item = String>) {
        let tones = tones.iter().copied().chain(std::iter::repeat(Style::Plain));
        self.0.add_row(cells.into_iter().zip(tones).map(|(text, tone)| painted(text, tone)));
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

/// A line that stands out.
pub(crate) fn line(text: &str, tone: Style) -> String {
    let mut table = bare();
    table.add_row([painted(text.to_owned(), tone).add_attribute(Attribute::Bold)]);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.column_iter_mut().for_each(|column| _ = column.set_padding((0, 0)));
    table.trim_fmt()
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

fn painted(text: String, tone: Style) -> Cell {
    let cell = Cell::new(text);
    match tone {
        Style::Plain => cell,
        Style::Good => cell.fg(Color::Green),
        Style::Busy => cell.fg(Color::Yellow),
        Style::Bad => cell.fg(Color::Red),
    }
}
