use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::{
    frame::{Page, PageError, company, till_policy, who},
    view::till::{self, Till},
};
use crate::{boxes::PairingState, error::ServiceError, sessions::Session, state::AppState};

pub(super) async fn page(State(state): State<AppState>, session: Session) -> Response {
    let boxes = match state.boxes.list(session.uid).await {
        Ok(boxes) => boxes,
        Err(error) => return PageError::with(error, &session).into_response(),
    };
    let mut box_urls: Vec<String> = boxes
        .into_iter()
        .filter(|b| b.state != PairingState::Unpaired)
        .flat_map(|b| b.urls)
        .filter(|url| plain_origin(url))
        .collect();
    box_urls.sort();
    box_urls.dedup();
    let policy = match HeaderValue::from_str(&till_policy(&box_urls)) {
        Ok(policy) => policy,
        Err(error) => return PageError::with(ServiceError::internal(error), &session).into_response(),
    };
    let view = Till { company: company(&state, &session).await, user: who(&session), box_urls };
    let mut response = Page(till::view(&view)).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// Only such addresses go into the policy: a box must not write into it.
fn plain_origin(url: &str) -> bool {
    url.strip_prefix("https://").is_some_and(|host| {
        !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
    })
}

#[cfg(test)]
mod tests {
    use super::plain_origin;

    #[test]
    fn a_box_cannot_write_into_the_policy() {
        assert!(plain_origin("https://192.168.1.4:8443"));
        assert!(plain_origin("https://[fd00::1]:8443"));
        for bad in
            ["https://", "http://192.168.1.4", "https://a; script-src *", "https://a b", "https://*", "https://a/b"]
        {
            assert!(!plain_origin(bad), "{bad}");
        }
    }
}
