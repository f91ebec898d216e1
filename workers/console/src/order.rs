//! What a person orders: read from an address or a form, counted, and put down as an operation for the server side.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use shared::{
    operations::{self, Action, Careful, Requester},
    store::{DEAD_LETTER_STATES, DeadLetterFilter, RerunFrom, Store},
    topology::all_stages,
    version::Version,
};

use crate::{error::Error, route::Filters, state::Console};

/// What a canary stops at where nobody says otherwise, as the operator's command.
pub(crate) const USUAL: Careful = Careful { tolerate: 0.1, patience: 60.0 };
/// Where dead letters are sent unless a stage is chosen.
pub(crate) const OWN: &str = "its own stage";
/// The longest reason.
const LONGEST_REASON: usize = 300;

/// What became of a form.
pub(crate) enum Placed {
    /// It is this operation.
    Operation(i64),
    /// It has to be asked again, at this address, for this reason.
    AskAgain(String, String),
}

/// Reads an order of this kind; `sent` from a form, in which a box that is not ticked is left out.
pub(crate) fn parse(kind: &'static str, filters: &mut Filters, sent: bool) -> Result<Action, Error> {
    Ok(match kind {
        "replay" => Action::Replay {
            filter: selection(filters)?,
            to: destination(filters)?,
            limit: within("limit", filters, 1..=i64::MAX)?,
            rate: within("rate", filters, 0.001..=100_000.0)?,
            canary: careful(filters, sent)?,
            exactly: true,
        },
        "discard" => Action::Discard { filter: selection(filters)?, exactly: true },
        "restore" => Action::Restore { ids: ids(filters)? },
        "hold" => Action::Hold {
            filter: selection(filters)?,
            until_build: filters.take::<Version>("until-build")?.map(|build| build.to_string()),
        },
        "release" => Action::Release { filter: selection(filters)? },
        "rerun" => Action::Rerun {
            pull: pull(filters)?,
            from: match filters.take_one_of("from", &["games", "channels", "merge"])? {
                Some("channels") => RerunFrom::Channels,
                Some("merge") => RerunFrom::Merge,
                _ => RerunFrom::Games,
            },
        },
        "pause" => Action::Pause {
            stage: stage(filters)?,
            reason: reason(filters)?,
            seconds: filters.take::<u16>("minutes")?.map(|minutes| u32::from(minutes) * 60),
        },
        "resume" => Action::Resume { stage: stage(filters)? },
        "run-once" => Action::RunOnce { stage: stage(filters)? },
        _ => Action::Cancel { pull: pull(filters)?, reason: reason(filters)? },
    })
}

/// How many dead letters the order is about now; none where it is about none.
pub(crate) async fn count(store: &Store, action: &Action) -> Result<Option<i64>, Error> {
    Ok(match action {
        Action::Replay { filter, limit, .. } => Some(store.count_replay(filter, *limit).await?),
        Action::Discard { filter, .. } | Action::Hold { filter, .. } => {
            Some(store.count_dead_letters(&filter.in_queue()).await?)
        }
        Action::Release { filter } => Some(store.count_dead_letters(&filter.in_states(&["held"])).await?),
        Action::Restore { ids } => {
            let named = DeadLetterFilter { ids: Some(ids.clone()), ..DeadLetterFilter::default() };
            Some(store.count_dead_letters(&named.in_states(&["discarded", "vanished"])).await?)
        }
        _ => None,
    })
}

/// The number that has to be typed before the order is put down, where it is hard to undo.
pub(crate) fn to_type(action: &Action, counted: Option<i64>) -> Option<i64> {
    match action {
        Action::Discard { .. } => counted,
        Action::Cancel { pull, .. } => Some(*pull),
        _ => None,
    }
}

/// Puts down what a form orders.
pub(crate) async fn place(
    console: &Console,
    kind: &'static str,
    form: &str,
    user: &str,
) -> Result<Placed, Error> {
    let mut filters = Filters::parse(form);
    let (confirmed, typed) = (filters.take::<i64>("counted")?, filters.take::<String>("typed")?);
    let action = parse(kind, &mut filters, true)?;
    filters.finish()?;
    let counted = count(&console.store, &action).await?;
    let again = |why: String| {
        let given = url::form_urlencoded::parse(form.as_bytes());
        let kept = given.filter(|(name, _)| !matches!(&**name, "counted" | "typed"));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept);
        if matches!(action, Action::Replay { canary: None, .. }) {
            query.append_pair("canary", "no");
        }
        Ok(Placed::AskAgain(format!("/order/{kind}?{}", query.finish()), why))
    };
    match counted {
        Some(0) => return again("No dead letter matches: nothing was done.".into()),
        Some(now) if confirmed != Some(now) => {
            let before = confirmed.map_or_else(|| "none".to_owned(), |before| before.to_string());
            return again(format!(
                "{before} were counted, and {now} match now. Nothing was done: confirm again."
            ));
        }
        _ => {}
    }
    if let Some(number) = to_type(&action, counted)
        && typed.as_deref().map(str::trim) != Some(number.to_string().as_str())
    {
        return again(format!("Nothing was done: type {number} to confirm."));
    }
    let requester = Requester { by: user, from: "console", counted };
    let operation = operations::request(&console.store, &console.clock, &action, requester).await?;
    Ok(Placed::Operation(operation))
}

