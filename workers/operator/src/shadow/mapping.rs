//! What of an exported flow is a setting of ours, and where secrets stand in it. A secret's value never leaves this file.

use serde::Serialize;

use super::{
    component::{Component, Property},
    secret::{is_reference, is_secret, plain, secret_setting},
};

/// What was found in an exported flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Settings of ours, with the values they had.
    pub(crate) settings: Vec<Setting>,
    /// Where a secret is written out.
    pub(crate) secrets: Vec<Secret>,
}

/// A setting of ours, and where its value is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) component: String,
    pub(crate) property: String,
}

/// A secret that is written out in the flow; whoever has the export has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Secret {
    pub(crate) component: String,
    pub(crate) property: String,
    /// The setting that takes its place, if there is one.
    pub(crate) setting: Option<&'static str>,
}

/// Maps what is known.
pub(crate) fn map(components: &[Component]) -> Findings {
    let mut findings = Findings::default();
    for component in components {
        for property in component.properties.iter().filter(|property| !property.value.is_empty()) {
            if is_secret(property) {
                findings.secrets.push(Secret {
                    component: component.name.clone(),
                    property: property.name.clone(),
                    setting: secret_setting(&property.name),
                });
            } else if let Some((name, value)) = setting(property) {
                findings.add(name, value, &component.name, &property.name);
            }
        }
        if let Some((name, value)) = component.schedule.as_deref().and_then(schedule)
            && starts_pulls(&component.name)
        {
            findings.add(name, value, &component.name, "schedulingPeriod");
        }
    }
    findings
}

impl Findings {
    fn add(&mut self, name: &'static str, value: String, component: &str, property: &str) {
        let (component, property) = (component.to_owned(), property.to_owned());
        if !self.settings.iter().any(|setting| setting.name == name && setting.value == value) {
            self.settings.push(Setting { name, value, component, property });
        }
    }
}

/// The setting that a property is, and its value in our words.
fn setting(property: &Property) -> Option<(&'static str, String)> {
    let (name, value) = (plain(&property.name), property.value.trim());
    if is_reference(value) {
        return None;
    }
    let number = value.parse::<u32>().is_ok();
    if name.contains("min") && name.contains("viewer") && number {
        // The flow stopped at a last stream with so many viewers or fewer.
        return Some(("MIN_VIEWERS", value.to_owned()));
    }
    if name.contains("max") && name.contains("page") && number {
        return Some(("MAX_PAGES", value.to_owned()));
    }
    if name.contains("interval") || name.contains("pullevery") {
        return interval(value).map(|interval| ("PULL_INTERVAL", interval));
    }
    if let Some(rest) = value.strip_prefix("jdbc:postgresql://") {
        let server = rest.split('?').next().unwrap_or_default();
        return Some(("DATABASE_URL", format!("postgresql://USER:PASSWORD@{server}")));
    }
    if value.starts_with("https://") || value.starts_with("http://") {
        if let Some((base, _)) = value.split_once("/helix") {
            return Some(("TWITCH_API_URL", format!("{base}/helix/")));
        }
        if let Some((base, _)) = value.split_once("/oauth2/token") {
            return Some(("TWITCH_TOKEN_URL", format!("{base}/oauth2/token")));
        }
    }
    None
}

/// Whether a component is one that starts pulls, and not one of the many that run when something arrives.
fn starts_pulls(name: &str) -> bool {
    let name = plain(name);
    ["pull", "trigger", "generate", "start", "every", "schedule"].iter().any(|word| name.contains(word))
}

/// A schedule in our words: NiFi's `10 min`, or a Quartz expression, whose first field is seconds.
fn schedule(period: &str) -> Option<(&'static str, String)> {
    let fields: Vec<&str> = period.split_whitespace().collect();
    if matches!(fields.len(), 6 | 7) {
        let minutes = fields[1].strip_prefix("0/").map_or_else(|| fields[1].to_owned(), |n| format!("*/{n}"));
        let rest = fields[2..6].iter().map(|field| field.replace('?', "*"));
        let cron: Vec<String> = std::iter::once(minutes).chain(rest).collect();
        return Some(("PULL_CRON", cron.join(" ")));
    }
    interval(period).map(|interval| ("PULL_INTERVAL", interval))
}

