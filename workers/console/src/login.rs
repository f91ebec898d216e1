//! Where a person says who they are, with the token; a cookie remembers it for a while.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, SET_COOKIE},
    },
    response::{IntoResponse, Redirect, Response},
};

use crate::{
    access::{LASTS, SESSION, person},
    document::{Field, Form, Input},
    guard::LOGIN,
    render::{self, HTML},
    route::Filters,
    state::Console,
};

/// The page; `query` says where a person goes from here.
pub(crate) fn page(query: &str) -> Response {
    shown(StatusCode::OK, "", "", &next(&mut Filters::parse(query)))
}

/// Lets in who sends the token, as whoever they say they are.
pub(crate) async fn enter(console: &Console, form: &str) -> Response {
    let mut fields = Filters::parse(form);
    let next = next(&mut fields);
    let mut field = |name| fields.take::<String>(name).ok().flatten().unwrap_or_default();
    let (name, token) = (field("name"), field("token"));
    let Some(access) = console.guard.access() else {
        let words = "There is no token to sign in with: the proxy says who you are.";
        return shown(StatusCode::BAD_REQUEST, words, &name, &next);
    };
    if !access.is_right(token.as_bytes()).await {
        return shown(StatusCode::UNAUTHORIZED, "That is not the token.", &name, &next);
    }
    let Some(user) = person(&name) else {
        return shown(StatusCode::BAD_REQUEST, "Say who you are: at most 60 characters.", "", &next);
    };
    let session = access.session(&user, console.clock.now().timestamp());
    let cookie = format!("{SESSION}={session}; Path=/; Max-Age={LASTS}; HttpOnly; SameSite=Strict");
    with_cookie(Redirect::to(&next).into_response(), &cookie)
}

/// Forgets who a browser belongs to.
pub(crate) fn leave() -> Response {
    let cookie = format!("{SESSION}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    with_cookie(Redirect::to(LOGIN).into_response(), &cookie)
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn shown(status: StatusCode, notice: &str, name: &str, next: &str) -> Response {
    let token = Field {
        name: "token",
        label: "Token",
        hint: String::new(),
        value: String::new(),
        input: Input::Secret,
    };
    let form = Form {
        action: LOGIN.into(),
        changes: true,
        danger: false,
        fields: vec![Field::text("name", "Your name", name), token, Field::hidden("next", next)],
        button: "Sign in".into(),
    };
    let html = render::login(&form, notice).unwrap_or_else(|_| notice.to_owned());
    (status, [(CONTENT_TYPE, HTML)], html).into_response()
}

/// Where a person goes from here: a page of ours, and never one of somebody else's.
fn next(fields: &mut Filters) -> String {
    let given = fields.take::<String>("next").ok().flatten().unwrap_or_default();
    let ours = given.starts_with('/')
        && !given.starts_with("//")
        && given.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if ours { given } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_led_to_our_pages_only() {
        for (query, page) in [
            ("next=%2Fpulls%3Fstatus%3Dfailed", "/pulls?status=failed"),
            ("", "/"),
            ("next=https://evil.example", "/"),
            ("next=//evil.example", "/"),
            ("next=/%5Cevil.example", "/"),
            ("next=/%0D%0ASet-Cookie:a=b", "/"),
        ] {
            assert_eq!(next(&mut Filters::parse(query)), page, "{query}");
        }
    }
}
