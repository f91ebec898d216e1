//! The dead letters that a command changes, and why none match.

use chrono::{DateTime, Utc};
use clap::Args;
use shared::store::{DEAD_LETTER_STATES, DeadLetterFilter, Store};

use super::filter::FilterFlags;
use crate::error::Error;

/// Dead letters to change: by number, by filter, or all.
#[derive(Debug, Clone, Args)]
pub(super) struct Selection {
    /// Dead letters by number
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    #[command(flatten)]
    flags: FilterFlags,
    /// All dead letters in their queues; required, so that a forgotten filter does not select all
    #[arg(long)]
    all: bool,
}

impl Selection {
    /// The filter they make.
    ///
    /// # Errors
    /// If nothing selects, or both --all and a filter do.
    pub(super) fn filter(&self, now: DateTime<Utc>) -> Result<DeadLetterFilter, Error> {
        let mut filter = self.flags.filter(now);
        if !self.ids.is_empty() {
            let ids = self.ids.iter().chain(filter.ids.iter().flatten());
            filter.ids = Some(ids.copied().collect());
        }
        match (filter == DeadLetterFilter::default(), self.all) {
            (true, false) => Err(Error::Usage(
                "select dead letters: by number, by a filter such as --group or --pull, or with --all".into(),
            )),
            (false, true) => Err(Error::Usage("use either --all or a filter, not both".into())),
            _ => Ok(filter),
        }
    }
}

/// How many dead letters match.
///
/// # Errors
/// As [`explain_no_match`] if none do.
pub(super) async fn count_matching(store: &Store, filter: &DeadLetterFilter) -> Result<i64, Error> {
    match store.count_dead_letters(filter).await? {
        0 => Err(explain_no_match(store, filter).await?),
        matching => Ok(matching),
    }
}

/// Why no dead letter matches: in which other states some do.
pub(super) async fn explain_no_match(store: &Store, filter: &DeadLetterFilter) -> Result<Error, Error> {
    let mut others = Vec::new();
    for state in DEAD_LETTER_STATES {
        match store.count_dead_letters(&filter.in_states(&[state])).await? {
            0 => {}
            matching => others.push(format!("{matching} {state}")),
        }
    }
    let why = match (&filter.ids, others.is_empty()) {
        (_, false) => format!("no dead letter matches in these states; in others: {}", others.join(", ")),
        (Some(ids), true) => {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            format!("there is no dead letter {}", ids.join(", "))
        }
        (None, true) => "no dead letter matches, in any state".to_owned(),
    };
    Ok(Error::Failed(format!("{why}. Nothing was changed")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        selection: Selection,
    }

    fn parse(line: &str) -> Result<DeadLetterFilter, String> {
        let words = std::iter::once("test").chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        cli.selection.filter(now()).map_err(|error| error.to_string())
    }

    fn now() -> DateTime<Utc> {
        "2026-07-12T10:42:00Z".parse().unwrap()
    }

    #[test]
    fn flags_make_a_filter() {
        let filter =
            parse("--stage finalizer --group AB12 --since 2h --until 2026-07-12T11:00:00Z --state held,dead")
                .unwrap();
        assert_eq!(filter.stage.as_deref(), Some("finalizer"));
        assert_eq!(filter.fingerprint.as_deref(), Some("ab12"));
        assert_eq!(filter.since, Some("2026-07-12T08:42:00Z".parse().unwrap()));
        assert_eq!(filter.until, Some("2026-07-12T11:00:00Z".parse().unwrap()));
        assert_eq!(filter.states, Some(vec!["held".to_owned(), "dead".to_owned()]));
        assert_eq!(parse("3 5 --id 7").unwrap().ids, Some(vec![3, 5, 7]));
        assert_eq!(parse("--all").unwrap(), DeadLetterFilter::default());
    }

    #[test]
    fn errors_name_what_exists() {
        for (line, words) in [
            ("", "select dead letters"),
            ("--all --pull 3", "not both"),
            ("--stage exctractor", "channel-enricher"),
            ("--class fatal", "rate-limited"),
            ("--state gone", "vanished"),
            ("--group xyz", "hexadecimal"),
            ("--since yesterday", "2h or 3days"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
