//! The parameters of a request: a list is the same name several times.

use super::reply::Reply;

/// Names and values in the order they were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// The most items a page or a batch has.
pub(crate) const MOST: usize = 100;

impl Query {
    /// Reads the part of an address behind `?`, or a form.
    pub(crate) fn read(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(asked, _)| asked == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn one<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// The page size: 1 to 100, 20 unless asked for.
    pub(crate) fn first(&self) -> Result<usize, Reply> {
        let malformed = |why: &str| {
            Reply::error(400, &format!("The parameter \"first\" was malformed: the value must be {why}"))
        };
        match self.one("first").map(str::parse::<i64>) {
            None => Ok(20),
            Some(Err(_)) => Err(malformed("a number")),
            Some(Ok(..1)) => Err(malformed("greater than or equal to 1")),
            Some(Ok(first)) => match usize::try_from(first) {
                Ok(first @ ..=MOST) => Ok(first),
                _ => Err(malformed("less than or equal to 100")),
            },
        }
    }

    /// Refuses when these lists together hold nothing or more than a batch.
    pub(crate) fn batch(&self, names: &[&str]) -> Result<(), Reply> {
        match names.iter().map(|name| self.all(name).count()).sum::<usize>() {
            0 => Err(Reply::error(400, "Must provide an ID, Login or OAuth Token.")),
            1..=MOST => Ok(()),
            _ => {
                Err(Reply::error(400, "The ID and Login query parameters together exceed the maximum of 100"))
            }
        }
    }
}

/// Whether this is what Twitch takes for an id.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}
