//! What a person reads for the state of a dead letter.

/// The word for a state as the database names it, which is also what commands and addresses take.
pub fn dead_letter_state(state: &str) -> &str {
    match state {
        "cured" => "resolved",
        state => state,
    }
}
