//! The exporter as a program.

use std::process::ExitCode;

use exporter::Exporter;

fn main() -> ExitCode {
    shared::runtime::main("Writes completed pulls to the data lake, and looks after it", Exporter::new)
}
