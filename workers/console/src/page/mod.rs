//! The pages: each asks the store, and says what it found as a document and as data.

mod attention;
mod chunk;
mod chunk_map;
mod context;
mod data;
mod dead_letter;
mod dead_letter_group;
mod dead_letters;
mod events;
mod flow;
mod operation;
mod operations;
mod order;
mod pull;
mod pulls;
mod throughput;
mod trace;
mod trace_sections;
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
            workers::find(context).await
        }
        Route::Events => {
            let asked = events::Asked::parse(&mut filters)?;
            filters.finish()?;
            events::find(context, asked).await
        }
        Route::Trace => {
            let asked = trace::Asked::parse(&mut filters)?;
            filters.finish()?;
            trace::find(context, asked).await
        }
        Route::Operations => {
            let asked = operations::Asked::parse(&mut filters)?;
            filters.finish()?;
            operations::find(context, asked).await
        }
        Route::Operation(id) => {
            filters.finish()?;
            operation::find(context, id).await
        }
        Route::Order(kind) => {
            let action = crate::order::parse(kind, &mut filters, false)?;
            filters.finish()?;
            order::find(context, kind, action).await
        }
        // Leads elsewhere, and is answered before.
        Route::Search => Err(Error::NotFound("There is nothing to show here.".into())),
    }
}
