//! The whole screen of a terminal, for what is watched: drawn over and over, and given back as it was.

use std::io::{IsTerminal, Stdout, Write, stdout};

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    queue,
    style::Print,
    terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, size},
};

/// The size of a terminal that does not tell its own: columns, rows.
const USUAL: (u16, u16) = (80, 24);

/// The screen. Given back when dropped.
pub(crate) struct Screen(Stdout);

impl Screen {
    /// The screen, if standard output is a terminal.
    pub(crate) fn open() -> Option<Self> {
        let mut out = stdout();
        if !out.is_terminal() {
            return None;
        }
        queue!(out, EnterAlternateScreen, Hide).ok()?;
        Some(Self(out))
    }

    /// Its columns.
    pub(crate) fn columns() -> u16 {
        size().unwrap_or(USUAL).0
    }

    /// Draws a text over what was there; lines that do not fit below are left out.
    pub(crate) fn draw(&mut self, text: &str) {
        let rows = usize::from(size().unwrap_or(USUAL).1);
        // A terminal that is gone misses nothing.
        let mut draw = || -> std::io::Result<()> {
            queue!(self.0, MoveTo(0, 0))?;
            for (row, line) in text.lines().take(rows).enumerate() {
                let end = if row == 0 { "" } else { "\r\n" };
                queue!(self.0, Print(end), Print(line), Clear(ClearType::UntilNewLine))?;
            }
            queue!(self.0, Clear(ClearType::FromCursorDown))?;
            self.0.flush()
        };
        let _ = draw();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = queue!(self.0, Show, LeaveAlternateScreen).and_then(|()| self.0.flush());
    }
}
