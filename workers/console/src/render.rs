//! A document as HTML.

use askama::Template;
use chrono::{DateTime, Utc};
use shared::version::VERSION;

use crate::{
    asset,
    document::{Block, Document, Form, Input, Section},
    picture::Picture,
    sampler::Sample,
};

/// What an answer with a page is.
pub(crate) const HTML: &str = "text/html; charset=utf-8";

/// The pages one can go to at any time: address, name, and the key after `g`.
const PAGES: [(&str, &str, char); 8] = [
    ("/", "Flow", 'f'),
    ("/pulls", "Pulls", 'p'),
    ("/dead-letters", "Dead letters", 'd'),
    ("/operations", "Operations", 'o'),
    ("/events", "Events", 'e'),
    ("/trace", "Trace", 'r'),
    ("/data", "Data", 't'),
    ("/workers", "Workers", 'w'),
];

/// A page in the navigation.
struct Way {
    href: &'static str,
    name: &'static str,
    key: char,
    here: bool,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    title: &'a str,
    address: &'a str,
    json: &'a str,
    pages: Vec<Way>,
    well: bool,
    verdict: &'a str,
    notice: &'a str,
    at: String,
    moment: String,
    sections: &'a str,
    live: bool,
    acts: bool,
    user: Option<&'a str>,
    build: &'static str,
    css: &'static str,
    js: &'static str,
}

#[derive(Template)]
#[template(path = "sections.html")]
struct Sections<'a> {
    sections: &'a [Section],
}

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    form: &'a Form,
    notice: &'a str,
    css: &'static str,
}

/// The page where a person logs in; it shows nothing else.
pub(crate) fn login(form: &Form, notice: &str) -> Result<String, askama::Error> {
    Login { form, notice, css: &asset::PATHS.css }.render()
}

/// What surrounds the sections of a page.
pub(crate) struct Frame<'a> {
    /// Its title.
    pub(crate) title: &'a str,
    /// Its own address.
    pub(crate) address: &'a str,
    /// The same as JSON; empty where there is none.
    pub(crate) json: &'a str,
    /// What is to be said before all else.
    pub(crate) notice: &'a str,
    /// When what it shows was read.
    pub(crate) at: DateTime<Utc>,
    /// Whether it gets news while it is open.
    pub(crate) live: bool,
    /// Whether people may act.
    pub(crate) acts: bool,
    /// Who reads it, where that is known.
    pub(crate) user: Option<&'a str>,
}

/// The sections of a document.
pub(crate) fn sections(document: &Document) -> Result<String, askama::Error> {
    Sections { sections: &document.sections }.render()
}

/// A whole page around sections that are HTML already.
pub(crate) fn page(frame: &Frame<'_>, sample: &Sample, sections: &str) -> Result<String, askama::Error> {
    let here = frame.address.split(['/', '?']).nth(1).unwrap_or_default();
    let pages = PAGES.into_iter().map(|(href, name, key)| Way { href, name, key, here: href[1..] == *here });
    let page = Page {
        title: frame.title,
        address: frame.address,
        json: frame.json,
        pages: pages.collect(),
        well: sample.health.well,
        verdict: &sample.health.verdict,
        notice: frame.notice,
        at: frame.at.format("%H:%M:%S").to_string(),
        moment: frame.at.to_rfc3339(),
        sections,
        live: frame.live,
        acts: frame.acts,
        user: frame.user,
        build: VERSION,
        css: &asset::PATHS.css,
        js: &asset::PATHS.js,
    };
    page.render()
}
