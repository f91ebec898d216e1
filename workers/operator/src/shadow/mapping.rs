//! What of an exported flow is a setting of ours, and where secrets stand in it. A secret's value never leaves this file.

use serde::Serialize;

use super::component::{Component, Property};

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

/// Lower case, and only what tells one word from another.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Whether it is a reference to a value that is elsewhere, or a value that NiFi has encrypted.
fn is_reference(value: &str) -> bool {
    let value = value.trim();
    ["${", "#{", "enc{"].iter().any(|start| value.starts_with(start)) && value.ends_with('}')
}

/// Whether a secret is written out here: by what the property is called, or by what its value looks like.
fn is_secret(property: &Property) -> bool {
    const NAMES: [&str; 8] =
        ["password", "passwd", "secret", "token", "apikey", "accesskey", "authorization", "clientid"];
    let name = plain(&property.name);
    let named =
        NAMES.iter().any(|word| name.contains(word)) && !name.ends_with("url") && !name.ends_with("file");
    if is_reference(&property.value) {
        return false;
    }
    property.sensitive || named || holds_secret(&property.value)
}

/// Whether a text, such as a script, a request or a URL, holds a secret among other things.
fn holds_secret(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    // A word that stands before a secret, and what must follow before it is one.
    let after = |word: &str| {
        lower.match_indices(word).any(|(at, _)| {
            let rest = lower[at + word.len()..].trim_start_matches([' ', '"', '\'', ':', '=', '>']);
            let secret =
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.~+/".contains(*c)).count();
            secret >= 8
        })
    };
    let in_url = lower.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '"', ' ']).next().unwrap_or_default();
        authority.split_once('@').is_some_and(|(user, _)| {
            user.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !is_reference(password))
        })
    });
    let words = [
        "bearer ",
        "oauth ",
        "basic ",
        "client_secret",
        "client_id",
        "password=",
        "access_token",
        "client-id",
    ];
    words.iter().any(|word| after(word)) || in_url
}

/// The setting that takes the place of a secret of that name.
fn secret_setting(name: &str) -> Option<&'static str> {
    let name = plain(name);
    if name.contains("clientsecret") {
        Some("TWITCH_CLIENT_SECRET_FILE")
    } else if name.contains("clientid") {
        Some("TWITCH_CLIENT_ID_FILE")
    } else if name.contains("password") {
        Some("DATABASE_URL_FILE or AMQP_URL_FILE")
    } else {
        None
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
