//! Addresses: which page is meant, with which filters, as HTML or as JSON. What is not known is refused in words.

use std::{fmt::Display, str::FromStr};

use url::form_urlencoded;

use crate::error::Error;

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Flow,
    Pulls,
    Pull(i64),
    Chunk(i64, i32),
    DeadLetters,
    DeadLetterGroup(String),
    DeadLetter(i64),
    Data,
    Workers,
    Events,
    Trace,
    Operations,
    Operation(i64),
    /// What a person is about to order.
    Order(&'static str),
    Search,
}

/// What can be ordered, as addresses name it.
pub(crate) const ORDERS: [&str; 10] =
    ["replay", "discard", "restore", "hold", "release", "rerun", "pause", "resume", "run-once", "cancel"];

/// A page, what it is asked for, and how it is shown.
#[derive(Debug)]
pub(crate) struct Request {
    /// The page.
    pub(crate) route: Route,
    /// Its filters.
    pub(crate) filters: Filters,
    /// Whether as JSON.
    pub(crate) json: bool,
    /// The address of the page as HTML.
    pub(crate) address: String,
}

impl Request {
    /// The page at this path with this query.
    pub(crate) fn parse(path: &str, query: Option<&str>) -> Result<Self, Error> {
        let (plain, json) = match path.strip_suffix(".json") {
            Some(plain) => (plain, true),
            None => (path, false),
        };
        let unknown = || Error::NotFound(format!("There is no page {path}."));
        let segments: Vec<&str> = plain.trim_start_matches('/').split('/').collect();
        let route = match segments.as_slice() {
            [""] if !json => Route::Flow,
            ["flow"] if json => Route::Flow,
            ["pulls"] => Route::Pulls,
            ["pulls", pull] => Route::Pull(number("pull", pull)?),
            ["pulls", pull, "chunks", chunk] => Route::Chunk(number("pull", pull)?, number("chunk", chunk)?),
            ["dead-letters"] => Route::DeadLetters,
            ["dead-letters", "groups", group] => Route::DeadLetterGroup(fingerprint(group)?),
            ["dead-letters", dead_letter] => Route::DeadLetter(number("dead letter", dead_letter)?),
            ["data"] => Route::Data,
            ["workers"] => Route::Workers,
            ["events"] => Route::Events,
            ["trace"] => Route::Trace,
            ["operations"] => Route::Operations,
            ["operations", operation] => Route::Operation(number("operation", operation)?),
            ["order", kind] => {
                Route::Order(ORDERS.into_iter().find(|order| order == kind).ok_or_else(unknown)?)
            }
            ["search"] if !json => Route::Search,
            _ => return Err(unknown()),
        };
        let html = if route == Route::Flow { "/" } else { plain };
        let address = match query.filter(|query| !query.is_empty()) {
            Some(query) => format!("{html}?{query}"),
            None => html.to_owned(),
        };
        Ok(Self { route, filters: Filters::parse(query.unwrap_or_default()), json, address })
    }

    /// The same page as JSON.
    pub(crate) fn json_address(&self) -> String {
        let (path, query) = self.address.split_once('?').unwrap_or((&self.address, ""));
        let path = if path == "/" { "/flow" } else { path };
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        format!("{path}.json{query}")
    }
}

impl Route {
    /// Whether an open page of it gets news. What a person is filling in must not change under their hands.
    pub(crate) const fn is_live(&self) -> bool {
        !matches!(self, Self::Order(_) | Self::Trace | Self::Search)
    }
}

fn number<N: FromStr + PartialOrd + Default>(what: &str, text: &str) -> Result<N, Error> {
    let number = text.parse().ok().filter(|number| *number > N::default());
    number.ok_or_else(|| Error::BadRequest(format!("{text:?} is no number of a {what}.")))
}

fn fingerprint(text: &str) -> Result<String, Error> {
    if (4..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_owned());
    }
    Err(Error::BadRequest(format!("{text:?} is no fingerprint of a group: those are hexadecimal.")))
}

