//! `operator pulls`.

use clap::Args;

use crate::{context::Context, error::Error, exit::Exit, view};

/// What a program reads.
const JSON: &str = r#"JSON: one document a line, each as "pull" of `operator show`"#;

/// List the newest pulls
///
/// Two lines a pull, as the headings say; beneath the table, why those that failed did.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Pulls {
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

impl Pulls {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pulls = store.pulls(self.limit).await?;
        let now = context.clock.now();
        context.output.list(&pulls, |pulls| view::pulls(pulls, now));
        Ok(Exit::Success)
    }
}

#[cfg(test)]
mod tests {
    use crate::{output::json, view::sample};

    #[test]
    fn the_json_is_what_programs_rely_on() {
        let pulls = [sample::under_way(), sample::successful(), sample::failed()];
        let lines: Vec<_> = pulls.iter().map(json).collect();
        assert_eq!(lines.join("\n"), include_str!("../golden/pulls.ndjson").trim_end());
    }
}
