//! The task of a scale: its line, its platform, its protocol and the control verbs.

use std::io;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Platform, speakers::Speaker};
use crate::{
    balance::Settings,
    clock::now_us,
    device::{Context, Refused, Request, Verb, hex, parse_verb},
    scale::Forced,
    serial::{Line, LineEvent},
};

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Do {
    Put { weight: String, settle_ms: Option<u64> },
    Set { state: Forced },
    Mute { on: Option<bool> },
    Garbage { hex: String },
    State {},
    Unplug {},
    Plug {},
}

/// Runs until the simulator ends.
pub(crate) async fn run(
    mut context: Context,
    settings: Settings,
    mut platform: Platform,
    mut line: Line,
) -> io::Result<()> {
    let mut speaker = Speaker::new(&settings);
    let mut mute = false;
    context.plugged_serial(line.plug()?);
    loop {
        let now = now_us();
        let out = speaker.poll(now, &platform);
        if !out.is_empty() && !mute {
            line.send(&out);
        }
        tokio::select! {
            () = context.cancel.cancelled() => return Ok(()),
            Some(request) = context.requests.recv() => {
                let Request { verb, reply } = request;
                // The asker may have gone; that is not the device's trouble.
                drop(reply.send(answer(&context, &mut platform, &mut line, &mut mute, verb)));
            }
            event = line.next(speaker.next_wake()) => match event? {
                LineEvent::Byte(byte) => {
                    let answer = speaker.hear(now_us(), byte, &mut platform);
                    if !answer.is_empty() && !mute {
                        line.send(&answer);
                    }
                }
                LineEvent::Remade => if let Some(path) = line.path() { context.plugged_serial(path.to_owned()) },
                LineEvent::Wake | LineEvent::Sent { .. } => {}
            }
        }
    }
}

fn answer(
    context: &Context,
    platform: &mut Platform,
    line: &mut Line,
    mute: &mut bool,
    verb: Verb,
) -> Result<Value, Refused> {
    let now = now_us();
    match parse_verb(verb)? {
        Do::Put { weight, settle_ms } => {
            let stable_us = platform.put(now, &weight, settle_ms.map(|ms| ms * 1_000)).map_err(Refused::because)?;
            Ok(json!({ "us": now, "stable_us": stable_us }))
        }
        Do::Set { state } => {
            platform.force(state);
            Ok(json!({}))
        }
        Do::Mute { on } => {
            *mute = on.unwrap_or(true);
            Ok(json!({}))
        }
        Do::Garbage { hex: text } => {
            line.send(&hex(&text)?);
            Ok(json!({}))
        }
        Do::State {} => {
            let (unheard, lost) = line.losses();
            Ok(json!({
                "weight": platform.display(now), "unit": platform.unit, "at_rest": platform.at_rest(now),
                "path": line.path(), "listened_to": line.listened_to(), "bytes_unheard": unheard, "bytes_lost": lost,
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
