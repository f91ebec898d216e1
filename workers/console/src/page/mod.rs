//! The pages: each asks the store, and says what it found as a document and as data.

mod chunk;
mod context;
mod data;
mod dead_letter;
mod dead_letter_group;
mod dead_letters;
mod flow;
mod pull;
mod pulls;
mod workers;

pub(crate) use context::{Context, Found};
use shared::schema::PullId;

use crate::{
    error::Error,
    route::{Request, Route},
};

/// Finds what the request asks for.
pub(crate) async fn find(context: &Context<'_>, request: Request) -> Result<Found, Error> {
    let Request { route, mut filters, .. } = request;
    match route {
        Route::Flow => {
            filters.finish()?;
            flow::find(context).await
        }
        Route::Pulls => {
            let asked = pulls::Asked::parse(&mut filters)?;
            filters.finish()?;
            pulls::find(context, asked).await
        }
        Route::Pull(pull) => {
            let asked = pull::Asked::parse(&mut filters)?;
            filters.finish()?;
            pull::find(context, PullId(pull), asked).await
        }
        Route::Chunk(pull, chunk) => {
            filters.finish()?;
            chunk::find(context, PullId(pull), chunk).await
        }
        Route::DeadLetters => {
            let asked = dead_letters::Asked::parse(&mut filters)?;
            filters.finish()?;
            dead_letters::find(context, asked).await
        }
        Route::DeadLetterGroup(fingerprint) => {
            let asked = dead_letter_group::Asked::parse(&mut filters)?;
            filters.finish()?;
            dead_letter_group::find(context, fingerprint, asked).await
        }
        Route::DeadLetter(id) => {
            filters.finish()?;
            dead_letter::find(context, id).await
        }
        Route::Data => {
            let asked = data::Asked::parse(&mut filters)?;
            filters.finish()?;
            data::find(context, asked).await
        }
        Route::Workers => {
            filters.finish()?;
            Ok(workers::find(context))
        }
        // Leads elsewhere, and is answered before.
        Route::Search => Err(Error::NotFound("There is nothing to show here.".into())),
    }
}
