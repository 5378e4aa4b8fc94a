//! May only we look into the data directory, and may we write there?

use std::{
    fs::Metadata,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use super::{Facts, Finding, ok, wrong};

const PRIVATE: &[&str] =
    &["", "identity", "identity/box.key", "identity/https.key", "pairing.json", "technician-password", "control.sock"];

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let root = facts.dir.path();
    let Ok(of_root) = std::fs::metadata(root) else {
        return vec![ok(format!("{} is not there yet; the first start makes it.", root.display()))];
    };
    let open = |meta: &Metadata| meta.permissions().mode() & 0o077 != 0;
    let mut findings = Vec::new();
    for name in PRIVATE {
        let path = root.join(name);
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        let path = path.display();
        if open(&meta) {
            findings.push(wrong(
                format!("{path} can be read by other users of this machine."),
                format!("Run: chmod go= {path}"),
            ));
        }
        if meta.uid() != of_root.uid() {
            findings.push(wrong(
                format!("{path} belongs to another user than {}.", root.display()),
                format!("Run: chown -R --reference={0} {0}", root.display()),
            ));
        }
    }
    if findings.is_empty() {
        findings.push(ok(format!("{} is private to its user.", root.display())));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;
    use crate::{check::Level, control::AskError, data_dir::DataDir};

    #[test]
    fn a_readable_key_is_found() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        let facts = Facts {
            dir: DataDir::new(dir.path().to_owned()),
            daemon: Err(AskError::NotRunning(dir.path().to_owned())),
            grant: None,
            pairing_error: None,
            now_ms: 0,
        };
        assert_eq!(check(&facts)[0].level, Level::Ok);
        let path = dir.path().join("technician-password");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let findings = check(&facts);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].advice, format!("Run: chmod go= {}", path.display()));
    }
}
