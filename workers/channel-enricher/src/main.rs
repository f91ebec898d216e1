//! The channel-enricher as a program.

use std::process::ExitCode;

use channel_enricher::ChannelEnricher;

fn main() -> ExitCode {
    shared::runtime::main("Learns the channels of stored chunks, a hundred a call", ChannelEnricher::new)
}
