//! Commands to bytes, and the part of it that is too much work for the device's own task.

use super::{
    Block, Command, Document,
    error::EncodeError,
    file,
    profile::{Language, Profile},
    setup,
};
use crate::{
    device::{Command as DeviceCommand, Reason},
    runner::Preparation,
};

/// How one language says things.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoder {
    /// The printer as it was found, without what a person set for it.
    pub(super) found: Profile,
    pub(super) profile: Profile,
    pub(super) document: fn(&Document, &Profile) -> Result<Vec<u8>, EncodeError>,
    /// Opens the drawer; `None` where printers of this language have none.
    pub(super) drawer: Option<fn(&Profile, &mut Vec<u8>)>,
}

/// A command in the printer's bytes.
#[derive(Debug, PartialEq)]
pub(super) enum Encoded {
    Print(Vec<u8>),
    /// As somebody else made it: nothing may be put into it.
    Raw(Vec<u8>),
    Drawer(Vec<u8>),
}

impl Encoder {
    fn under(&self, command: &Command) -> Profile {
        match command.under().0 {
            Some(settings) => setup::apply(self.found, settings).profile,
            None => self.profile,
        }
    }

    pub(super) fn prepare(&self, command: &DeviceCommand) -> Option<Preparation> {
        let DeviceCommand::Printer(command) = command else { return None };
        let work = match command.under().1 {
            // Text is encoded faster than a thread is woken; what is drawn takes milliseconds.
            Command::Print(document) => {
                self.profile.language != Language::EscPos
                    || document.blocks.iter().any(|block| matches!(block, Block::Image(_)))
            }
            Command::PrintFile(_) => true,
            _ => false,
        };
        let encoder = *self;
        work.then(|| {
            Box::new(move |command| match command {
                // An error is found again, and answered, by whoever gets the command.
                DeviceCommand::Printer(command) => DeviceCommand::Printer(match encoder.encode(&command) {
                    Ok(Encoded::Print(bytes)) => Command::Encoded(bytes),
                    _ => command,
                }),
                other => other,
            }) as Preparation
        })
    }

    pub(super) fn encode(&self, command: &Command) -> Result<Encoded, EncodeError> {
        let profile = self.under(command);
        match command.under().1 {
            Command::Print(document) => Ok(Encoded::Print((self.document)(document, &profile)?)),
            Command::Encoded(bytes) => Ok(Encoded::Print(bytes.clone())),
            Command::PrintFile(file) => {
                file::check(file, &profile)?;
                if let super::FileType::Raw(language) = file.kind {
                    let mut bytes = file.data.repeat(usize::from(file.copies.clamp(1, 99)));
                    bytes.extend_from_slice(language.ends_with());
                    return Ok(Encoded::Raw(bytes));
                }
                let mut bytes = Vec::new();
                for page in file::documents(file, &profile)? {
                    bytes.extend((self.document)(&page, &profile)?);
                }
                Ok(Encoded::Print(bytes))
            }
            Command::OpenDrawer => match self.drawer {
                Some(drawer) => {
                    let mut bytes = Vec::new();
                    drawer(&profile, &mut bytes);
                    Ok(Encoded::Drawer(bytes))
                }
                None => Err(EncodeError::NoDrawer),
            },
            // `under` has taken these off.
            Command::With(..) => Err(EncodeError::Empty),
        }
    }
}

/// What the asker is told.
pub(super) fn reason(error: &EncodeError) -> Reason {
    match error {
        EncodeError::NoDrawer
        | EncodeError::NoPictures
        | EncodeError::OtherLanguage { .. }
        | EncodeError::NotTaken(_) => Reason::Unsupported,
        _ => Reason::Invalid,
    }
}
