//! What a person orders: a stage paused and resumed, one message of it, a look at what waits for it, a pull cancelled.

mod cancel;
mod pause;
mod peek;
mod resume;
mod run_once;

pub(super) use cancel::Cancel;
pub(super) use pause::Pause;
pub(super) use peek::Peek;
pub(super) use resume::Resume;
pub(super) use run_once::RunOnce;

use clap::{Args, builder::PossibleValuesParser};
use shared::topology::all_stages;

/// A stage.
#[derive(Debug, Clone, Args)]
struct StageArg {
    /// The stage
    #[arg(value_name = "STAGE", value_parser = PossibleValuesParser::new(all_stages().map(|stage| stage.name)))]
    stage: String,
}

/// Who orders it.
#[derive(Debug, Clone, Args)]
struct By {
    /// Who orders it, for the record
    #[arg(long, value_name = "WHO", env = "USER", hide_env_values = true, default_value = "operator")]
    by: String,
}
