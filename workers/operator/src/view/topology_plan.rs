//! What differs between the broker and this build's topology, and what would be done about it.

use shared::runtime::Difference;

/// A difference in words.
pub(crate) fn describe_difference(difference: &Difference) -> String {
    match difference {
        Difference::Missing(name) => format!("{name} is not there"),
        Difference::Unbound { queue, exchange, key } => {
            format!("{queue} is not bound to exchange {exchange} with key {key}")
        }
        Difference::Differs { name, reason, .. } => {
            format!("{name} is there with other properties: {reason}")
        }
        Difference::Unknown(name) => format!("{name} is there; this user may not compare its properties"),
    }
}

/// What `operator topology apply` does about it.
pub(crate) fn describe_step(difference: &Difference) -> String {
    match difference {
        Difference::Missing(name) => format!("+ declare {name}, with its bindings"),
        Difference::Unbound { queue, exchange, key } => {
            format!("+ bind {queue} to {exchange} with key {key}")
        }
        Difference::Differs { name, replaceable: true, .. } => {
            format!(
                "~ delete {name} and declare it again: what is in it only repeats what the database holds"
            )
        }
        Difference::Differs { name, .. } => format!(
            "! {name}: nothing. Properties cannot be changed in place: drain it (let its workers finish), \
             delete it, and apply again; or run the build that made it"
        ),
        Difference::Unknown(name) => format!("? {name}: nothing"),
    }
}

/// Whether `apply` can do something about it.
pub(crate) fn is_repairable(difference: &Difference) -> bool {
    matches!(
        difference,
        Difference::Missing(_) | Difference::Unbound { .. } | Difference::Differs { replaceable: true, .. }
    )
}

/// What differs.
#[derive(Debug)]
pub(crate) struct TopologyPlan {
    /// The differences.
    pub(crate) differences: Vec<Difference>,
    /// Whether bindings were compared as well.
    pub(crate) bindings_compared: bool,
}

impl TopologyPlan {
    /// Whether nothing differs, as far as this user may know.
    pub(crate) fn is_empty(&self) -> bool {
        self.differences.iter().all(|difference| matches!(difference, Difference::Unknown(_)))
    }
}

/// The plan as text.
pub(crate) fn topology_plan(plan: &TopologyPlan) -> String {
    let bindings = if plan.bindings_compared {
        ""
    } else {
        "Bindings were not compared: RabbitMQ tells them by its management API only. Name it in MANAGEMENT_URL; \
         `operator topology apply` declares every binding in any case.\n"
    };
    let lines = plan.differences.iter().map(|difference| {
        format!("{}\n    {}\n", describe_difference(difference), describe_step(difference))
    });
    let verdict = if plan.is_empty() { "The broker is as this build wants it.\n" } else { "" };
    crate::suggest::typed(&format!("{verdict}{}{bindings}", lines.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_each_difference_and_what_is_done_about_it() {
        let differs = |replaceable| Difference::Differs {
            name: "finalizer".into(),
            reason: "inequivalent arg 'x-queue-type'".into(),
            replaceable,
        };
        let plan = TopologyPlan {
            differences: vec![
                Difference::Missing("work".into()),
                Difference::Unbound { queue: "finalizer".into(), exchange: "work", key: "channels-filled" },
                differs(false),
            ],
            bindings_compared: true,
        };
        let text = topology_plan(&plan);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "    + declare work, with its bindings");
        assert_eq!(lines[3], "    + bind finalizer to work with key channels-filled");
        assert!(lines[5].starts_with("    ! finalizer: nothing."), "{text}");
        assert!(!is_repairable(&differs(false)) && is_repairable(&differs(true)));
        let none = TopologyPlan { differences: vec![], bindings_compared: false };
        assert!(topology_plan(&none).contains("MANAGEMENT_URL"), "it says what it did not compare");
    }
}
