//! `operator retention set`.

use clap::{Args, builder::PossibleValuesParser};
use shared::store::{RETENTION_CLASSES, RetentionClass, Ttl};

use super::super::confirmation::Confirmation;
use crate::{context::Context, error::Error, exit::Exit, json};

/// What a program reads.
const JSON: &str = r#"JSON: {"class", "ttl_hours" (null: never removed)}"#;

/// Set how long a class of data is kept, for every program
///
/// The next daily run goes by it; `operator retention apply --dry-run` shows what that run would remove.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Set {
    /// The class
    #[arg(value_parser = PossibleValuesParser::new(RETENTION_CLASSES.iter().map(|class| class.name)))]
    class: String,
    /// How long, in whole hours or days, such as 30d; `never` or 0 keeps it for ever
    #[arg(value_name = "TTL")]
    ttl: Ttl,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Set {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let unknown = || Error::Usage(format!("there is no class {}", self.class));
        let class = RetentionClass::find(&self.class).ok_or_else(unknown)?;
        let store = context.ready_store().await?;
        if self.ttl != Ttl::NEVER {
            let question =
                format!("{}: {}. Remove what is older than {}?", class.name, class.about, self.ttl);
            self.confirmation.ask(&question)?;
        }
        store.set_retention(class, self.ttl, &self.confirmation.by, context.clock.now()).await?;
        let set = json::RetentionSet::new(class.name, self.ttl);
        context.output.result(
            set,
            |set| set,
            |_| match self.ttl {
                Ttl::NEVER => format!("{} are never removed.", class.name),
                ttl => format!("{} are kept for {ttl}.", class.name),
            },
        );
        Ok(Exit::Success)
    }
}
