//! A failure of the store or the broker in one line: what went wrong, and what to do.

use crate::failure::Failure;

/// A failure with its causes, without those that repeat it.
pub fn describe_failure(failure: &Failure) -> String {
    let mut text = failure.message.clone();
    for cause in &failure.causes {
        if !text.contains(cause.as_str()) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// What to do about a failure whose message does not say.
pub fn advice(failure: &Failure) -> &'static str {
    match failure.code {
        // Only if nobody answered: otherwise PostgreSQL's own message says what is wrong.
        "store.unreachable" => " (is PostgreSQL running, and is DATABASE_URL right?)",
        "store.login_refused" => {
            " (are user, password and database in DATABASE_URL right, and may that user log in?)"
        }
        "broker.unreachable" => " (is RabbitMQ running, and is AMQP_URL right?)",
        "broker.login_refused" => {
            " (are user, password and virtual host in AMQP_URL right, and may that user use the virtual host?)"
        }
        "pull.ended" => ": `operator pulls` lists those under way",
        "store.not_there" => ": `operator pulls` lists the pulls",
        _ => "",
    }
}
