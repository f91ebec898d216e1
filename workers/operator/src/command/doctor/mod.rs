//! `operator doctor`: why nothing happens, why a pull is not done, and whether everything is there before the first start.

mod examine;
mod forgetful;
mod preflight;

use clap::Args;
use shared::config::{Management, Twitch};

use crate::{context::Context, error::Error, exit::Exit, json, pull_ref::PullRef, view};

/// What a program reads.
const JSON: &str = r#"JSON: {"well", "causes": [{"code", "cause", "next"}, …], "progress", "bindings_unseen"};
with --preflight {"well", "checks": [{"name", "well", "finding", "next"}, …]}"#;

/// Explain why nothing happens, or why a pull is not done
///
/// The likeliest cause comes first, in words, with what to do next. Looks, and changes nothing. Exits 0 if nothing is wrong, 1
/// if something is. With --preflight it checks what the first start needs: settings, rights, topology, encoding, sessions,
/// pooler, clock, disk, and Twitch's credentials if they are set here; in less than five seconds.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Doctor {
    /// The pull, by number or `latest`; without it, everything
    #[arg(value_name = "PULL", conflicts_with = "preflight")]
    pull: Option<PullRef>,
    /// Check what the first start needs
    #[arg(long)]
    preflight: bool,
    #[command(flatten)]
    management: Management,
    #[command(flatten)]
    twitch: Twitch,
}

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        if self.preflight {
            // It asks a dozen things, which is too much for the stack of whoever may not ask.
            let preflight = Box::pin(preflight::check(context, &self.management, &self.twitch)).await;
            let exit = if preflight.well() { Exit::Success } else { Exit::Failed };
            context.output.result(preflight, json::Preflight::from, view::preflight);
            return Ok(exit);
        }
        let examined = examine::examine(context, &self.management, self.pull).await?;
        let diagnosis = view::Diagnosis::new(&examined, context.clock.now());
        let exit = if diagnosis.causes.is_empty() { Exit::Success } else { Exit::Failed };
        context.output.result(diagnosis, json::Diagnosis::from, view::diagnosis);
        Ok(exit)
    }
}
