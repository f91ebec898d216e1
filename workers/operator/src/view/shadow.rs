//! Two flows beside each other, and what is to be taken over from the old one.

use shared::schema::PullId;

use super::{
    format::{count, number},
    table::{Table, section},
};
use crate::shadow::{Comparison, Findings};

/// A pull, and that of the NiFi flow at the same time.
#[derive(Debug, Clone)]
pub(crate) struct Shadowed {
    /// Ours; none where the NiFi flow alone has one.
    pub(crate) pull_id: Option<PullId>,
    /// That of the NiFi flow; none where we alone have one.
    pub(crate) legacy_pull: Option<String>,
    /// How they differ, where there are both.
    pub(crate) comparison: Option<Comparison>,
}

impl Shadowed {
    /// Whether both are there and say the same.
    pub(crate) fn is_same(&self) -> bool {
        self.comparison.as_ref().is_some_and(Comparison::is_same)
    }
}

/// A line per pair, and beneath it what differs.
pub(crate) fn shadowed(all: &[Shadowed]) -> String {
    let mut table = Table::new(&[
        ">PULL",
        ">NIFI PULL",
        ">BOTH",
        ">ONLY NIFI",
        ">ONLY HERE",
        ">REJECTED HERE",
        "COLUMNS THAT DIFFER",
    ]);
    let mut details = String::new();
    for one in all {
        let id = |id: Option<String>| id.unwrap_or_else(|| "-".to_owned());
        let (pull, legacy) = (id(one.pull_id.map(|pull| pull.to_string())), id(one.legacy_pull.clone()));
        let Some(found) = &one.comparison else {
            let missing = "not compared: the other side has no pull at that time".to_owned();
            table.row([pull, legacy, String::new(), String::new(), String::new(), String::new(), missing]);
            continue;
        };
        let columns: Vec<String> = found
            .columns
            .iter()
            .map(|(name, difference)| format!("{name} ({})", difference.streams))
            .collect();
        table.row([
            pull.clone(),
            legacy,
            number(found.both as u64),
            number(found.only_legacy.len() as u64),
            number(found.only_ours.len() as u64),
            number(found.rejected_here as u64),
            if columns.is_empty() { "-".to_owned() } else { columns.join(", ") },
        ]);
        details.push_str(&describe(&pull, found));
    }
    let differ = all.iter().filter(|one| !one.is_same()).count();
    let verdict = match differ {
        0 => format!("\n{}: no differences.", count(all.len() as u64, "pull")),
        _ => format!("\n{} of {} differ.", number(differ as u64), count(all.len() as u64, "pull")),
    };
    format!("{table}{details}{verdict}")
}

/// What differs in a pair, with examples.
fn describe(pull: &str, found: &Comparison) -> String {
    let mut lines = Vec::new();
    if found.unreadable_pages > 0 {
        lines.push(format!(
            "{} of the NiFi flow cannot be read",
            count(found.unreadable_pages as u64, "page")
        ));
    }
    let lists = [
        ("only in the NiFi flow", &found.only_legacy),
        ("only here", &found.only_ours),
        ("several times in the NiFi flow", &found.duplicates),
    ];
    for (what, streams) in lists.into_iter().filter(|(_, streams)| !streams.is_empty()) {
        let some: Vec<&str> = streams.iter().take(3).map(String::as_str).collect();
        let more = if streams.len() > some.len() { ", …" } else { "" };
        lines.push(format!("{what}: {}{more}", some.join(", ")));
    }
    for (column, difference) in &found.columns {
        for (stream, old, new) in difference.examples.iter().take(1) {
            lines.push(format!("{column} of stream {stream}: NiFi {old}, here {new}"));
        }
    }
    lines.iter().map(|line| format!("\npull {pull}: {line}")).collect::<Vec<_>>().concat()
}

/// Settings as an env file has them, and where secrets stand.
pub(crate) fn legacy_flow(findings: &Findings) -> String {
    let settings = if findings.settings.is_empty() {
        "Nothing in it is a setting of these programs.\n".to_owned()
    } else {
        let mut table = Table::new(&["SETTING", "~FROM"]);
        for setting in &findings.settings {
            let from = format!("{}: {}", setting.component, setting.property);
            table.row([format!("{}={}", setting.name, setting.value), from]);
        }
        table.to_string()
    };
    if findings.secrets.is_empty() {
        return format!("{settings}\nNo secret is written out in it.");
    }
    let mut table = Table::new(&["SECRET IN", "PROPERTY", "~SET INSTEAD"]);
    for secret in &findings.secrets {
        let instead = secret.setting.unwrap_or("-").to_owned();
        table.row([secret.component.clone(), secret.property.clone(), instead]);
    }
    let told = format!(
        "{} written out in it. Whoever has the file has them: revoke them.",
        count(findings.secrets.len() as u64, "secret")
    );
    format!("{settings}{}", section(&told, &table.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn differences_are_counted_and_shown_by_example() {
        let text = shadowed(&sample::shadowed());
        for words in [
            "pull 7: only in the NiFi flow: 55",
            "pull 7: channel.status of stream 44: NiFi \"x\", here \"y\"",
            "2 of 2 pulls differ.",
            "not compared: the other side has no pull at that time",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let same = Shadowed { comparison: Some(Comparison::default()), ..sample::shadowed().remove(0) };
        assert!(shadowed(&[same]).ends_with("\n1 pull: no differences."));
    }

    #[test]
    fn what_is_taken_over_can_be_copied() {
        let text = legacy_flow(&sample::legacy_flow());
        assert!(text.contains("PULL_INTERVAL=10m  Trigger: schedulingPeriod"), "{text}");
        assert!(
            text.contains("1 secret written out in it. Whoever has the file has them: revoke them."),
            "{text}"
        );
    }
}
