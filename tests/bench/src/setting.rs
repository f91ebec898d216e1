//! What the drills are told.

use std::path::{Path, PathBuf};

use crate::{outcome::Outcome, services::Services};

/// Where everything is.
#[derive(Debug, clap::Args)]
pub(crate) struct Setting {
    /// Folder of the release programs
    #[arg(long, default_value = "target/release", value_name = "DIR")]
    pub(crate) programs: PathBuf,
    /// Folder of `deploy/services start`
    #[arg(long, value_name = "DIR")]
    pub(crate) services: PathBuf,
    /// Streams of a pull
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    pub(crate) streams: usize,
}

impl Setting {
    pub(crate) fn services(&self) -> Services {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Services::new(root.join("deploy/services"), self.services.clone())
    }

    /// Where the programs' logs go.
    pub(crate) fn logs(&self) -> Outcome<PathBuf> {
        let logs = self.services.join("log/bench");
        std::fs::create_dir_all(&logs)?;
        Ok(logs)
    }
}
