//! The place where the lake's files are: a folder, or a bucket.

use std::{
    error::Error as _,
    fmt, io,
    path::{Path as FsPath, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{
    BackoffConfig, ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem, path::Path, prefix::PrefixStore,
};
use secrecy::ExposeSecret;
use shared::{
    config::{ConfigError, Lake, LakePlace, SetupError},
    failure::{Class, Failure},
};

use crate::{blocking::blocking, sha256::Sha256, unfinished::remove_unfinished};

/// What shows that the storage is the lake's, and not the empty folder in which it should have been mounted. It holds the id of the
/// catalogue to which it belongs; builds of before left it empty.
pub(crate) const MARKER: &str = "_lake";
/// The code of a failure: the storage is another catalogue's.
pub(crate) const OF_ANOTHER: &str = "lake.of_another";
/// How long a request to a bucket may take; uploads of a day's file included.
const REQUEST: Duration = Duration::from_mins(5);
/// How long a request is tried again before the stage pauses instead.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the bucket, or the database, may take to answer when a program starts.
pub(crate) const FIRST_ANSWER: Duration = Duration::from_secs(5);

/// The storage. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    root: String,
    /// The folder, where it is one.
    folder: Option<PathBuf>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").field("root", &self.root).finish_non_exhaustive()
    }
}

/// What can go wrong with storage.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no room.
    #[error("the lake's storage is full")]
    Full(#[source] object_store::Error),
    /// It refuses us.
    #[error("the lake's storage refuses the exporter: its credentials or rights do not suffice")]
    Refused(#[source] object_store::Error),
    /// A file is not there.
    #[error("{0} is not in the lake's storage")]
    Missing(String),
    /// The marker is not there.
    #[error("{0} is not the lake's storage: {MARKER} is missing. Is it mounted?")]
    NotTheLake(String),
    /// The marker is another catalogue's, or files are there that this one does not know.
    #[error(
        "{0} holds a lake that belongs to another catalogue, and is left as it is: give each database a LAKE_URL of its own, or \
         empty {0} if nobody needs that lake"
    )]
    OfAnother(String),
    /// Anything else.
    #[error("the lake's storage is unavailable")]
    Unavailable(#[source] object_store::Error),
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        if let object_store::Error::NotFound { path, .. } = &error {
            return Self::Missing(path.clone());
        }
        let refused = matches!(
            error,
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
        );
        match io_kind(&error) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Self::Full(error),
            Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => Self::Refused(error),
            _ if refused => Self::Refused(error),
            _ if says_full(&error) => Self::Full(error),
            _ => Self::Unavailable(error),
        }
    }
}

/// Whether a bucket is said not to be there. Of a list, the code in the answer is all there is to tell by:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
fn says_no_bucket(error: &object_store::Error) -> bool {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.map(ToString::to_string).any(|cause| cause.contains("NoSuchBucket"))
}

/// Whether a bucket has no room: the status 507, which Amazon's never has
/// (<https://github.com/minio/minio/blob/master/cmd/api-errors.go>, `XMinioStorageFull`).
fn says_full(error: &object_store::Error) -> bool {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.map(ToString::to_string).any(|cause| cause.contains("507 Insufficient Storage"))
}

/// What the operating system said, where it did.
fn io_kind(error: &object_store::Error) -> Option<io::ErrorKind> {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).next()
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let (class, code) = match &error {
            StorageError::Full(_) => (Class::Outage, "lake.storage_full"),
            StorageError::Refused(_) => (Class::Auth, "lake.storage_refused"),
            StorageError::Missing(_) => (Class::Permanent, "lake.file_missing"),
            StorageError::NotTheLake(_) => (Class::Outage, "lake.storage_missing"),
            StorageError::OfAnother(_) => (Class::Outage, OF_ANOTHER),
            StorageError::Unavailable(_) => (Class::Outage, "lake.storage_unavailable"),
        };
        Self::of(class, code, &error)
    }
}

impl Storage {
    /// The storage that the settings name. A bucket is not called yet.
    pub fn open(settings: &Lake) -> Result<Self, ConfigError> {
        match settings.place()? {
            LakePlace::Folder(folder) => Self::folder(&folder),
            LakePlace::Bucket(bucket, prefix) => Self::bucket(settings, &bucket, &prefix),
        }
    }

    /// A folder, which must be there. Whether it is mounted and takes files is asked again and again: that may change.
    pub fn folder(folder: &FsPath) -> Result<Self, ConfigError> {
        let unusable = |error: &dyn fmt::Display| ConfigError::Unusable {
            name: "LAKE_URL".into(),
            why: format!("{} is no folder that can be used: {error}", folder.display()),
        };
        std::fs::read_dir(folder).map_err(|error| unusable(&error))?;
        let store =
            LocalFileSystem::new_with_prefix(folder).map_err(|error| unusable(&error))?.with_fsync(true);
        let root = with_slash(&folder.display().to_string());
        Ok(Self { store: Arc::new(store), root, folder: Some(folder.to_owned()) })
    }

