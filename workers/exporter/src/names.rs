//! The names that this program gives to files: it removes no others, whoever put them beside its own.

use chrono::NaiveDate;
use shared::lake::{Table, folder};

/// Whether a path from the lake's root is one that this program writes Parquet to:
/// `hot/TABLE/day=2026-11-23/pull-7.parquet`, later generations and parts of it, and the closed days' files.
pub(crate) fn is_ours(path: &str) -> bool {
    let (hot, rest) = path.strip_prefix("hot/").map_or((false, path), |rest| (true, rest));
    let mut parts = rest.split('/');
    let (Some(table), Some(day), Some(file), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let Some(day) = day.strip_prefix("day=").and_then(|day| day.parse::<NaiveDate>().ok()) else {
        return false;
    };
    // Also where a day could be written otherwise.
    let in_its_folder = Table::find(table).is_some() && path.starts_with(&folder(table, day, !hot));
    in_its_folder && file.strip_suffix(".parquet").is_some_and(|stem| is_stem(stem, hot))
}

/// Whether a path is that of a file that is still being written: `object_store` adds `#` and a number, and renames it at the end.
pub(crate) fn is_unfinished(path: &str) -> bool {
    path.split_once('#').is_some_and(|(path, number)| is_number(number) && is_ours(path))
}

/// `pull-7`, `pull-7-g2`, `day-g1`, `day-g1-2`.
fn is_stem(stem: &str, hot: bool) -> bool {
    let mut words = stem.split('-');
    let named = match words.next() {
        Some("pull") => hot && words.next().is_some_and(is_number),
        Some("day") => !hot,
        _ => false,
    };
    let generation = words.next();
    let numbered = generation.map_or(hot, |word| word.strip_prefix('g').is_some_and(is_number));
    named && numbered && words.next().is_none_or(is_number) && words.next().is_none()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_write_is_ours() {
        for ours in [
            "hot/stream_peek/day=2026-11-23/pull-7.parquet",
            "hot/game/day=2026-11-23/pull-7-g12.parquet",
            "hot/game/day=2026-11-23/pull-7-g2-2.parquet",
            "pull/day=2026-11-23/day-g1.parquet",
            "channel/day=2026-11-23/day-g3-12.parquet",
        ] {
            assert!(is_ours(ours), "{ours}");
            assert!(is_unfinished(&format!("{ours}#1")), "{ours}#1");
            assert!(!is_unfinished(ours), "{ours}");
        }
        for foreign in [
            "customers.parquet",
            "hot/customers/day=2026-11-23/pull-7.parquet",
            "game/day=2026-11-23/pull-7.parquet",
            "hot/game/day=2026-11-23/day-g1.parquet",
            "game/day=2026-11-23/day.parquet",
            "game/day=2026-11-23/day-g1-2-3.parquet",
            "game/day=2026-11-23/day-g.parquet",
            "game/day=2026-1-3/day-g1.parquet",
            "game/day=yesterday/day-g1.parquet",
            "game/day=2026-11-23/more/day-g1.parquet",
            "backup/game/day=2026-11-23/day-g1.parquet",
            "hot/game/day=2026-11-23/pull-7-copy.parquet",
            "hot/game/day=2026-11-23/pull-7.parquet.bak",
            "hot/game/day=2026-11-23/_manifest.json",
            "_lake",
        ] {
            assert!(!is_ours(foreign), "{foreign}");
            assert!(!is_unfinished(&format!("{foreign}#1")), "{foreign}#1");
        }
        assert!(!is_unfinished("game/day=2026-11-23/day-g1.parquet#one"));
    }
}