/// `10 min` as `10m`; none for what is no interval of seconds or more, such as the `0 sec` of what always runs.
fn interval(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let number: u32 = text[..digits].parse().ok().filter(|number| *number > 0)?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "" | "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::{super::export::read, *};

    /// Stands in every secret.
    const CANARY: &str = "canary7f3a9b2c4d";

    fn names(findings: &Findings) -> Vec<(&'static str, &str)> {
        findings.settings.iter().map(|setting| (setting.name, setting.value.as_str())).collect()
    }

    #[test]
    fn a_template_is_mapped_and_its_secrets_are_told_and_not_shown() {
        let entry =
            |name: &str, value: &str| format!("<entry><key>{name}</key><value>{value}</value></entry>");
        let processor = |name: &str, period: &str, entries: &[String]| {
            format!(
                "<processors><id>1</id><name>{name}</name><config><properties>{}</properties>
                 <schedulingPeriod>{period}</schedulingPeriod></config></processors>",
                entries.concat()
            )
        };
        let flow = [
            processor("Start a pull", "10 min", &[entry("max_pages", "300"), entry("min-viewers", "10")]),
            processor(
                "Get streams",
                "0 sec",
                &[
                    entry("Remote URL", "https://api.twitch.tv/helix/streams?first=100"),
                    entry("Client-ID", CANARY),
                    entry("Authorization", &format!("Bearer {CANARY}")),
                    entry("Password", "#{db.password}"),
                ],
            ),
            processor(
                "Token",
                "0 sec",
                &[entry(
                    "Script Body",
                    &format!("curl 'https://id.twitch.tv/oauth2/token?client_secret={CANARY}'"),
                )],
            ),
            format!(
                "<controllerServices><name>DB</name><properties>{}{}</properties></controllerServices>",
                entry("Database Connection URL", "jdbc:postgresql://db.example:5432/twitch"),
                entry("Password", CANARY)
            ),
        ];
        let flow = format!("<template><snippet>{}</snippet></template>", flow.concat());
        let findings = map(&read(&flow).unwrap());
        assert_eq!(
            names(&findings),
            [
                ("MAX_PAGES", "300"),
                ("MIN_VIEWERS", "10"),
                ("PULL_INTERVAL", "10m"),
                ("TWITCH_API_URL", "https://api.twitch.tv/helix/"),
                ("DATABASE_URL", "postgresql://USER:PASSWORD@db.example:5432/twitch"),
            ]
        );
        let secrets: Vec<_> = findings
            .secrets
            .iter()
            .map(|secret| (secret.component.as_str(), secret.property.as_str()))
            .collect();
        assert_eq!(
            secrets,
            [
                ("Get streams", "Client-ID"),
                ("Get streams", "Authorization"),
                ("Token", "Script Body"),
                ("DB", "Password")
            ]
        );
        assert!(!format!("{findings:?}").contains(CANARY));
    }

    #[test]
    fn a_flow_definition_is_mapped_too() {
        let flow = serde_json::json!({
            "flowContents": {"name": "twitch", "variables": {"pull.interval": "10"}, "processGroups": [{"processors": [
                {"name": "Trigger", "schedulingPeriod": "0 0/10 * * * ?", "properties": {"Batch": "1"}},
                {"name": "Log", "schedulingPeriod": "1 min", "properties": {}}
            ]}]},
            "parameterContexts": {"twitch": {"name": "twitch", "parameters": [
                {"name": "client", "value": CANARY, "sensitive": true},
                {"name": "dsn", "value": format!("amqp://user:{CANARY}@mq:5672/")},
                {"name": "pw", "sensitive": true}]}}
        });
        let findings = map(&read(&flow.to_string()).unwrap());
        assert_eq!(names(&findings), [("PULL_INTERVAL", "10m"), ("PULL_CRON", "*/10 * * * *")]);
        let secrets: Vec<_> = findings.secrets.iter().map(|secret| secret.property.as_str()).collect();
        assert_eq!(secrets, ["client", "dsn"]);
        assert!(!format!("{findings:?}").contains(CANARY));
    }

    #[test]
    fn what_is_no_flow_is_refused_without_being_shown() {
        for text in ["", "{", "<a", "{}", "[1]", "<template/>"] {
            let wrong = read(text).unwrap_err();
            assert!(wrong.starts_with("it "), "{wrong}");
        }
    }
}
