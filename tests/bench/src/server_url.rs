//! A server's URL that may name several hosts, as libpq and our programs take it: `scheme://user:password@h1:1,h2:2/path?query`.

use std::{fs, path::Path};

use crate::outcome::Outcome;

/// Such a URL, in its parts.
#[derive(Debug, Clone)]
pub(crate) struct ServerUrl {
    url: String,
    /// Where the path begins, behind its slash.
    path: usize,
}

impl ServerUrl {
    /// The one a file holds.
    pub(crate) fn read(file: &Path) -> Outcome<Self> {
        let url = fs::read_to_string(file)?.trim().to_owned();
        let authority = url.find("://").ok_or("no scheme")? + 3;
        let path = authority + url[authority..].find('/').ok_or("no path")? + 1;
        Ok(Self { url, path })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.url
    }

    /// The user it logs in.
    pub(crate) fn user(&self) -> &str {
        let authority = self.url[..self.path].rsplit("://").next().unwrap_or_default();
        authority.split(':').next().unwrap_or_default()
    }

    /// The same hosts, and another database or vhost.
    pub(crate) fn with_path(&self, path: &str) -> Self {
        let (before, rest) = self.url.split_at(self.path);
        let query = rest.find('?').map_or("", |query| &rest[query..]);
        Self { url: format!("{before}{path}{query}"), path: self.path }
    }
}
