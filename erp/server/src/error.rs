//! One error for everything a signed-in person or program may ask of the server.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use link_protocol::local::ErrorBody;

/// The message is for people and says what to do; [`ServiceError::word`] is for programs.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("sign in first")]
    SignedOut,
    #[error("{0}")]
    Forbidden(String),
    /// The request was meant for a server of another name.
    #[error("{0}")]
    WrongHost(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Invalid(String),
    /// The same id was used for something else, or the record is not in the state the request needs.
    #[error("{0}")]
    Conflict(String),
    #[error("too many attempts: wait {wait_s} seconds")]
    TooMany { wait_s: u64 },
    #[error("the database is busy: try again in a moment")]
    Busy(#[source] erp_engine::Error),
    #[error("the server could not do this; its log says why")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ServiceError {
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    pub fn word(&self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Forbidden(_) => "forbidden",
            Self::WrongHost(_) => "wrong_host",
            Self::NotFound(_) => "not_found",
            Self::Invalid(_) => "invalid",
            Self::Conflict(_) => "conflict",
            Self::TooMany { .. } => "too_many",
            Self::Busy(_) => "busy",
            Self::Internal(_) => "internal",
        }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::WrongHost(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub fn body(&self) -> ErrorBody {
        ErrorBody { error: self.word().to_owned(), message: self.to_string() }
    }
}

impl From<erp_engine::Error> for ServiceError {
    fn from(error: erp_engine::Error) -> Self {
        use erp_engine::Error;
        match error {
            Error::AccessDenied { .. } => Self::Forbidden(error.to_string()),
            Error::NoSuchUser(_) => Self::SignedOut,
            Error::Validation { .. } => Self::Invalid(error.to_string()),
            Error::UniqueViolation { .. } | Error::StillReferenced { .. } => Self::Conflict(error.to_string()),
            Error::Missing { .. } => Self::NotFound(error.to_string()),
            error if error.is_retryable() => Self::Busy(error),
            error => Self::internal(error),
        }
    }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        if let Self::Internal(source) = &self {
            tracing::error!(error = %source, "A request failed inside the server.");
        }
        let mut response = (self.status(), Json(self.body())).into_response();
        if let Self::TooMany { wait_s } = self {
            response.headers_mut().insert(axum::http::header::RETRY_AFTER, wait_s.into());
        }
        response
    }
}
