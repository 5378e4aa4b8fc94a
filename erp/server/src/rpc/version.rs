//! The version that clients are told. They choose names of methods and shapes by it.

use serde_json::{Value, json};

/// Key in `ir.config_parameter`.
pub(crate) const SETTING: &str = "rpc.version";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    major: u16,
    minor: u16,
}

impl Default for Version {
    fn default() -> Version {
        Version { major: 16, minor: 0 }
    }
}

impl Version {
    /// `16.0`; what cannot be read is the default.
    pub(crate) fn parse(text: &str) -> Version {
        let parsed = || {
            let (major, minor) = text.trim().split_once('.')?;
            Some(Version { major: major.parse().ok()?, minor: minor.parse().ok()? })
        };
        parsed().unwrap_or_default()
    }

    pub(crate) fn text(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    pub(crate) fn info(self) -> Value {
        json!([self.major, self.minor, 0, "final", 0, ""])
    }

    /// What `common.version` answers.
    pub(crate) fn described(self) -> Value {
        json!({
            "server_version": self.text(),
            "server_version_info": self.info(),
            "server_serie": self.text(),
            "protocol_version": 1,
        })
    }

    /// The number of an ordinary failure in JSON-RPC.
    pub(crate) fn plain_error(self) -> i64 {
        if self.major >= 19 { 0 } else { 200 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_decides_and_nonsense_does_not() {
        assert_eq!(Version::parse("19.0").plain_error(), 0);
        assert_eq!(Version::parse("16.0").described()["server_version_info"][0], 16);
        assert_eq!(Version::parse("saas"), Version::default());
        assert_eq!(Version::default().plain_error(), 200);
    }
}
