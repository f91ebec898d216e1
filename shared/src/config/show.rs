//! The settings as a person may see them: what each is, and where that comes from; secrets are masked.

use std::path::PathBuf;

use clap::{ArgMatches, Command, parser::ValueSource};
use secrecy::ExposeSecret;

use super::{
    ConfigError, UrlParts,
    secret::{secret, variable},
};

/// What stands in the place of a secret.
const MASK: &str = "***";
/// What a URL may say without giving a secret away; anything else might be one.
const OPEN_PARAMETERS: [&str; 9] = [
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "connect_timeout",
    "application_name",
    "cacertfile",
    "heartbeat",
    "frame_max",
    "channel_max",
];
/// Secrets that a program or a deployment may do without.
const OPTIONAL: [&str; 4] =
    ["CONSOLE_TOKEN", "LAKE_ACCESS_KEY_ID", "LAKE_SECRET_ACCESS_KEY", "RETENTION_DATABASE_URL"];
/// Read by what writes the log.
pub(crate) const LOG_LEVELS: &str = "RUST_LOG";

/// What `RUST_LOG` says; nothing if it is not set.
pub(crate) fn log_levels() -> Result<String, ConfigError> {
    let levels = variable(LOG_LEVELS.as_ref()).unwrap_or_default();
    let not_text = |_| ConfigError::Unusable { name: LOG_LEVELS.into(), why: "it is not UTF-8".into() };
    levels.into_string().map_err(not_text)
}

/// Every setting of `command`, one a line. Fails where a secret cannot be had: with the same lines, and why.
pub(super) fn show(command: &Command, matches: &ArgMatches) -> Result<String, String> {
    let mut lines = Vec::new();
    let mut whole = true;
    for setting in command.get_arguments() {
        let Some(name) = setting.get_env().and_then(|name| name.to_str()) else { continue };
        let id = setting.get_id().as_str();
        let values = matches.try_get_raw(id).ok().flatten();
        let value = values.map(|values| {
            values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(",")
        });
        let line = if let Some(name) = name.strip_suffix("_FILE") {
            let shown = match secret_line(name, value.map(PathBuf::from)) {
                Err(ConfigError::Missing { .. }) if OPTIONAL.contains(&name) => {
                    Ok((String::new(), "not set".to_owned()))
                }
                shown => shown,
            };
            whole &= shown.is_ok();
            shown.unwrap_or_else(|error| (String::new(), error.to_string()))
        } else {
            let origin = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => "flag",
                Some(ValueSource::EnvVariable) => "environment",
                Some(_) => "default",
                None => "not set",
            };
            (value.unwrap_or_default(), origin.to_owned())
        };
        lines.push((name.strip_suffix("_FILE").unwrap_or(name).to_owned(), line.0, line.1));
    }
    let levels = log_levels().map_err(|error| error.to_string())?;
    let (levels, origin) = if levels.is_empty() { ("info", "default") } else { (&*levels, "environment") };
    lines.push((LOG_LEVELS.to_owned(), levels.to_owned(), origin.to_owned()));
    let text = table(&lines);
    if whole { Ok(text) } else { Err(text) }
}

/// A secret, masked, and where it comes from.
fn secret_line(name: &str, file: Option<PathBuf>) -> Result<(String, String), ConfigError> {
    let value = match secret(name, file.as_ref()) {
        Err(ConfigError::Missing { .. }) if OPTIONAL.contains(&name) => {
            return Ok((String::new(), "not set".to_owned()));
        }
        value => value?,
    };
    let origin = match file {
        Some(file) if variable(name.as_ref()).is_none_or(|value| value.is_empty()) => {
            format!("file {}", file.display())
        }
        _ => "environment".to_owned(),
    };
    Ok((masked(value.expose_secret()), origin))
}

/// A secret without what is secret: of an address all but the password and what may be one.
fn masked(secret: &str) -> String {
    let Ok(UrlParts { scheme, credentials, hosts, path, query }) = UrlParts::split(secret) else {
        return MASK.to_owned();
    };
    let credentials = credentials.map_or_else(String::new, |credentials| match credentials.split_once(':') {
        Some((user, _)) => format!("{user}:{MASK}@"),
        None => format!("{credentials}@"),
    });
    let parameter = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if !OPEN_PARAMETERS.contains(&name) => format!("{name}={MASK}"),
        Some(_) => parameter.to_owned(),
        None => MASK.to_owned(),
    };
    let query = query.map_or_else(String::new, |query| {
        format!("?{}", query.split('&').map(parameter).collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{credentials}{hosts}{path}{query}")
}

fn table(lines: &[(String, String, String)]) -> String {
    let width = |column: fn(&(String, String, String)) -> &String| {
        lines.iter().map(|line| column(line).chars().count()).max().unwrap_or_default()
    };
    let (names, values) = (width(|line| &line.0), width(|line| &line.1));
    let lines = lines.iter().map(|(name, value, origin)| format!("{name:names$}  {value:values$}  {origin}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_secret_of_an_address_is_shown() {
        let shown = masked("postgres://me:pa55@host:5432/db?sslmode=verify-full&password=s3cret");
        assert_eq!(shown, "postgres://me:***@host:5432/db?sslmode=verify-full&password=***");
        assert_eq!(masked("amqp://host/%2f"), "amqp://host/%2f");
        assert_eq!(masked("amqp://me:pa55@h1:5672,[::1]/%2f"), "amqp://me:***@h1:5672,[::1]/%2f");
        for secret in ["s3cret", "a:b", "mailto:pa55", "data:,pa55"] {
            assert_eq!(masked(secret), "***", "{secret}");
        }
    }
}
