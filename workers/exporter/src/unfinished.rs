//! What a process that died had begun to write to a folder.

use std::{fs, io, path::Path};

use chrono::{DateTime, Utc};

use crate::names::is_unfinished;

/// Removes those that were last written to before `before`, or all of them; how many. `object_store` lists none of those.
pub(crate) fn remove_unfinished(root: &Path, before: Option<DateTime<Utc>>) -> io::Result<usize> {
    remove_below(root, root, before)
}

fn remove_below(root: &Path, folder: &Path, before: Option<DateTime<Utc>>) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            removed += remove_below(root, &path, before)?;
        } else if path.strip_prefix(root).is_ok_and(|path| is_unfinished(&path.to_string_lossy())) {
            // One that is gone has its own name by now.
            let Ok(modified) = entry.metadata().and_then(|file| file.modified()) else { continue };
            if before.is_none_or(|before| DateTime::<Utc>::from(modified) < before) {
                fs::remove_file(path)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
