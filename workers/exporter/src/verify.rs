//! Whether catalogue and storage agree.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::{failure::Failure, lake::MANIFEST, store::CatalogueFile};

use crate::{lake::Lake, storage::StorageError};

/// What is wrong with the lake; paths from its root.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Files compared.
    pub files: usize,
    /// Files of builds that noted no SHA-256: it was noted now.
    pub noted: usize,
    /// Named by the catalogue, and not in storage.
    pub missing: Vec<String>,
    /// Of another size than the catalogue says, in bytes.
    pub truncated: Vec<Mismatch>,
    /// Of that size, and of another SHA-256.
    pub damaged: Vec<Mismatch>,
    /// Named twice: its rows count twice.
    pub duplicated: Vec<String>,
    /// In storage, and named by nothing: a process died, or somebody else put it there.
    pub unknown: Vec<String>,
    /// Manifests that do not say what the catalogue says; they are written again with the next change, or within an hour.
    pub stale_manifests: Vec<String>,
    /// Tables whose files have another number of rows than their pulls.
    pub miscounted: Vec<String>,
}

/// A file that is not as it was written.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The file.
    pub path: String,
    /// What the catalogue says.
    pub expected: String,
    /// What is in storage.
    pub found: String,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        *self == Self { files: self.files, noted: self.noted, ..Self::default() }
    }
}

impl Lake {
    /// Compares the catalogue with storage. Reads every file.
    pub async fn verify(&self, now: DateTime<Utc>) -> Result<Findings, Failure> {
        self.verify_files(true, now).await
    }

    /// The same by names and sizes alone.
    pub async fn verify_without_contents(&self, now: DateTime<Utc>) -> Result<Findings, Failure> {
        self.verify_files(false, now).await
    }

    async fn verify_files(&self, contents: bool, now: DateTime<Utc>) -> Result<Findings, Failure> {
        self.open(now).await?;
        let inventory = self.store.lake_inventory().await?;
        let mut stored: HashMap<String, u64> = HashMap::new();
        for file in self.storage.list().await? {
            stored.insert(file.location.to_string(), file.size);
        }
        let mut findings = Findings { files: inventory.len(), ..Findings::default() };
        let mut previous = None;
        for (file, sha256) in inventory {
            if previous.as_ref() == Some(&file.path) {
                findings.duplicated.push(file.path);
                continue;
            }
            match stored.get(&file.path) {
                None => findings.missing.push(file.path.clone()),
                Some(size) if i64::try_from(*size) != Ok(file.bytes) => findings.truncated.push(Mismatch {
                    path: file.path.clone(),
                    expected: file.bytes.to_string(),
                    found: size.to_string(),
                }),
                Some(_) if contents => self.compare_content(&file, sha256, &mut findings).await?,
                Some(_) => {}
            }
            previous = Some(file.path);
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

    /// Compares the SHA-256 of a file with what it was when the file was written; where that is not known, this one is noted.
    async fn compare_content(
        &self,
        file: &CatalogueFile,
        sha256: Option<String>,
        findings: &mut Findings,
    ) -> Result<(), Failure> {
        let path = file.path.clone();
        let found = match self.storage.sha256(&path).await {
            Ok(found) => found,
            Err(StorageError::Missing(_)) => {
                findings.missing.push(path);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        match sha256 {
            None => {
                self.store.note_lake_checksum(file.id, &found).await?;
                findings.noted += 1;
            }
            Some(expected) if expected != found => findings.damaged.push(Mismatch { path, expected, found }),
            Some(_) => {}
        }
        Ok(())
    }
}
