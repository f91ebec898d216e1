//! Suggested commands, written so that the reader can type them.
//!
//! Our texts name a command in backticks. A person may start the operator through `deploy/quickstart` or compose, which then
//! set `OPERATOR_COMMAND`. Only the database's owner may migrate it, so that command has a variable of its own,
//! `OPERATOR_MIGRATE_COMMAND`.

use std::sync::LazyLock;

/// The name that our texts use.
const NAME: &str = "operator";

static TYPED: LazyLock<Typed> = LazyLock::new(|| {
    let operator = variable("OPERATOR_COMMAND").unwrap_or_else(|| NAME.to_owned());
    let migrate = variable("OPERATOR_MIGRATE_COMMAND").unwrap_or_else(|| format!("{operator} migrate"));
    Typed { operator, migrate }
});

/// What a person types to start the operator.
struct Typed {
    operator: String,
    migrate: String,
}

impl Typed {
    fn command(&self, words: &str) -> String {
        match words.strip_prefix("migrate") {
            Some(rest) if !rest.starts_with(char::is_alphanumeric) => format!("{}{rest}", self.migrate),
            _ => format!("{} {words}", self.operator),
        }
    }

    /// The text with its commands rewritten. A command begins after a backtick, or on a line of examples.
    fn text(&self, text: &str) -> String {
        let mut typed = String::new();
        for (n, part) in text.split(NAME).enumerate() {
            let begins = typed.ends_with('`') || typed.ends_with("\n  ") || typed.ends_with("&& ");
            match part.strip_prefix(' ') {
                Some(words) if n > 0 && begins => typed.push_str(&self.command(words)),
                _ if n > 0 => typed.extend([NAME, part]),
                _ => typed.push_str(part),
            }
        }
        typed
    }
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "set by what starts the operator, not by a person")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How the operator is started.
pub fn operator() -> &'static str {
    &TYPED.operator
}

/// The command with these arguments, to be shown by itself.
pub fn command(words: &str) -> String {
    TYPED.command(words)
}

/// The text, with its commands as a person types them.
pub fn typed(text: &str) -> String {
    TYPED.text(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_as_they_are_typed() {
        let typed = Typed {
            operator: "docker compose run --rm operator".to_owned(),
            migrate: "docker compose run --rm migrate".to_owned(),
        };
        for (ours, theirs) in [
            ("no pull: `operator pull` asks", "no pull: `docker compose run --rm operator pull` asks"),
            ("run `operator migrate`", "run `docker compose run --rm migrate`"),
            ("operator: run `operator wait 7`", "operator: run `docker compose run --rm operator wait 7`"),
            ("an operator, or the role twitch_operator", "an operator, or the role twitch_operator"),
            (
                "Examples:\n  operator migrate && operator pull --wait\n  operator pulls | jq",
                "Examples:\n  docker compose run --rm migrate && docker compose run --rm operator pull --wait\n  \
                 docker compose run --rm operator pulls | jq",
            ),
        ] {
            assert_eq!(typed.text(ours), theirs);
        }
    }

    #[test]
    fn without_a_way_of_its_own_a_command_stays_as_it_is() {
        let text = "`operator migrate`, then `operator pull --wait`, as operator or as `operator`";
        assert_eq!(typed(text), text);
        assert_eq!(command("wait 7"), "operator wait 7");
    }
}
