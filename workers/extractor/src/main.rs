//! The extractor as a program.

use std::process::ExitCode;

use extractor::Extractor;

fn main() -> ExitCode {
    shared::runtime::main(
        "Pages through the live streams of Twitch, validates and stores them",
        Extractor::new,
    )
}