/// The filters of a page, taken one by one; what is left over is unknown.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl Filters {
    /// The filters of a query, or the fields of a form.
    pub(crate) fn parse(query: &str) -> Self {
        // An empty field of a form is one that was not filled in.
        let given =
            form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(_, value)| !value.is_empty());
        Self { given: given.collect(), known: Vec::new() }
    }

    /// The value of the filter, if it is given.
    pub(crate) fn take<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Result<Option<T>, Error> {
        self.known.push(name);
        let Some(place) = self.given.iter().position(|(given, _)| given == name) else { return Ok(None) };
        let (_, value) = self.given.remove(place);
        match value.parse() {
            Ok(value) => Ok(Some(value)),
            Err(why) => Err(Error::BadRequest(format!("The filter {name} cannot be {value:?}: {why}."))),
        }
    }

    /// The value of the filter, if it is given; one of these.
    pub(crate) fn take_one_of(
        &mut self,
        name: &'static str,
        values: &[&'static str],
    ) -> Result<Option<&'static str>, Error> {
        let Some(given) = self.take::<String>(name)? else { return Ok(None) };
        match values.iter().find(|value| **value == given) {
            Some(value) => Ok(Some(value)),
            None => Err(Error::BadRequest(format!(
                "The filter {name} cannot be {given:?}: it is one of {}.",
                values.join(", ")
            ))),
        }
    }

    /// Refuses what was not taken.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let Some((name, _)) = self.given.first() else { return Ok(()) };
        if self.known.contains(&name.as_str()) {
            return Err(Error::BadRequest(format!("The filter {name} is given twice.")));
        }
        let known = if self.known.is_empty() {
            "this page has none".to_owned()
        } else {
            format!("this page has {}", self.known.join(", "))
        };
        Err(Error::BadRequest(format!("There is no filter {name:?} here: {known}.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Result<(Route, bool), u16> {
        let parsed = Request::parse(path, None).map(|request| (request.route, request.json));
        parsed.map_err(|error| error.status().as_u16())
    }

    #[test]
    fn every_page_has_its_address() {
        assert_eq!(route("/"), Ok((Route::Flow, false)));
        assert_eq!(route("/flow.json"), Ok((Route::Flow, true)));
        assert_eq!(route("/operations/7"), Ok((Route::Operation(7), false)));
        assert_eq!(route("/order/replay.json"), Ok((Route::Order("replay"), true)));
        assert_eq!(route("/pulls/7/chunks/2.json"), Ok((Route::Chunk(7, 2), true)));
        assert_eq!(
            route("/dead-letters/groups/3fa9c0de"),
            Ok((Route::DeadLetterGroup("3fa9c0de".into()), false))
        );
        assert_eq!(
            route("/dead-letters/9007199254740993"),
            Ok((Route::DeadLetter(9_007_199_254_740_993), false))
        );
        for (path, status) in [
            ("/nothing", 404),
            ("/pulls/7/chunks", 404),
            ("/pulls/seven", 400),
            ("/pulls/-1", 400),
            ("/pulls/99999999999999999999", 400),
            ("/pulls/7/chunks/4294967296", 400),
            ("/dead-letters/groups/<script>", 400),
            ("/operations/0", 400),
            ("/order/everything", 404),
        ] {
            assert_eq!(route(path), Err(status), "{path}");
        }
    }

    #[test]
    fn a_page_knows_both_its_addresses() {
        let request = Request::parse("/pulls.json", Some("status=failed")).unwrap();
        assert_eq!(request.address, "/pulls?status=failed");
        assert_eq!(request.json_address(), "/pulls.json?status=failed");
        assert_eq!(Request::parse("/", None).unwrap().json_address(), "/flow.json");
    }

    #[test]
    fn unknown_filters_are_refused_in_words() {
        let mut filters = Filters::parse("status=failed&before=&colour=red");
        assert_eq!(filters.take_one_of("status", &["success", "failed"]).unwrap(), Some("failed"));
        assert_eq!(filters.take::<i64>("before").unwrap(), None);
        let error = filters.finish().unwrap_err();
        assert_eq!(error.words(), "There is no filter \"colour\" here: this page has status, before.");
        let error = Filters::parse("before=x").take::<i64>("before").unwrap_err();
        assert_eq!(error.words(), "The filter before cannot be \"x\": invalid digit found in string.");
    }
}