/// Dead letters, as the operator's flags select them.
fn selection(filters: &mut Filters) -> Result<DeadLetterFilter, Error> {
    let stages: Vec<&str> = all_stages().map(|stage| stage.name).collect();
    let state = filters.take_one_of("state", &DEAD_LETTER_STATES)?;
    let all = filters.take_one_of("all", &["yes"])?.is_some();
    let filter = DeadLetterFilter {
        ids: filters.take::<String>("id")?.map(|ids| numbers(&ids)).transpose()?,
        stage: filters.take_one_of("stage", &stages)?.map(str::to_owned),
        class: filters.take("class")?,
        code: filters.take("code")?,
        fingerprint: filters.take("group")?,
        pull: filters.take("pull")?,
        channel: filters.take("channel")?,
        game: filters.take("game")?,
        since: filters.take("since")?,
        until: filters.take("until")?,
        states: state.map(|state| vec![state.to_owned()]),
    };
    match (filter == DeadLetterFilter::default(), all) {
        (true, false) => {
            let words = "Nothing is selected: give id, group, stage, class, code, pull, channel, game, since, until, or all=yes.";
            Err(Error::BadRequest(words.into()))
        }
        (false, true) => Err(Error::BadRequest("Give either all=yes or a filter, not both.".into())),
        _ => Ok(filter),
    }
}

fn ids(filters: &mut Filters) -> Result<Vec<i64>, Error> {
    let none = || Error::BadRequest("Give the dead letters by number: id=45,46.".into());
    numbers(&filters.take::<String>("id")?.ok_or_else(none)?)
}

fn numbers(text: &str) -> Result<Vec<i64>, Error> {
    let wrong = |_| Error::BadRequest(format!("{text:?} are no numbers of dead letters: write 45,46."));
    text.split(',').map(|id| id.trim().parse()).collect::<Result<_, _>>().map_err(wrong)
}

fn pull(filters: &mut Filters) -> Result<i64, Error> {
    let none = || Error::BadRequest("Give the pull by number: pull=123.".into());
    filters.take("pull")?.ok_or_else(none)
}

fn stage(filters: &mut Filters) -> Result<String, Error> {
    let stages: Vec<&str> = all_stages().map(|stage| stage.name).collect();
    let none = || Error::BadRequest(format!("Give the stage: one of {}.", stages.join(", ")));
    Ok(filters.take_one_of("stage", &stages)?.ok_or_else(none)?.to_owned())
}

fn reason(filters: &mut Filters) -> Result<Option<String>, Error> {
    let reason = filters.take::<String>("reason")?.map(|reason| reason.trim().to_owned());
    let reason = reason.filter(|reason| !reason.is_empty());
    let odd =
        |reason: &String| reason.chars().any(char::is_control) || reason.chars().count() > LONGEST_REASON;
    if reason.as_ref().is_some_and(odd) {
        return Err(Error::BadRequest(format!(
            "A reason is one line of at most {LONGEST_REASON} characters."
        )));
    }
    Ok(reason)
}

/// The stage that dead letters are sent to; none is each one's own.
fn destination(filters: &mut Filters) -> Result<Option<String>, Error> {
    let stages: Vec<&str> = [OWN].into_iter().chain(all_stages().map(|stage| stage.name)).collect();
    let chosen = filters.take_one_of("to", &stages)?;
    Ok(chosen.filter(|stage| *stage != OWN).map(str::to_owned))
}

/// When a replay in growing batches stops by itself; none where all are sent at once.
fn careful(filters: &mut Filters, sent: bool) -> Result<Option<Careful>, Error> {
    let tolerate = within("tolerate", filters, 0.0..=1.0)?;
    let patience = filters.take::<humantime::Duration>("patience")?;
    let careful = Careful {
        tolerate: tolerate.unwrap_or(USUAL.tolerate),
        patience: patience.map_or(USUAL.patience, |patience| patience.as_secs_f64()),
    };
    Ok(ticked("canary", filters, sent)?.then_some(careful))
}

/// A number, if it is given: one of these.
fn within<N>(name: &'static str, filters: &mut Filters, range: RangeInclusive<N>) -> Result<Option<N>, Error>
where
    N: FromStr<Err: Display> + PartialOrd + Display,
{
    let given = filters.take::<N>(name)?;
    match given {
        Some(number) if !range.contains(&number) => Err(Error::BadRequest(format!(
            "The filter {name} cannot be {number}: it is from {} to {}.",
            range.start(),
            range.end()
        ))),
        given => Ok(given),
    }
}

/// Whether a box is ticked: at first it is.
fn ticked(name: &'static str, filters: &mut Filters, sent: bool) -> Result<bool, Error> {
    Ok(match filters.take_one_of(name, &["yes", "no"])? {
        Some(given) => given == "yes",
        None => !sent,
    })
}

#[cfg(test)]
mod tests;
