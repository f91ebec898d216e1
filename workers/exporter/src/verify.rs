//! Whether catalogue and storage agree.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::{failure::Failure, lake::MANIFEST};

use crate::{
    lake::{Lake, sha256},
    storage::StorageError,
};

/// What is wrong with the lake; paths from its root.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Files compared.
    pub files: usize,
    /// Named by the catalogue, and not in storage.
    pub missing: Vec<String>,
    /// Of another size than the catalogue says.
    pub truncated: Vec<String>,
    /// Of that size, and other bytes.
    pub damaged: Vec<String>,
    /// Named twice: its rows count twice.
    pub duplicated: Vec<String>,
    /// In storage, and named by nothing: a process died, or somebody else put it there.
    pub unknown: Vec<String>,
    /// Manifests that do not say what the catalogue says; they are written again with the next change, or within an hour.
    pub stale_manifests: Vec<String>,
    /// Tables whose files have another number of rows than their pulls.
    pub miscounted: Vec<String>,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        *self == Self { files: self.files, ..Self::default() }
    }
}

impl Lake {
    /// Compares the catalogue with storage. Reads each file that is of one pull alone.
    pub async fn verify(&self, now: DateTime<Utc>) -> Result<Findings, Failure> {
        self.open(now).await?;
        let inventory = self.store.lake_inventory().await?;
        let mut stored: HashMap<String, u64> = HashMap::new();
        for file in self.storage.list().await? {
            stored.insert(file.location.to_string(), file.size);
        }
        let mut findings = Findings { files: inventory.len(), ..Findings::default() };
        let mut previous = None;
        for (file, expected) in inventory {
            let path = file.path;
            if previous.as_ref() == Some(&path) {
                findings.duplicated.push(path);
                continue;
            }
            match stored.get(&path) {
                None => findings.missing.push(path.clone()),
                Some(size) if i64::try_from(*size) != Ok(file.bytes) => findings.truncated.push(path.clone()),
                Some(_) => {
                    if let Some(expected) = expected
                        && sha256(&self.storage.read(&path).await?) != expected
                    {
                        findings.damaged.push(path.clone());
                    }
                }
            }
            previous = Some(path);
        }
        let named = self.store.lake_paths(&[String::new()]).await?;
        for path in named {
            stored.remove(&path);
        }
        findings.unknown = stored.into_keys().filter(|path| !path.ends_with(MANIFEST)).collect();
        findings.unknown.sort();
        for (table, in_files, of_pulls) in self.store.lake_miscounts().await? {
            findings.miscounted.push(format!("{table}: {in_files} rows in files, {of_pulls} of pulls"));
        }
        let mut stale = Vec::new();
        for manifest in self.store.lake_manifests().await? {
            let path = format!("{}{MANIFEST}", manifest.folder);
            match self.storage.read(&path).await {
                Ok(found) if found == manifest.content.as_bytes() => {}
                Ok(_) | Err(StorageError::Missing(_)) => {
                    findings.stale_manifests.push(path);
                    stale.push(manifest.folder);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !stale.is_empty() {
            self.store.rewrite_lake_manifests(&stale).await?;
        }
        Ok(findings)
    }
}
