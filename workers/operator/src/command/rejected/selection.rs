//! Which rejected records a command is about.

use shared::{schema::PullId, store::Store};

use crate::{context::Context, error::Error, pull_ref::PullRef};

/// The pull that was named, which must exist; without a name, the newest with rejected records.
pub(super) async fn find_pull(
    context: &Context,
    store: &Store,
    named: Option<PullRef>,
) -> Result<PullId, Error> {
    let Some(named) = named else {
        let newest = store.newest_with_rejects().await?;
        return newest.ok_or_else(|| Error::Failed("no pull has rejected records".into()));
    };
    let pull = context.resolve(store, named).await?;
    store.pull_report(pull).await?;
    Ok(pull)
}

/// Why no rejected record of the pull matches.
pub(super) async fn explain_no_match(
    store: &Store,
    pull: PullId,
    rule: Option<&str>,
) -> Result<Error, Error> {
    let groups = store.rejected_groups(Some(pull)).await?;
    let rules: Vec<_> = groups.iter().map(|group| format!("{} × {}", group.records, group.rule)).collect();
    Ok(Error::Failed(match rule.filter(|_| !rules.is_empty()) {
        Some(rule) => format!("{rule} rejected no record of pull {pull}; others did: {}", rules.join(", ")),
        None => format!("pull {pull} has no rejected records"),
    }))
}
