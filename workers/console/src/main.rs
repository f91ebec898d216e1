//! The console as a program.

use std::process::ExitCode;

use console::Console;

fn main() -> ExitCode {
    shared::runtime::serve_main(
        "Shows the flow in a browser; changes nothing",
        Console::new,
        Console::status_reporter,
    )
}
