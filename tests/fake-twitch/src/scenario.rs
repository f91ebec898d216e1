//! Scenarios: faults by name, for command lines and tables of tests.

use std::fmt;
use std::str::FromStr;

use crate::api::Endpoint;
use crate::fault::{Defect, Effect, Fault, When};
use crate::world::World;

/// A named set of faults.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Lower-case words joined by `-`.
    pub name: &'static str,
    /// What one sees.
    pub about: &'static str,
    lay: fn(&World),
}

impl World {
    /// Lays a named scenario over the world, on top of those already there.
    pub fn play(&self, scenario: &Scenario) {
        (scenario.lay)(self);
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// No scenario has this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownScenario(pub String);

impl fmt::Display for UnknownScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no scenario `{}`; --list-scenarios names them", self.0)
    }
}

impl std::error::Error for UnknownScenario {}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, UnknownScenario> {
        let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
        found.copied().ok_or_else(|| UnknownScenario(name.to_owned()))
    }
}

const fn scenario(name: &'static str, about: &'static str, lay: fn(&World)) -> Scenario {
    Scenario { name, about, lay }
}

fn lay(world: &World, effect: Effect, when: When) {
    world.faults.push(Fault::new(effect).when(when));
}

fn status(code: u16, message: &str) -> Effect {
    Effect::Status { code, message: message.to_owned() }
}

fn bad_user(world: &World, code: u16) {
    // The smallest of the first hundred: early enough to be in every sweep, and an ordinary channel.
    let victim = world.streams().iter().take(100).rfind(|stream| !stream.is_test_record());
    if let Some(stream) = victim {
        let effect = Effect::BadId { id: stream.user_id.clone(), code };
        world.faults.push(Fault::new(effect).on(Endpoint::Users));
    }
}

