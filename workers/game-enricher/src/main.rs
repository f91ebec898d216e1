//! The game-enricher as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::runtime::main("Learns the games of stored chunks, a hundred a call", game_enricher::worker)
}
