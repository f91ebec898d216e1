//! Where the lake's files go, and as whom.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;
use url::Url;

use super::{
    ConfigError, http_url,
    secret::{secret, secret_url},
};

/// Where the lake is. The secrets are `LAKE_ACCESS_KEY_ID` and `LAKE_SECRET_ACCESS_KEY`, or their files.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_field_names, reason = "clap makes flags and variables of the names")]
#[command(next_help_heading = "Lake (LAKE_ACCESS_KEY_ID and LAKE_SECRET_ACCESS_KEY, or their files, for S3)")]
pub struct Lake {
    /// Where the files go: a folder that is there, such as `/var/lib/lake`, or `s3://bucket/prefix`
    #[arg(long, env, value_name = "PLACE")]
    lake_url: Option<String>,
    /// Base URL of an S3-compatible storage that is not Amazon's
    #[arg(long, env, value_name = "URL", value_parser = http_url)]
    pub lake_endpoint: Option<Url>,
    /// The bucket's region
    #[arg(long, env, default_value = "us-east-1", value_name = "REGION")]
    pub lake_region: String,
    /// File that holds the access key id; without both keys the machine's own identity is used
    #[arg(long, env, value_name = "FILE")]
    lake_access_key_id_file: Option<PathBuf>,
    /// File that holds the secret access key
    #[arg(long, env, value_name = "FILE")]
    lake_secret_access_key_file: Option<PathBuf>,
}

/// Where Redshift is. Its URL is a secret: `REDSHIFT_URL`, or the file that `REDSHIFT_URL_FILE` names.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redshift (REDSHIFT_URL, or its file)")]
pub struct Redshift {
    /// File that holds the URL, such as `postgres://user:password@host:5439/name?sslmode=require`
    #[arg(long, env, value_name = "FILE")]
    redshift_url_file: Option<PathBuf>,
}

impl Redshift {
    /// The URL.
    pub fn url(&self) -> Result<SecretString, ConfigError> {
        secret_url("REDSHIFT_URL", self.redshift_url_file.as_ref(), &["postgres", "postgresql"])
    }
}

/// Where the lake is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LakePlace {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket, and a prefix without slashes at its ends, which may be empty.
    Bucket(String, String),
}

/// An access key's id and the key itself.
pub type LakeKey = (SecretString, SecretString);

impl Lake {
    /// The place.
    pub fn place(&self) -> Result<LakePlace, ConfigError> {
        let unusable = |why: &str| ConfigError::Unusable { name: "LAKE_URL".into(), why: why.into() };
        let text = self.lake_url.as_deref().unwrap_or_default();
        if text.is_empty() {
            return Err(unusable("it is not set: name a folder, or s3://bucket/prefix"));
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() || bucket.contains(['@', '?', ':']) || prefix.contains(['?', '#']) {
                return Err(unusable("write s3://bucket/prefix and nothing else"));
            }
            return Ok(LakePlace::Bucket(bucket.to_owned(), prefix.trim_matches('/').to_owned()));
        }
        let folder = text.strip_prefix("file://").unwrap_or(text);
        if folder.contains("://") || !folder.starts_with('/') {
            return Err(unusable("write the whole path of a folder, or s3://bucket/prefix"));
        }
        Ok(LakePlace::Folder(folder.into()))
    }

    /// The key for S3; none where neither half is given.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] where only half of it is.
    pub fn key(&self) -> Result<Option<LakeKey>, ConfigError> {
        let id = secret("LAKE_ACCESS_KEY_ID", self.lake_access_key_id_file.as_ref());
        let key = secret("LAKE_SECRET_ACCESS_KEY", self.lake_secret_access_key_file.as_ref());
        match (id, key) {
            (Err(ConfigError::Missing { .. }), Err(ConfigError::Missing { .. })) => Ok(None),
            (id, key) => Ok(Some((id?, key?))),
        }
    }
}
