//! The operator's command that does the same as an order.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum;

use super::action::Action;
use crate::{dead_letters::Canary, store::DeadLetterFilter};

impl Action {
    /// The operator's command that does the same, without the program's name and without a confirmation.
    pub fn command(&self) -> String {
        let optional = |flag: &str, value: &Option<String>| match value {
            Some(value) => format!(" --{flag} {}", quoted(value)),
            None => String::new(),
        };
        match self {
            Self::Replay { filter, to, limit, rate, canary, .. } => {
                let careful = canary.map_or_else(String::new, |canary| {
                    let Canary { tolerate, patience } = canary.into();
                    let patience = quoted(&humantime::format_duration(patience).to_string());
                    format!(" --canary --tolerate {tolerate} --patience {patience}")
                });
                let number = |flag, number: Option<String>| optional(flag, &number);
                format!(
                    "dead-letters replay{}{}{}{}{careful}",
                    selection(filter),
                    optional("to", to),
                    number("limit", limit.map(|limit| limit.to_string())),
                    number("rate", rate.map(|rate| rate.to_string()))
                )
            }
            Self::Discard { filter, .. } => format!("dead-letters discard{}", selection(filter)),
            Self::Restore { ids } => format!("dead-letters restore{}", numbers(ids)),
            Self::Hold { filter, until_build } => {
                format!("dead-letters hold{}{}", selection(filter), optional("until-build", until_build))
            }
            Self::Release { filter } => format!("dead-letters release{}", selection(filter)),
            Self::Rerun { pull, from } => {
                let from = from.to_possible_value().map(|value| value.get_name().to_owned());
                format!("rerun {pull}{}", optional("from", &from))
            }
            Self::Pause { stage, reason, seconds } => {
                let lasting = seconds.map(|seconds| format!("{seconds}s"));
                format!("pause {stage}{}{}", optional("for", &lasting), optional("reason", reason))
            }
            Self::Resume { stage } => format!("resume {stage}"),
            Self::RunOnce { stage } => format!("run-once {stage}"),
            Self::Cancel { pull, reason } => format!("cancel {pull}{}", optional("reason", reason)),
        }
    }
}

/// A filter as the operator's flags; `--all` where it leaves nothing out.
fn selection(filter: &DeadLetterFilter) -> String {
    let time = |time: &DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let flags = [
        ("stage", filter.stage.clone()),
        ("class", filter.class.clone()),
        ("code", filter.code.clone()),
        ("group", filter.fingerprint.clone()),
        ("pull", filter.pull.map(|pull| pull.to_string())),
        ("channel", filter.channel.clone()),
        ("game", filter.game.clone()),
        ("since", filter.since.as_ref().map(time)),
        ("until", filter.until.as_ref().map(time)),
        ("state", filter.states.as_ref().map(|states| states.join(","))),
    ];
    let given = flags.into_iter().filter_map(|(flag, value)| Some(format!(" --{flag} {}", quoted(&value?))));
    let given = given.collect::<Vec<_>>().concat();
    let selection = numbers(filter.ids.as_deref().unwrap_or_default()) + &given;
    if selection.is_empty() { " --all".to_owned() } else { selection }
}

fn numbers(ids: &[i64]) -> String {
    let numbers: Vec<String> = ids.iter().map(ToString::to_string).collect();
    if numbers.is_empty() { String::new() } else { format!(" {}", numbers.join(" ")) }
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.,:/+".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::Careful;

    #[test]
    fn each_order_has_its_command() {
        let filter = DeadLetterFilter {
            stage: Some("finalizer".into()),
            fingerprint: Some("3fa9".into()),
            ..DeadLetterFilter::default()
        };
        let canary = Some(Careful { tolerate: 0.1, patience: 60.0 });
        let replay = Action::Replay { filter, to: None, limit: Some(5), rate: None, canary, exactly: true };
        assert_eq!(
            replay.command(),
            "dead-letters replay --stage finalizer --group 3fa9 --limit 5 --canary --tolerate 0.1 --patience 1m"
        );
        let all = Action::Discard { filter: DeadLetterFilter::default(), exactly: true };
        assert_eq!(all.command(), "dead-letters discard --all");
        let pause = Action::Pause {
            stage: "finalizer".into(),
            reason: Some("it's late; rm -rf $HOME".into()),
            seconds: Some(90),
        };
        assert_eq!(pause.command(), r"pause finalizer --for 90s --reason 'it'\''s late; rm -rf $HOME'");
    }
}
