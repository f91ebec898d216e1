//! The duties that fail now, and what is said of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::super::message::fingerprint::fingerprint;
use crate::{
    clock::Clock,
    failure::{Class, Failure},
    metrics,
};

/// After so many failures in a row `/readyz` says so.
const TOO_MANY: u32 = 5;

/// Where what came of a duty's runs is kept.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) duty: &'static str,
    pub(super) troubles: Troubles,
    pub(super) clock: Clock,
}

impl Record {
    pub(super) fn succeeded(&self) {
        metrics::duty_succeeded(self.duty, self.clock.now());
        if let Some(trouble) = self.troubles.with(|troubles| troubles.remove(self.duty)) {
            let failures = trouble.failures;
            tracing::info!(
                duty = self.duty,
                failures,
                "duty {} works again after {failures} failures",
                self.duty
            );
        }
    }

    /// Returns how many failures in a row this is.
    pub(super) fn failed(&self, failure: &Failure) -> u32 {
        metrics::duty_failed(self.duty);
        let cause = fingerprint(
            self.duty,
            failure.class.as_str(),
            failure.code,
            &failure.message,
            &failure.causes.join("\n"),
        );
        let (failures, news) = self.troubles.with(|troubles| {
            let trouble = troubles.entry(self.duty).or_default();
            let news = trouble.cause != cause;
            *trouble = Trouble { failures: trouble.failures + 1, cause, words: failure.to_string() };
            (trouble.failures, news)
        });
        match (news, failure.class) {
            (false, _) => {}
            (true, Class::Permanent) => {
                tracing::error!(duty = self.duty, code = failure.code, "duty {} fails: {failure}", self.duty);
            }
            (true, _) => {
                tracing::warn!(duty = self.duty, code = failure.code, "duty {} fails: {failure}", self.duty);
            }
        }
        failures
    }
}

/// The duties that fail now. Cheap to clone; clones know the same.
#[derive(Debug, Clone, Default)]
pub struct Troubles(Arc<Mutex<BTreeMap<&'static str, Trouble>>>);

#[derive(Debug, Default)]
struct Trouble {
    /// How often in a row it failed.
    failures: u32,
    /// Equal for failures that differ only in numbers, times and names.
    cause: String,
    words: String,
}

impl Troubles {
    /// Which duties have failed so often that somebody should know; none while all work.
    pub fn describe(&self) -> Option<String> {
        let troubles: Vec<String> = self.with(|troubles| {
            let lasting = troubles.iter().filter(|(_, trouble)| trouble.failures >= TOO_MANY);
            lasting
                .map(|(duty, Trouble { failures, words, .. })| {
                    format!("duty {duty} has failed {failures} times in a row: {words}")
                })
                .collect()
        });
        (!troubles.is_empty()).then(|| troubles.join("; "))
    }

    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<&'static str, Trouble>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
