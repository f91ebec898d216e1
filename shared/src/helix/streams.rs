//! `GET /streams`: what is live, by viewers, most first. <https://dev.twitch.tv/docs/api/reference/#get-streams>
//!
//! Costs one point. At most 100 a page. A page may be short, or empty, without being the last: only the absence of a
//! cursor ends the list. Pages overlap and leave gaps, as viewers change while we read. Cursors are opaque. A record is
//! handed on byte for byte; judging it is `schema::validate`'s business.

use serde_json::value::RawValue;

use super::{
    Client, Error,
    budget::Priority,
    reply::{self, List},
};

/// Most streams on a page, and what we ask for.
const PAGE_SIZE: &str = "100";

/// A page of the list.
#[derive(Debug)]
pub struct StreamsPage {
    /// The streams, as Twitch sent them.
    pub records: Vec<Box<RawValue>>,
    /// Where the list goes on; `None` at its end.
    pub cursor: Option<String>,
}

impl Client {
    /// The first page, or the one after a cursor. A cursor that Twitch no longer likes is [`Error::BadRequest`].
    pub async fn streams(&self, after: Option<&str>) -> Result<StreamsPage, Error> {
        self.streams_in(&[], after).await
    }

    /// The same of the streams in some languages, at most 100 (ISO 639-1 or `other`); all where none is named.
    pub async fn streams_in(&self, languages: &[String], after: Option<&str>) -> Result<StreamsPage, Error> {
        let languages = languages.iter().map(|language| ("language", language.as_str()));
        let after = after.map(|at| ("after", at));
        let query: Vec<_> = [("first", PAGE_SIZE)].into_iter().chain(languages).chain(after).collect();
        self.0.get("streams", Priority::Page, &query, decode).await
    }
}

fn decode(body: &[u8]) -> Result<StreamsPage, Error> {
    let list: List = reply::json("streams", body)?;
    let cursor = list.pagination.and_then(|page| page.cursor).filter(|cursor| !cursor.is_empty());
    Ok(StreamsPage { records: list.data, cursor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::validate;

    #[test]
    fn a_recorded_page_is_read() {
        let page = decode(include_bytes!("recorded/streams.json")).unwrap();
        assert_eq!(page.cursor.as_deref(), Some("eyJiIjp7IkN1cnNvciI6ImV5SnpJam94TlRrNE5DNDFOM"));
        let streams: Vec<_> = page.records.iter().map(|raw| validate(raw, 10).unwrap().record).collect();
        assert_eq!(streams.len(), 2);
        assert_eq!((streams[0].user_login.as_str(), streams[0].viewer_count), ("zazolc", 15_984));
        assert_eq!(streams[1].game_id, None);
    }

    #[test]
    fn the_end_of_the_list_is_a_page_without_cursor() {
        for pagination in ["{}", "null", r#"{"cursor":""}"#, r#"{"cursor":null}"#] {
            let page = decode(format!(r#"{{"data":[],"pagination":{pagination}}}"#).as_bytes()).unwrap();
            assert_eq!((page.records.len(), page.cursor), (0, None), "{pagination}");
        }
        assert_eq!(decode(br#"{"data":null}"#).unwrap().cursor, None);
    }

    #[test]
    fn a_record_that_is_no_good_does_not_cost_the_page() {
        let page = decode(r#"{"data":[{"title":"\ud800"},null,{"id": 1e999}]}"#.as_bytes()).unwrap();
        assert_eq!(page.records[2].get(), r#"{"id": 1e999}"#);
    }
}
