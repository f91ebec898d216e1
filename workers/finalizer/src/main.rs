//! The finalizer as a program.

use std::process::ExitCode;

use finalizer::Finalizer;

fn main() -> ExitCode {
    shared::runtime::main(
        "Merges streams, games and channels, closes pulls, and keeps watch over them",
        Finalizer::new,
    )
}
