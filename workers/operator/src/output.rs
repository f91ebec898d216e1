//! The one place that writes to the terminal: results to standard output, everything else to standard error.
//!
//! A reader that leaves (`operator pulls | head -1`) is no error: the rest is not written, and the exit code stays what the
//! command found.

use std::{
    fmt::Display,
    io::{IsTerminal, Write, stderr, stdin, stdout},
};

use serde::Serialize;

use crate::suggest;

/// Prints results as text or as JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Whether `--json` was given.
    pub(crate) json: bool,
}

impl Output {
    /// Prints the result of a command: what it found, as one JSON document or as text.
    pub(crate) fn result<T, D: Serialize>(
        self,
        found: T,
        document: impl FnOnce(T) -> D,
        text: impl FnOnce(&T) -> String,
    ) {
        if self.json {
            print(&to_json(&document(found)));
        } else {
            print(text(&found).trim_end());
        }
    }

    /// Prints the result of a command that lists: one JSON document per line, or the text.
    pub(crate) fn list<T, D: Serialize>(
        self,
        found: Vec<T>,
        document: impl Fn(T) -> D,
        text: impl FnOnce(&[T]) -> String,
    ) {
        if self.json {
            for one in found {
                print(&to_json(&document(one)));
            }
        } else {
            print(text(&found).trim_end());
        }
    }
}

/// Prints a line of the result, as it is.
pub(crate) fn print(text: &str) {
    line(&mut stdout(), text);
}

/// Reports an error in one line on standard error; commands in it are as a person types them.
pub(crate) fn error(what: &dyn Display) {
    warn(&suggest::typed(&format!("operator: {what}")));
}

/// Reports progress or a warning in one line on standard error.
pub(crate) fn warn(what: &str) {
    line(&mut stderr(), &what.split_whitespace().collect::<Vec<_>>().join(" "));
}

/// Shows a text on standard error before a person is asked about it.
pub(crate) fn preview(text: &str) {
    line(&mut stderr(), text.trim_end());
}

/// Asks a person at the terminal; no answer is a no. None if standard input is no terminal.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !stdin().is_terminal() {
        return None;
    }
    let _ = write!(stderr(), "{question} [y/N] ").and_then(|()| stderr().flush());
    let mut answer = String::new();
    let _ = stdin().read_line(&mut answer);
    Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Whether standard error, where progress is shown, is a terminal.
pub(crate) fn is_watched() -> bool {
    stderr().is_terminal()
}

/// A document on one line.
///
/// # Panics
/// Never: documents are structs of texts, numbers and times.
pub(crate) fn to_json<T: Serialize>(document: &T) -> String {
    serde_json::to_string(document).expect("a document is JSON")
}

fn line(out: &mut impl Write, text: &str) {
    // A reader that left misses nothing.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
