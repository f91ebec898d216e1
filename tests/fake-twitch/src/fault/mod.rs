//! Faults: what goes wrong, where, and when.
//!
//! A [`Fault`] joins an [`Effect`], the endpoint it strikes and the calls it strikes there ([`When`]). Faults lie in a
//! [`World`](crate::World) and act together; a [`Scenario`](crate::Scenario) is a set of them with a name. Records told wrongly are
//! [`Defects`] of single streams.

mod defect;
mod effect;
mod when;

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

pub use defect::{Defect, Defects};
pub use effect::Effect;
pub use when::When;

use crate::api::{Endpoint, Query};
use crate::lock::lock;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub effect: Effect,
    /// Where: without one, on every endpoint the effect makes sense on, the token endpoints apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// On which of the calls that the effect could strike.
    #[serde(default)]
    pub when: When,
}

impl Fault {
    /// This effect on every call it can strike.
    #[must_use]
    pub fn new(effect: Effect) -> Self {
        Self { effect, endpoint: None, when: When::Always }
    }

    /// Only on this endpoint.
    #[must_use]
    pub fn on(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Only on these calls.
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    fn could_strike(&self, endpoint: Endpoint, query: &Query) -> bool {
        let here = match self.endpoint {
            Some(chosen) => chosen == endpoint,
            None => endpoint.is_helix(),
        };
        here && self.effect.fits(endpoint, query)
    }
}

/// The faults that lie over a world. Each counts its own calls, from the moment it is laid there.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    laid: Mutex<Vec<(Fault, u64)>>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, laid: Mutex::default() }
    }

    /// Lays one more fault over the world.
    pub fn push(&self, fault: Fault) {
        lock(&self.laid).push((fault, 0));
    }

    /// Takes all faults away.
    pub fn clear(&self) {
        lock(&self.laid).clear();
    }

    /// The faults in the order they were laid.
    pub fn list(&self) -> Vec<Fault> {
        lock(&self.laid).iter().map(|(fault, _)| fault.clone()).collect()
    }

    /// The effects that strike this call, which is counted.
    pub(crate) fn due(&self, endpoint: Endpoint, query: &Query) -> Vec<Effect> {
        let mut laid = lock(&self.laid);
        let candidates =
            laid.iter_mut().zip(self.seed..).filter(|((fault, _), _)| fault.could_strike(endpoint, query));
        candidates
            .filter_map(|((fault, calls), salt)| {
                *calls += 1;
                fault.when.strikes(*calls, salt).then(|| fault.effect.clone())
            })
            .collect()
    }
}
