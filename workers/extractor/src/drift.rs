//! Tells when Twitch's records are no longer as documented: once, with a sample, when two pulls in a row have shown it.

use std::sync::PoisonError;

use chrono::{DateTime, Utc};
use shared::{
    schema::{JsonType, OddShape},
    store::Store,
};

use crate::sweep::Sweep;

/// Notes what has drifted in a pull that was fetched, and tells what is new. It is no reason to hold up the pull: what cannot be
/// noted is seen again in the next.
pub(crate) async fn tell(store: &Store, sweep: &Sweep, now: DateTime<Utc>) {
    let pull = sweep.stored.pull_id;
    let shapes = sweep.shapes.lock().unwrap_or_else(PoisonError::into_inner).drifted();
    match store.note_shapes(pull, &shapes, now).await {
        Ok(new) => {
            for shape in new {
                let OddShape { field, kind, records, of_records, sample } = &shape;
                let what = match kind {
                    JsonType::Missing => "is missing".to_owned(),
                    kind => format!("is now {}", kind.as_str()),
                };
                tracing::warn!(
                    code = "twitch.drift",
                    helix.field = field,
                    "field {field} of /streams {what} in {records} of {of_records} records, which is not documented: {sample}"
                );
            }
        }
        Err(error) => tracing::warn!(pull = pull.0, "what has drifted in pull {pull} is not noted: {error}"),
    }
}