/// Every scenario there is.
pub const SCENARIOS: &[Scenario] = &[
    scenario("wrapping-last-cursor", "the last page's cursor leads back to page 1, for ever", |w| {
        lay(w, Effect::WrapLastCursor, When::Always);
    }),
    scenario("wrapping-cursor", "the cursor of the 4th page leads back to page 1, once", |w| {
        lay(w, Effect::WrapCursor, When::Call(4));
    }),
    scenario("repeated-cursor", "the 3rd page's cursor leads to the 3rd page, once", |w| {
        lay(w, Effect::RepeatCursor, When::Call(3));
    }),
    scenario("stuck-cursor", "every cursor leads to the page it is on", |w| {
        lay(w, Effect::RepeatCursor, When::Always);
    }),
    scenario("invalid-cursor-once", "the 2nd good cursor is refused with 400, once", |w| {
        lay(w, Effect::InvalidCursor, When::Call(2));
    }),
    scenario("half-length-cursor", "the 3rd page's cursor is half as long; it leads to an empty page", |w| {
        lay(w, Effect::HalfCursor, When::Call(3));
    }),
    scenario("incomplete-pages", "every 2nd page lacks 1 to 5 items, which come on the next", |w| {
        lay(w, Effect::ShortPage, When::Every(2));
    }),
    scenario("lossy-pages", "every 5th page lacks 1 to 5 items, which do not come again", |w| {
        lay(w, Effect::LossyPage, When::Every(5));
    }),
    scenario("repeated-streams", "25 % of the streams come again on the next page", |w| {
        lay(w, Effect::RepeatStreams { share: 0.25 }, When::Always);
    }),
    scenario("vanishing-streams", "5 % of the streams go offline just before they are listed", |w| {
        lay(w, Effect::Vanish { share: 0.05 }, When::Always);
    }),
    scenario("jumping-viewers", "5 % of a page falls to the next one, as many rise and are missed", |w| {
        lay(w, Effect::Jump { share: 0.05 }, When::Always);
    }),
    scenario("unauthorized-once", "the token dies on the 3rd call", |w| {
        lay(w, Effect::ExpireTokens, When::Call(3));
    }),
    scenario("unauthorized", "every token is refused with 401, fresh ones too", |w| {
        lay(w, status(401, "Invalid OAuth token"), When::Always);
    }),
    scenario("wrong-secret", "the token endpoint answers 403 invalid client secret", |w| {
        w.faults.push(Fault::new(status(403, "invalid client secret")).on(Endpoint::Token));
    }),
    scenario("token-endpoint-down", "the token endpoint answers 503 twice", |w| {
        w.faults.push(Fault::new(Effect::Html { code: 503 }).on(Endpoint::Token).when(When::Next(2)));
    }),
    scenario("rate-limited", "the bucket is empty on the 3rd call: a true 429", |w| {
        lay(w, Effect::DrainBucket, When::Call(3));
    }),
    scenario("false-rate-limit", "every 5th call is a 429 though points remain", |w| {
        lay(w, status(429, "Too Many Requests"), When::Every(5));
    }),
    scenario("server-errors", "every 5th call is a 500 with an empty message", |w| {
        lay(w, status(500, ""), When::Every(5));
    }),
    scenario("unavailable", "every 5th call is a 503 in HTML", |w| {
        lay(w, Effect::Html { code: 503 }, When::Every(5));
    }),
    scenario("outage", "every call is a 503 in HTML", |w| {
        lay(w, Effect::Html { code: 503 }, When::Always);
    }),
    scenario("users-gone", "/users answers 410, as if Twitch had removed it", |w| {
        let gone = status(410, "This API is not available.");
        w.faults.push(Fault::new(gone).on(Endpoint::Users));
    }),
    scenario("slow", "every 5th answer takes two seconds more", |w| {
        lay(w, Effect::Slow { millis: 2_000 }, When::Every(5));
    }),
    scenario("hang", "the 3rd answer takes ten minutes", |w| {
        lay(w, Effect::Slow { millis: 600_000 }, When::Call(3));
    }),
    scenario("cut-off", "every 5th connection closes within the body", |w| {
        lay(w, Effect::CutOff, When::Every(5));
    }),
    scenario("cut-json", "every 5th body is half a JSON, properly ended", |w| {
        lay(w, Effect::CutJson, When::Every(5));
    }),
    scenario("html-200", "every 5th answer is HTML with status 200", |w| {
        lay(w, Effect::Html { code: 200 }, When::Every(5));
    }),
    scenario("malformed-json", "every 5th answer has a typing error in its JSON", |w| {
        lay(w, Effect::Malformed, When::Every(5));
    }),
    scenario("reset", "every 5th connection closes without an answer", |w| {
        lay(w, Effect::NoReply, When::Every(5));
    }),
    scenario("null-data", "the 3rd call's data is null", |w| {
        lay(w, Effect::NullData, When::Call(3));
    }),
    scenario("bad-batch", "one channel's sound id makes its whole /users batch a 400", |w| bad_user(w, 400)),
    scenario("broken-batch", "one channel's sound id makes its whole /users batch a 500", |w| {
        bad_user(w, 500);
    }),
    scenario(
        "defective-records",
        "two records of every defect, spread over the streams with an audience",
        |w| {
            w.spread(&Defect::ALL, 2, 10);
        },
    ),
    scenario("rough-sweep", "repeats, a wrapping end, one refused and one half cursor, short pages", |w| {
        lay(w, Effect::RepeatStreams { share: 0.25 }, When::Always);
        lay(w, Effect::WrapLastCursor, When::Always);
        lay(w, Effect::InvalidCursor, When::Call(2));
        lay(w, Effect::HalfCursor, When::Call(3));
        lay(w, Effect::ShortPage, When::Every(2));
    }),
    scenario("bad-weather", "2 % each of 500, 503, false 429, closed connections and cut bodies", |w| {
        let kinds =
            [status(500, ""), Effect::Html { code: 503 }, status(429, ""), Effect::NoReply, Effect::CutOff];
        for effect in kinds {
            lay(w, effect, When::Chance(0.02));
        }
    }),
];
