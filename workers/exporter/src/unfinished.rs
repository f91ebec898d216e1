//! What a process that died had begun to write to a folder.

use std::{fs, io, path::Path};

use chrono::{DateTime, Utc};

/// Removes those that were last written to before `before`; how many. `object_store` writes a file under its name, `#` and a number,
/// and then renames it; it lists none of those.
pub(crate) fn remove_unfinished(folder: &Path, before: DateTime<Utc>) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            removed += remove_unfinished(&entry.path(), before)?;
        } else if entry.file_name().to_string_lossy().contains(".parquet#") {
            // One that is gone has its own name by now.
            let Ok(modified) = entry.metadata().and_then(|file| file.modified()) else { continue };
            if DateTime::<Utc>::from(modified) < before {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
