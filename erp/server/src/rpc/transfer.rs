//! Files in and out: uploads for an import, exports, templates.

use std::{io::Write, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{Form, FromRequest, Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use erp_apps::base_import::{self, Exported, PIECE};
use erp_engine::{Env, Error, Id, Uid};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::AsyncReadExt;

use super::{
    Fault,
    dataset::{Caller, within},
    execute::execute,
    multipart::{Event, Parser},
    wire::Whole,
};
use crate::state::AppState;

/// A file of a million contacts is a third of it.
const LARGEST: u64 = 256 << 20;
/// Bytes of a field of the form that is no file.
const FIELD: usize = 64 << 10;
/// Between two pieces of an upload.
const PATIENCE: Duration = Duration::from_secs(30);
const TRIES: u32 = 5;

/// What is wrong, for a person, as the web client shows it beside the file.
fn refused(status: StatusCode, message: impl Into<String>) -> Box<Response> {
    Box::new((status, Json(json!({ "error": message.into() }))).into_response())
}

fn fault(error: Error) -> Response {
    let fault = Fault::from(error);
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(json!({ "error": fault.message, "data": fault.data() }))).into_response()
}

fn signed_in(caller: Caller) -> Result<Uid, Box<Response>> {
    let session = caller.signed_in();
    session
        .map(|session| session.uid)
        .map_err(|expired| Box::new((StatusCode::FORBIDDEN, Json(json!({ "error": expired.json(0) }))).into_response()))
}

/// A form with the import's id (`id` or `import_id`) and its file (`ufile` or `file`).
pub(super) async fn set_file(State(state): State<AppState>, caller: Caller, request: Request) -> Response {
    let uid = match signed_in(caller) {
        Ok(uid) => uid,
        Err(refused) => return *refused,
    };
    let upload = match receive(request).await {
        Ok(upload) => upload,
        Err(refused) => return *refused,
    };
    let mut tried = 0;
    loop {
        match keep(&state, uid, &upload).await {
            Ok(()) => return Json(json!({ "result": true })).into_response(),
            Err(error) if error.is_retryable() && tried < TRIES => tried += 1,
            Err(error) => return fault(error),
        }
    }
}

/// A file as it came, on disk: a slow sender must not keep a transaction open.
struct Upload {
    import: Id,
    file: tempfile::NamedTempFile,
    name: String,
    media_type: String,
}

async fn receive(request: Request) -> Result<Upload, Box<Response>> {
    let bad = |message: String| refused(StatusCode::BAD_REQUEST, message);
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok()).unwrap_or_default();
    let mut parser = Parser::new(content_type).map_err(|error| bad(error.to_string()))?;
    let full = |error: std::io::Error| {
        refused(
            StatusCode::INSUFFICIENT_STORAGE,
            format!("the file cannot be kept ({error}); see that the disk has space left"),
        )
    };
    let mut file = tempfile::NamedTempFile::new().map_err(full)?;
    let (mut import, mut name, mut media_type) = (None, None, String::new());
    let mut part: Option<(String, bool, Vec<u8>)> = None;
    let mut size = 0u64;
    let mut body = request.into_body().into_data_stream();
    loop {
        let piece = tokio::time::timeout(PATIENCE, body.next()).await;
        let piece = piece.map_err(|_| refused(StatusCode::REQUEST_TIMEOUT, "the upload stood still for too long"))?;
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|error| bad(error.to_string()))?;
        size += piece.len() as u64;
        if size > LARGEST {
            let message = format!("the file is larger than {} MB; divide it", LARGEST >> 20);
            return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        parser.push(&piece).map_err(|error| bad(error.to_string()))?;
        while let Some(event) = parser.event() {
            match (event, &mut part) {
                (Event::Begin { name: field, file: given, media_type: kind }, _) => {
                    let is_file = matches!(field.as_str(), "ufile" | "file") && given.is_some();
                    if is_file {
                        if name.is_some() {
                            return Err(bad("an import takes one file".into()));
                        }
                        name = given;
                        media_type = kind;
                    }
                    part = Some((field, is_file, Vec::new()));
                }
                (Event::Data(data), Some((_, true, _))) => file.write_all(&data).map_err(full)?,
                (Event::Data(data), Some((_, false, held))) => {
                    held.extend(data);
                    if held.len() > FIELD {
                        return Err(bad("a field of the form is too long".into()));
                    }
                }
                (Event::End, Some((field, false, held))) if matches!(field.as_str(), "id" | "import_id") => {
                    import = String::from_utf8_lossy(held).trim().parse().ok().map(Id);
                }
                (Event::Data(_) | Event::End, _) => {}
            }
        }
    }
    parser.finish().map_err(|error| bad(error.to_string()))?;
    file.flush().map_err(full)?;
    let import = import.ok_or_else(|| bad("the form needs the import's id as 'id'".into()))?;
    let name = name.ok_or_else(|| bad("the form needs the file as 'ufile'".into()))?;
    Ok(Upload { import, file, name, media_type })
}

