//! A piece of text on a page, with what a browser can make of it.

use chrono::{DateTime, Utc};
use shared::view::format::{ago, number, time};

/// Words of more characters are broken where there is no other way.
const LONG_WORD: usize = 24;

/// How good or bad something is. Never by colour alone: each has a sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Notice,
    /// Somebody has to do something.
    Bad,
}

/// A piece of text, with what a browser can make of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    /// The text.
    pub(crate) text: String,
    /// Where it leads.
    pub(crate) href: Option<String>,
    /// How good or bad it is.
    pub(crate) tone: Tone,
    /// The moment that it is about, as RFC 3339.
    pub(crate) moment: Option<String>,
    /// Whether it is a number, to be aligned.
    pub(crate) numeric: bool,
    /// Whether it is a name or a command, to be shown letter by letter.
    pub(crate) code: bool,
    /// The length of a bar beside it, of 100.
    pub(crate) bar: Option<u32>,
}

impl Tone {
    /// The style.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "good",
            Self::Notice => "notice",
            Self::Bad => "bad",
        }
    }

    /// The sign.
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "✓ ",
            Self::Notice => "! ",
            Self::Bad => "✗ ",
        }
    }

    /// Of a pull's status.
    pub(crate) fn of_status(status: &str) -> Self {
        match status {
            "success" => Self::Good,
            "failed" => Self::Bad,
            _ => Self::Plain,
        }
    }
}

impl Cell {
    /// Plain text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A count, with thousands separators.
    pub(crate) fn number(n: impl TryInto<u64>) -> Self {
        Self { text: number(n), numeric: true, ..Self::default() }
    }

    /// A name that is typed as it is.
    pub(crate) fn code(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: true, ..Self::default() }
    }

    /// A moment in full; in UTC, and in the reader's own time where the browser can say it.
    pub(crate) fn moment(at: DateTime<Utc>) -> Self {
        Self { text: time(at), moment: Some(at.to_rfc3339()), ..Self::default() }
    }

    /// How long ago a moment was.
    pub(crate) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self { text: ago(at, now), ..Self::moment(at) }
    }

    /// A moment, or a dash for none.
    pub(crate) fn maybe(at: Option<DateTime<Utc>>) -> Self {
        at.map_or_else(|| Self::text("–"), Self::moment)
    }

    /// Whether it has a word that would not fit a column.
    pub(crate) fn has_long_word(&self) -> bool {
        self.text.split_whitespace().any(|word| word.chars().count() > LONG_WORD)
    }

    /// The same, which leads somewhere.
    #[must_use]
    pub(crate) fn link(self, href: impl Into<String>) -> Self {
        Self { href: Some(href.into()), ..self }
    }

    /// The same, good or bad.
    #[must_use]
    pub(crate) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// The same, aligned as a number.
    #[must_use]
    pub(crate) fn right(self) -> Self {
        Self { numeric: true, ..self }
    }

    /// The same with a bar: `part` of `whole`.
    #[must_use]
    pub(crate) fn bar(self, part: i64, whole: i64) -> Self {
        let percent = part.max(0).saturating_mul(100).checked_div(whole.max(1)).unwrap_or_default();
        Self { bar: Some(u32::try_from(percent.min(100)).unwrap_or_default()), ..self }
    }
}
