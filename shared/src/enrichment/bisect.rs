//! Asking Twitch for a batch of ids, and finding the guilty one where it refuses all of them.

use std::collections::HashSet;

use futures::future::BoxFuture;

use super::{catalogue::Catalogue, plan::Wanted};
use crate::{
    helix::{self, Batch, Client},
    schema::{Absence, Missing},
};

/// What came of asking for some ids.
pub(super) struct Answer<C: Catalogue> {
    pub(super) found: Vec<C::Item>,
    pub(super) malformed: Vec<(C::Id, String)>,
    pub(super) refused: Vec<C::Id>,
}

/// The ids that nothing was found for, each with the chunk that wanted it.
pub(super) fn missing<C: Catalogue>(wanted: &[Wanted], asked: &[C::Id], answer: &Answer<C>) -> Vec<Missing> {
    let found: HashSet<&str> = answer.found.iter().map(C::id).collect();
    let malformed: HashSet<&str> = answer.malformed.iter().map(|(id, _)| id.as_ref()).collect();
    let [asked, refused] =
        [asked, &answer.refused].map(|ids| ids.iter().map(AsRef::as_ref).collect::<HashSet<&str>>());
    let reason = |id: &str| {
        if malformed.contains(id) {
            Absence::Malformed
        } else if refused.contains(id) || !asked.contains(id) {
            Absence::Refused
        } else {
            Absence::Absent
        }
    };
    wanted
        .iter()
        .filter(|(id, _)| !found.contains(id.as_str()))
        .map(|(id, seen)| Missing { id: id.clone(), reason: reason(id), seen: *seen })
        .collect()
}

/// Why nothing was found for an id, in words.
pub(super) fn explain_missing<C: Catalogue>(id: &str, reason: Absence, answer: &Answer<C>) -> String {
    let kind = C::KIND.as_str();
    match reason {
        Absence::Absent => format!("Twitch has no {kind} {id}"),
        Absence::Refused => format!("Twitch rejects the id of {kind} {id}"),
        Absence::Malformed => {
            let told = answer.malformed.iter().find(|(malformed, _)| malformed.as_ref() == id);
            let why = told.map_or("", |(_, why)| why);
            format!("what Twitch says of {kind} {id} cannot be read: {why}")
        }
    }
}

/// Asks; where Twitch refuses the whole batch, asks for each half, until the guilty id stands alone.
pub(super) fn ask<'a, C: Catalogue>(
    helix: &'a Client,
    ids: &'a [C::Id],
) -> BoxFuture<'a, Result<Answer<C>, helix::Error>> {
    Box::pin(async move {
        match C::ask(helix, ids).await {
            Ok(Batch { found, malformed }) => Ok(Answer { found, malformed, refused: Vec::new() }),
            Err(error) if error.is_bad_request() && ids.len() == 1 => {
                Ok(Answer { found: Vec::new(), malformed: Vec::new(), refused: ids.to_vec() })
            }
            Err(error) if error.is_bad_request() => {
                let (left, right) = ids.split_at(ids.len() / 2);
                let (mut answer, other) = (ask::<C>(helix, left).await?, ask::<C>(helix, right).await?);
                answer.found.extend(other.found);
                answer.malformed.extend(other.malformed);
                answer.refused.extend(other.refused);
                Ok(answer)
            }
            Err(error) => Err(error),
        }
    })
}
