//! Commands to devices: a row from the wish until its outcome or its deadline.

use std::time::Duration;

use link_protocol::{
    down::CommandBody,
    ids::{BoxId, CommandId, DeviceId},
    outcome::Outcome,
};
use serde::Serialize;

use crate::{error::ServiceError, state::Uid};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// The box has not been given it yet.
    Waiting,
    /// Handed to the box.
    Sent,
    Done,
    Rejected,
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommandStatus {
    pub command_id: CommandId,
    pub r#box: BoxId,
    pub device: DeviceId,
    /// What was asked: `print`, `open_drawer`, ...
    pub r#do: String,
    /// For people: the document's title, or the verb.
    pub title: String,
    pub state: CommandState,
    /// Present when the state is done, rejected or unknown; its words are the ones to show.
    pub outcome: Option<Outcome>,
}

#[derive(Debug, Clone)]
pub struct Commands {}

impl Commands {
    /// Stores the command and hands it to the box. The same `command_id` again with the same content gives the same
    /// command and runs nothing twice; with other content it is a [`ServiceError::Conflict`].
    pub async fn issue(
        &self,
        _uid: Uid,
        box_id: &BoxId,
        _device: &DeviceId,
        _body: CommandBody,
        _ttl: Duration,
        _command_id: Option<CommandId>,
    ) -> Result<CommandId, ServiceError> {
        Err(ServiceError::NotFound(format!("there is no box {box_id}")))
    }

    pub async fn outcome(&self, _uid: Uid, id: &CommandId) -> Result<CommandStatus, ServiceError> {
        Err(ServiceError::NotFound(format!("there is no command {id}")))
    }

    /// As [`Self::outcome`], but waits up to `wait` for a final state.
    pub async fn wait(&self, uid: Uid, id: &CommandId, _wait: Duration) -> Result<CommandStatus, ServiceError> {
        self.outcome(uid, id).await
    }
}
