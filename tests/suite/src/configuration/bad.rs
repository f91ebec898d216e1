//! Every kind of setting that cannot be used.

use std::fs;

use tempfile::TempDir;

/// Stands in every secret: nobody may show it.
pub(super) const CANARY: &str = "canary-7f3a";

/// A program, what is set beside what can be used, and what its one line must say: which setting, what is wrong, and what
/// to do.
pub(super) struct Bad {
    pub(super) program: &'static str,
    pub(super) settings: Vec<(&'static str, String)>,
    pub(super) says: &'static [&'static str],
}

/// Every kind of setting that cannot be used; `folder` holds files that cannot be used either.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn bad(folder: &TempDir) -> Vec<Bad> {
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("a file");
        path.display().to_string()
    };
    let none = folder.path().join("none").display().to_string();
    let database = |rest: &str| ("DATABASE_URL", format!("postgres://me:{CANARY}@127.0.0.1:1/db?{rest}"));
    let amqp =
        |scheme: &str, rest: &str| ("AMQP_URL", format!("{scheme}://me:{CANARY}@127.0.0.1:1/%2f?{rest}"));
    let set = |name, value: &str| (name, value.to_owned());
    let bad = |program, settings: Vec<(&'static str, String)>, says| Bad { program, settings, says };
    vec![
        bad("exporter", vec![set("LAKE_URL", "")], &["LAKE_URL", "it is not set", "s3://bucket/prefix"]),
        bad(
            "exporter",
            vec![set("LAKE_URL", &none)],
            &["LAKE_URL", "none is no folder that can be used", "No such file"],
        ),
        bad("exporter", vec![set("LAKE_URL", "lake")], &["LAKE_URL", "the whole path of a folder"]),
        bad(
            "exporter",
            vec![set("LAKE_URL", "s3://lake"), set("LAKE_ACCESS_KEY_ID", "half")],
            &["LAKE_SECRET_ACCESS_KEY is not set", "LAKE_SECRET_ACCESS_KEY_FILE"],
        ),
        bad("extractor", vec![set("DATABASE_URL", "")], &["DATABASE_URL is not set", "DATABASE_URL_FILE"]),
        bad(
            "finalizer",
            vec![set("AMQP_URL_FILE", &file("url", b"amqp://x"))],
            &["both AMQP_URL and AMQP_URL_FILE", "keep one"],
        ),
        bad(
            "extractor",
            vec![set("TWITCH_CLIENT_SECRET", ""), set("TWITCH_CLIENT_SECRET_FILE", &none)],
            &["TWITCH_CLIENT_SECRET_FILE names", "none", "No such file"],
        ),
        bad(
            "extractor",
            vec![set("TWITCH_CLIENT_ID", ""), set("TWITCH_CLIENT_ID_FILE", &file("empty", b" \n"))],
            &["TWITCH_CLIENT_ID cannot be used", "empty"],
        ),
        bad(
            "channel-enricher",
            vec![set("TWITCH_CLIENT_SECRET", ""), set("TWITCH_CLIENT_SECRET_FILE", &file("two", b"a\nb"))],
            &["TWITCH_CLIENT_SECRET cannot be used", "line break", "give one word"],
        ),
        bad(
            "game-enricher",
            vec![
                set("TWITCH_CLIENT_SECRET", ""),
                set("TWITCH_CLIENT_SECRET_FILE", &file("latin", b"se\xe9cret")),
            ],
            &["TWITCH_CLIENT_SECRET_FILE names", "UTF-8"],
        ),
        bad("extractor", vec![set("TWITCH_CLIENT_ID", "\u{1}x")], &["TWITCH_CLIENT_ID", "character"]),
        bad(
            "operator",
            vec![set("DATABASE_URL", "mysql://me@h/db")],
            &["DATABASE_URL cannot be used", "\"mysql\"", "postgres"],
        ),
        bad("finalizer", vec![set("DATABASE_URL", "localhost")], &["DATABASE_URL", "not a URL"]),
        bad(
            "finalizer",
            vec![database("sslmode=prefer")],
            &["DATABASE_URL", "\"prefer\"", "write verify-full"],
        ),
        bad(
            "finalizer",
            vec![database("sslrootcert=/ca.pem")],
            &["DATABASE_URL", "sslrootcert without sslmode", "add sslmode=verify-full"],
        ),
        bad(
            "operator",
            vec![database(&format!("sslmode=verify-full&sslrootcert={none}"))],
            &["DATABASE_URL", "sslrootcert", "none cannot be read"],
        ),
        bad("extractor", vec![database("sslcompression=1")], &["DATABASE_URL", "sslcompression"]),
        bad(
            "finalizer",
            vec![set("DATABASE_URL", &format!("postgres://me:{CANARY}#1@h/db"))],
            &["DATABASE_URL", "# as %23"],
        ),
        bad(
            "extractor",
            vec![set("AMQP_URL", &format!("amqp://me:{CANARY}/1@h:5672/%2f"))],
            &["AMQP_URL", "/ as %2F"],
        ),
        bad(
            "operator",
            vec![set("DATABASE_URL", &format!("postgres://me:{CANARY}?1@h:5432/db"))],
            &["DATABASE_URL", "? as %3F"],
        ),
        bad(
            "extractor",
            vec![set("TWITCH_CLIENT_ID", &format!("\"{CANARY}\""))],
            &["TWITCH_CLIENT_ID", "quotes", "remove them"],
        ),
        bad(
            "finalizer",
            vec![set("AMQP_URL", &format!("'amqp://me:{CANARY}@h/%2f'"))],
            &["AMQP_URL", "quotes", "remove them"],
        ),
        bad("extractor", vec![database("options=-e")], &["DATABASE_URL", "options", "-c name=value"]),
        bad(
            "finalizer",
            vec![database("options=-cTimeZone%3DCET")],
            &["DATABASE_URL", "timezone", "leave it out"],
        ),
        bad(
            "operator",
            vec![database("target_session_attrs=standby")],
            &["DATABASE_URL", "\"standby\"", "read-write"],
        ),
        bad("finalizer", vec![amqp("amqps", "certfile=/a.pem")], &["AMQP_URL", "certfile", "leave it out"]),
        bad(
            "operator",
            vec![set("AMQP_URL", "amqp://me@2001:db8::1:5672/%2f")],
            &["AMQP_URL", "IPv6", "[ ]"],
        ),
        bad("operator", vec![set("AMQP_URL", "http://me@h/")], &["AMQP_URL", "\"http\"", "amqps"]),
        bad(
            "extractor",
            vec![amqp("amqps", &format!("cacertfile={}", file("no.pem", b"hello")))],
            &["AMQP_URL", "cacertfile", "holds no certificate", "PEM"],
        ),
        bad("extractor", vec![amqp("amqp", "cacertfile=/ca.pem")], &["AMQP_URL", "write amqps"]),
        bad(
            "operator",
            vec![amqp("amqps", "verify=verify_none")],
            &["AMQP_URL", "verify_none", "cacertfile"],
        ),
        bad(
            "extractor",
            vec![amqp("amqp", "heartbeat=often")],
            &["AMQP_URL", "not an AMQP URL", "invalid digit"],
        ),
        bad(
            "channel-enricher",
            vec![set("TWITCH_CA_BUNDLE", &none)],
            &["TWITCH_CA_BUNDLE cannot be used", "none cannot be read"],
        ),
        bad(
            "extractor",
            vec![set("TWITCH_API_URL", "ftp://twitch/")],
            &["TWITCH_API_URL", "\"ftp://twitch/\"", "environment", "http or https"],
        ),
        bad(
            "extractor",
            vec![("TWITCH_TOKEN_URL", format!("http://me:{CANARY}@h/"))],
            &["TWITCH_TOKEN_URL", "a user or a password has no place"],
        ),
        bad(
            "extractor",
            vec![set("PULL_INTERVAL", "often")],
            &["PULL_INTERVAL cannot be \"often\"", "--help"],
        ),
        bad("extractor", vec![set("PULL_INTERVAL", "1500ms")], &["PULL_INTERVAL", "whole seconds"]),
        bad("extractor", vec![set("PULL_CRON", "61 * * * *")], &["PULL_CRON cannot be \"61 * * * *\""]),
        bad(
            "extractor",
            vec![set("MIN_VIEWERS", "-1")],
            &["MIN_VIEWERS cannot be \"-1\"", "-1 is not in 0.."],
        ),
        bad("extractor", vec![set("MAX_PAGES", "all")], &["MAX_PAGES cannot be \"all\"", "invalid digit"]),
        bad(
            "extractor",
            vec![set("STOP_BELOW_MIN_VIEWERS", "maybe")],
            &["STOP_BELOW_MIN_VIEWERS", "write true or false"],
        ),
        bad(
            "channel-enricher",
            vec![set("CHANNEL_MAX_AGE", "1 fortnight")],
            &["CHANNEL_MAX_AGE", "fortnight"],
        ),
        bad("game-enricher", vec![set("COLLECT_FOR", "1")], &["COLLECT_FOR", "unit"]),
        bad("finalizer", vec![set("ALARM_GROWTH", "0")], &["ALARM_GROWTH", "0 is not in 1.."]),
        bad(
            "finalizer",
            vec![set("DATABASE_CONNECTIONS", "1")],
            &["DATABASE_CONNECTIONS", "1 is not in 2..=100"],
        ),
        bad("operator", vec![set("RETRY_DELAYS", "5s,1s")], &["RETRY_DELAYS cannot be \"5s,1s\""]),
        bad("finalizer", vec![set("HTTP_LISTEN", "8080")], &["HTTP_LISTEN cannot be \"8080\"", "address"]),
        bad("finalizer", vec![set("SHUTDOWN_DEADLINE", "soon")], &["SHUTDOWN_DEADLINE cannot be \"soon\""]),
        bad("finalizer", vec![set("LOG_FORMAT", "xml")], &["LOG_FORMAT", "write json or pretty"]),
        bad(
            "operator",
            vec![set("RUST_LOG", "shared=loud")],
            &["RUST_LOG", "expected one of", "target=level"],
        ),
        bad(
            "finalizer",
            vec![set("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")],
            &["OTEL_EXPORTER_OTLP_ENDPOINT", "http or https"],
        ),
    ]
}