async fn keep(state: &AppState, uid: Uid, upload: &Upload) -> Result<(), Error> {
    let lost = |error: std::io::Error| Error::User(format!("the file was lost ({error}); send it again"));
    let mut file = tokio::fs::File::from_std(upload.file.reopen().map_err(lost)?);
    let mut env = state.engine.begin(uid).await?;
    let mut sequence = 0;
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        (&mut file).take(PIECE as u64).read_to_end(&mut piece).await.map_err(lost)?;
        if piece.is_empty() {
            break;
        }
        base_import::add_piece(&mut env, upload.import, sequence, piece).await?;
        sequence += 1;
    }
    base_import::finish_file(&mut env, upload.import, &upload.name, &upload.media_type).await?;
    env.commit().await
}

#[derive(Deserialize)]
pub(super) struct ExportForm {
    data: String,
}

/// A form whose field `data` says in JSON what is wanted.
pub(super) async fn export(
    State(state): State<AppState>,
    caller: Caller,
    Path(format): Path<String>,
    request: Request,
) -> Response {
    let uid = match signed_in(caller) {
        Ok(uid) => uid,
        Err(refused) => return *refused,
    };
    let form = match Form::<ExportForm>::from_request(request, &state).await {
        Ok(Form(form)) => form,
        Err(refused) => return refused.into_response(),
    };
    let Ok(wish) = serde_json::from_str::<Value>(&form.data) else {
        return *refused(StatusCode::BAD_REQUEST, "the field 'data' must be JSON");
    };
    sent(&state, uid, &Made::Export { format, wish }).await
}

pub(super) async fn template(State(state): State<AppState>, caller: Caller, Path(model): Path<String>) -> Response {
    let uid = match signed_in(caller) {
        Ok(uid) => uid,
        Err(refused) => return *refused,
    };
    sent(&state, uid, &Made::Template { model }).await
}

/// A file that is made for somebody.
enum Made {
    Export { format: String, wish: Value },
    Template { model: String },
}

impl Made {
    async fn file(&self, env: &mut Env) -> Result<Exported, Error> {
        match self {
            Made::Export { format, wish } => base_import::export_file(env, format, wish.clone()).await,
            Made::Template { model } => base_import::template(env, model).await,
        }
    }
}

/// Makes it in a transaction, which keeps external ids that an export made, and sends it.
async fn sent(state: &AppState, uid: Uid, made: &Made) -> Response {
    let mut tried = 0;
    loop {
        match make(state, uid, made).await {
            Ok(made) => return download(made),
            Err(error) if error.is_retryable() && tried < TRIES => tried += 1,
            Err(error) => return fault(error),
        }
    }
}

async fn make(state: &AppState, uid: Uid, made: &Made) -> Result<Exported, Error> {
    let mut env = state.engine.begin(uid).await?;
    // An address has no context: headings are in the language of who asks.
    env.prefer_own().await?;
    let file = made.file(&mut env).await?;
    env.commit().await?;
    Ok(file)
}

fn download(made: Exported) -> Response {
    let file = tokio::fs::File::from_std(made.file);
    let pieces = stream::unfold(file, |mut file| async {
        let mut piece = Vec::with_capacity(64 << 10);
        match (&mut file).take(64 << 10).read_to_end(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(piece), file)),
            Err(error) => Some((Err(error), file)),
        }
    });
    let plain: String =
        made.name.chars().map(|c| if c.is_ascii_graphic() && c != '"' || c == ' ' { c } else { '_' }).collect();
    let coded: String = made
        .name
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    let disposition = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{coded}");
    let headers = [(header::CONTENT_TYPE, made.media_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, Body::from_stream(pieces)).into_response()
}

pub(super) async fn formats(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Whole,
) -> Response {
    within(&state, &headers, &body, async |_| {
        caller.signed_in()?;
        let formats = base_import::FORMATS.iter();
        Ok(formats.map(|(tag, label, ..)| json!({ "tag": tag, "label": label, "error": null })).collect())
    })
    .await
}

pub(super) async fn get_fields(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Whole,
) -> Response {
    named(&state, caller, &headers, &body, "get_fields").await
}

pub(super) async fn namelist(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    body: Whole,
) -> Response {
    named(&state, caller, &headers, &body, "namelist").await
}

/// A method of the export templates by its named arguments, those that it does not know left out.
async fn named(state: &AppState, caller: Caller, headers: &HeaderMap, body: &Whole, method: &str) -> Response {
    within(state, headers, body, async |params| {
        let session = caller.signed_in()?;
        let registry = state.engine.registry();
        let known = registry.method("ir.exports", method)?;
        let args: Map<String, Value> =
            params.into_iter().filter(|(name, _)| known.params.iter().any(|param| param.name == name)).collect();
        execute(&state.engine, session.behalf(), "ir.exports", method, Vec::new(), args).await
    })
    .await
}

#[cfg(test)]
mod tests;
