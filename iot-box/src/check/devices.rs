//! Do the devices work?

use link_protocol::up::{Device, DeviceStatus};

use super::{Facts, Finding, ok, warning, wrong};

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Ok(status) = &facts.daemon else { return Vec::new() };
    if status.devices.is_empty() {
        return vec![warning(
            "No device was found.",
            "Plug one in. If one is plugged in, try another cable and another port.",
        )];
    }
    let ready = status.devices.iter().filter(|d| d.status == DeviceStatus::Ready).count();
    let mut findings = vec![ok(format!("Devices that are ready: {ready} of {}.", status.devices.len()))];
    findings.extend(status.devices.iter().filter_map(finding));
    findings
}

fn finding(device: &Device) -> Option<Finding> {
    let Device { name, message, .. } = device;
    let advice = if message.is_empty() { "Look at its line on the box's page." } else { message };
    Some(match device.status {
        // No permission has a check of its own.
        DeviceStatus::Ready | DeviceStatus::Connecting | DeviceStatus::Denied => return None,
        DeviceStatus::Warning => warning(format!("{name} wants attention."), advice),
        DeviceStatus::Error => wrong(format!("{name} does not work."), advice),
        DeviceStatus::Offline => warning(format!("{name} is offline."), advice),
        DeviceStatus::Unclaimed => {
            warning(format!("{name} is unknown to the box."), "Choose its driver on the box's page.")
        }
    })
}
