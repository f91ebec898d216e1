//! The operator as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    operator::main()
}
