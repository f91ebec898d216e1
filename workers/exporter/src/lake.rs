//! The lake: its catalogue and its storage, and what is done with both together.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    failure::Failure,
    lake::{LakeFile, MANIFEST, Table},
    store::{Manifest, Registered, Store},
};
use tokio::sync::OnceCell;

use crate::{
    format::Encoded,
    names::is_ours,
    sha256::Sha256,
    storage::{MARKER, Storage, StorageError},
};

/// How old a file may be that nobody has registered, to be taken for one of ours. What is older than the grace time, which is
/// longer by far, may just be being removed.
pub(crate) const ADOPTED: TimeDelta = TimeDelta::minutes(10);

/// The lake. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lake {
    /// Where pulls are, and the catalogue.
    pub store: Store,
    /// Where files go.
    pub storage: Storage,
    /// The catalogue's id, once it knows the storage.
    registered: Arc<OnceCell<String>>,
}

impl Lake {
    /// Calls nobody yet.
    pub fn new(store: Store, storage: Storage) -> Self {
        Self { store, storage, registered: Arc::default() }
    }

    /// Before anything is done: the catalogue knows this build's tables and the storage, and the storage answers and is the
    /// lake's.
    pub async fn open(&self, now: DateTime<Utc>) -> Result<(), Failure> {
        let register = async {
            let registered = self.store.register_lake(self.storage.root(), now).await?;
            self.claim(&registered).await?;
            Ok::<_, Failure>(registered.catalogue)
        };
        let catalogue = self.registered.get_or_try_init(|| register).await?;
        Ok(self.storage.expect_owner(catalogue).await?)
    }

    /// Makes the storage this catalogue's, where it is nobody's: once for ever.
    async fn claim(&self, registered: &Registered) -> Result<(), StorageError> {
        let catalogue = registered.catalogue.clone();
        match self.owner(registered).await? {
            Some(owner) if !owner.is_empty() && !registered.former.contains(&owner) => Ok(()),
            Some(_) => self.storage.replace(MARKER, catalogue.into()).await,
            None if registered.used => Err(StorageError::NotTheLake(self.storage.root().to_owned())),
            None => self.storage.create(MARKER, catalogue.into()).await.map(drop),
        }
    }

    /// Fails where the storage is another catalogue's, or this catalogue's files are elsewhere. Changes nothing.
    pub(crate) async fn check_owner(&self) -> Result<(), Failure> {
        let registered = self.store.registered_lake().await?;
        registered.expect_ours(self.storage.root())?;
        match self.owner(&registered).await? {
            Some(owner) if !owner.is_empty() && !registered.former.contains(&owner) => {
                Ok(self.storage.expect_owner(&registered.catalogue).await?)
            }
            _ => Ok(()),
        }
    }

    /// Whose the storage is: as [`Storage::owner`]. A catalogue without files cannot take a place that has some: they are of a
    /// database that is gone, or of a build whose marker did not name its catalogue yet.
    async fn owner(&self, registered: &Registered) -> Result<Option<String>, StorageError> {
        let has_files =
            !registered.used && self.storage.list().await?.iter().any(|file| is_ours(file.location.as_ref()));
        match self.storage.owner().await? {
            Some(owner) if !owner.is_empty() => Ok(Some(owner)),
            _ if has_files => Err(StorageError::OfAnother(self.storage.root().to_owned())),
            nobody => Ok(nobody),
        }
    }

    /// Puts a file into storage under the first free name of a generation, from 1. A name is free where it is not among those
    /// `taken` by the catalogue and nothing is there, and where the very same bytes were put a moment ago, and nobody has
    /// registered them yet: a process died, or is doing the same.
    pub(crate) async fn place(
        &self,
        table: &Table,
        name: impl Fn(u32) -> String,
        encoded: Encoded,
        taken: &[String],
        now: DateTime<Utc>,
    ) -> Result<LakeFile, Failure> {
        let Encoded { bytes, rows, footer, columns } = encoded;
        let bytes = Bytes::from(bytes);
        let mut generation = 0;
        loop {
            generation += 1;
            let path = name(generation);
            if taken.contains(&path) {
                continue;
            }
            let ours = self.storage.create(&path, bytes.clone()).await?;
            if ours || self.storage.holds(&path, &bytes, now - ADOPTED).await? {
                return Ok(LakeFile {
                    table_id: table.id,
                    path,
                    record_count: rows,
                    file_size_bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
                    footer_size: footer,
                    sha256: Sha256::of(&bytes),
                    columns,
                });
            }
        }
    }

    /// Writes the manifests that the catalogue has changed, also those that a process could not write before it died.
    pub async fn write_manifests(&self) -> Result<(), Failure> {
        let write = async |manifests: Vec<Manifest>| {
            for Manifest { folder, content } in manifests {
                self.storage.replace(&format!("{folder}{MANIFEST}"), content.into()).await?;
            }
            Ok(())
        };
        self.store.write_lake_manifests(write).await
    }
}
