//! The scale's task: its line, its engine and the control verbs.

use std::io;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Forced, Scale};
use crate::{
    clock::now_us,
    device::{Context, Refused, Request, Verb, hex, parse_verb},
    serial::{Line, LineEvent},
};

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Do {
    Put { weight: String, settle_ms: Option<u64> },
    Set { state: Forced },
    Mute { on: Option<bool> },
    Garbage { hex: String },
    Wobble { per_second: f64 },
    Changes { from: Option<u64> },
    State {},
    Unplug {},
    Plug {},
}

/// Runs until the simulator ends.
pub(crate) async fn run(mut context: Context, mut scale: Scale, mut line: Line) -> io::Result<()> {
    context.plugged_serial(line.plug()?);
    loop {
        let out = scale.poll(now_us());
        if !out.is_empty() {
            line.send(&out);
        }
        tokio::select! {
            () = context.cancel.cancelled() => return Ok(()),
            Some(request) = context.requests.recv() => {
                let Request { verb, reply } = request;
                // The asker may have gone; that is not the device's trouble.
                drop(reply.send(answer(&context, &mut scale, &mut line, verb)));
            }
            event = line.next(scale.next_wake()) => match event? {
                LineEvent::Byte(byte) => scale.on_byte(now_us(), byte),
                LineEvent::Remade => if let Some(path) = line.path() { context.plugged_serial(path.to_owned()) },
                LineEvent::Wake | LineEvent::Sent { .. } => {}
            }
        }
    }
}

fn answer(context: &Context, scale: &mut Scale, line: &mut Line, verb: Verb) -> Result<Value, Refused> {
    let now = now_us();
    match parse_verb(verb)? {
        Do::Put { weight, settle_ms } => {
            let stable_us = scale.put(now, &weight, settle_ms.map(|ms| ms * 1_000)).map_err(Refused::because)?;
            Ok(json!({ "us": now, "stable_us": stable_us }))
        }
        Do::Set { state } => {
            scale.force(state);
            Ok(json!({}))
        }
        Do::Mute { on } => {
            scale.mute(on.unwrap_or(true));
            Ok(json!({}))
        }
        Do::Garbage { hex: text } => {
            line.send(&hex(&text)?);
            Ok(json!({}))
        }
        Do::Wobble { per_second } => {
            scale.wobble(now, per_second);
            Ok(json!({ "us": now }))
        }
        Do::Changes { from } => Ok(json!({ "changes": scale.changes(from.unwrap_or(0)) })),
        Do::State {} => {
            let (unheard, lost) = line.losses();
            Ok(json!({
                "weight": scale.display(now), "unit": scale.unit(), "at_rest": scale.at_rest(now),
                "status": scale.status(now), "path": line.path(), "listened_to": line.listened_to(),
                "bytes_unheard": unheard, "bytes_lost": lost,
            }))
        }
        Do::Unplug {} => {
            line.unplug();
            context.unplugged();
            Ok(json!({}))
        }
        Do::Plug {} => {
            if line.path().is_none() {
                context.plugged_serial(line.plug().map_err(Refused::because)?);
            }
            Ok(json!({ "path": line.path() }))
        }
    }
}