    fn bucket(settings: &Lake, bucket: &str, prefix: &str) -> Result<Self, ConfigError> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&settings.lake_region)
            // Many at a time, each with a request of its own: not every storage knows the request for many.
            .with_disable_bulk_delete(true)
            .with_client_options(ClientOptions::new().with_timeout(REQUEST).with_allow_http(true))
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: 3,
                retry_timeout: PATIENCE,
            });
        if let Some(endpoint) = &settings.lake_endpoint {
            builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        if let Some((id, key)) = settings.key()? {
            builder =
                builder.with_access_key_id(id.expose_secret()).with_secret_access_key(key.expose_secret());
        }
        shared::config::use_our_tls();
        let store = builder.build().map_err(|error| ConfigError::Unusable {
            name: "LAKE_URL".into(),
            why: format!("the bucket cannot be used: {error}"),
        })?;
        let root = with_slash(&format!("s3://{bucket}/{prefix}"));
        let store: Arc<dyn ObjectStore> =
            if prefix.is_empty() { Arc::new(store) } else { Arc::new(PrefixStore::new(store, prefix)) };
        Ok(Self { store, root, folder: None })
    }

    /// Fails where the bucket says that it is not there. One that does not answer may be there later.
    pub async fn check(&self) -> Result<(), SetupError> {
        let listed =
            tokio::time::timeout(FIRST_ANSWER, self.store.list_with_delimiter(Some(&Path::from("none"))))
                .await;
        match listed {
            Ok(Err(error)) if says_no_bucket(&error) => Err(ConfigError::Unusable {
                name: "LAKE_URL".into(),
                why: format!("there is no bucket at {}", self.root),
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// Where the files are, as readers name it; ends with a slash.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Fails where it does not answer, or does not belong to this catalogue.
    pub async fn expect_owner(&self, catalogue: &str) -> Result<(), StorageError> {
        match self.owner().await? {
            Some(owner) if owner == catalogue => Ok(()),
            Some(_) => Err(StorageError::OfAnother(self.root.clone())),
            None => Err(StorageError::NotTheLake(self.root.clone())),
        }
    }

    /// The catalogue to which it belongs: empty where a build of before has marked it, none where nobody has.
    pub async fn owner(&self) -> Result<Option<String>, StorageError> {
        match self.read(MARKER).await {
            Ok(marker) => Ok(Some(String::from_utf8_lossy(&marker).trim().to_owned())),
            Err(StorageError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a new file there; false where one of that name is there already.
    pub async fn create(&self, path: &str, bytes: Bytes) -> Result<bool, StorageError> {
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path.into(), PutPayload::from(bytes), create).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a file there, whatever was there before.
    pub async fn replace(&self, path: &str, bytes: Bytes) -> Result<(), StorageError> {
        self.store.put(&path.into(), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// A file, whole.
    pub async fn read(&self, path: &str) -> Result<Bytes, StorageError> {
        Ok(self.store.get(&path.into()).await?.bytes().await?)
    }

    /// The SHA-256 of a file, hexadecimal. Holds a part of it at a time.
    pub async fn sha256(&self, path: &str) -> Result<String, StorageError> {
        let mut parts = self.store.get(&path.into()).await?.into_stream();
        let mut sha256 = Sha256::new();
        while let Some(part) = parts.try_next().await? {
            sha256.update(&part);
        }
        Ok(sha256.finish())
    }

    /// Whether a file from after `since` holds these bytes.
    pub async fn holds(&self, path: &str, bytes: &Bytes, since: DateTime<Utc>) -> Result<bool, StorageError> {
        match self.store.get(&path.into()).await {
            Ok(found) => Ok(found.meta.last_modified > since && found.bytes().await? == *bytes),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes many files; that some are gone already is fine.
    pub async fn remove_all(&self, paths: &[String]) -> Result<(), StorageError> {
        let locations: Vec<_> = paths.iter().map(|path| Ok(Path::from(path.as_str()))).collect();
        let mut removed = self.store.delete_stream(stream::iter(locations).boxed());
        while let Some(removed) = removed.next().await {
            match removed {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Removes what processes had begun to write before `before`, or ever; how many files. A bucket shows none.
    pub async fn remove_unfinished(&self, before: Option<DateTime<Utc>>) -> Result<usize, Failure> {
        let Some(folder) = self.folder.clone() else { return Ok(0) };
        let removed = blocking(move || remove_unfinished(&folder, before)).await?;
        removed.map_err(|error| Failure::new(Class::Outage, "lake.storage_unavailable", error.to_string()))
    }

    /// Every file, but for the marker.
    pub async fn list(&self) -> Result<Vec<ObjectMeta>, StorageError> {
        let mut found: Vec<ObjectMeta> = self.store.list(None).try_collect().await?;
        found.retain(|file| file.location.as_ref() != MARKER);
        Ok(found)
    }
}

fn with_slash(text: &str) -> String {
    format!("{}/", text.trim_end_matches('/'))
}
