//! The game-enricher as a program.

use std::process::ExitCode;

use game_enricher::GameEnricher;

fn main() -> ExitCode {
    shared::runtime::main("Learns the games of stored chunks, a hundred a call", GameEnricher::new)
}
