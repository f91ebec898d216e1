//! The one place that writes to the terminal: results to standard output, everything else to standard error.
//!
//! A reader that goes away (`operator pulls | head -1`) is no error: the rest is not written, and the exit code stays
//! what the command found.

use std::{
    fmt::Display,
    io::{IsTerminal, Write, stderr, stdin, stdout},
};

use serde::Serialize;

use crate::suggest;

/// Writes as text or as JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Whether a program reads, with `--json`.
    pub(crate) json: bool,
}

impl Output {
    /// The result of a command: one JSON document, or the text.
    pub(crate) fn result<T: Serialize>(self, document: &T, text: impl FnOnce(&T) -> String) {
        if self.json {
            line(&mut stdout(), &json(document));
        } else {
            line(&mut stdout(), text(document).trim_end());
        }
    }

    /// The result of a command that lists: one JSON document a line, or the text.
    pub(crate) fn list<T: Serialize>(self, documents: &[T], text: impl FnOnce(&[T]) -> String) {
        if self.json {
            for document in documents {
                line(&mut stdout(), &json(document));
            }
        } else {
            line(&mut stdout(), text(documents).trim_end());
        }
    }
}

/// A result that is the same for people and programs.
pub(crate) fn say(text: &str) {
    line(&mut stdout(), text);
}

/// What went wrong, in one line on standard error; commands in it are as a person types them.
pub(crate) fn complain(what: &dyn Display) {
    remark(&suggest::typed(&format!("operator: {what}")));
}

/// Something to know beside the result, in one line on standard error.
pub(crate) fn remark(what: &str) {
    line(&mut stderr(), &what.split_whitespace().collect::<Vec<_>>().join(" "));
}

/// Asks a person at the terminal; no answer is a no. None where nobody can be asked.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !stdin().is_terminal() {
        return None;
    }
    let _ = write!(stderr(), "{question} [y/N] ").and_then(|()| stderr().flush());
    let mut answer = String::new();
    let _ = stdin().read_line(&mut answer);
    Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// What a person should see before they are asked, on standard error.
pub(crate) fn show(text: &str) {
    line(&mut stderr(), text.trim_end());
}

/// Raw lines, for a file or a pipe.
pub(crate) fn raw(text: &str) {
    line(&mut stdout(), text);
}

/// Whether a person watches standard error, where progress is shown.
pub(crate) fn is_watched() -> bool {
    stderr().is_terminal()
}

/// One JSON document on one line.
///
/// # Panics
/// Never: what commands print are structs of texts, numbers and times.
pub(crate) fn json<T: Serialize>(document: &T) -> String {
    serde_json::to_string(document).expect("a report is JSON")
}

fn line(out: &mut impl Write, text: &str) {
    // Nobody reads any more: nobody misses the rest.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
