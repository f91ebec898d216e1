//! The channel-enricher as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::runtime::main("Learns the channels of stored chunks, a hundred a call", channel_enricher::worker)
}
