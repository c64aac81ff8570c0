//! What a check of a server or a file found, for whoever runs the shop.

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// It works, but something should be done.
    Warn,
    /// It does not work until something runs again; nothing has to be set otherwise.
    Down,
    /// It does not work, or is not safe.
    Fail,
}

/// One line of a report: for a reader, `what: found; advice`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckLine {
    /// What was looked at.
    pub what: String,
    /// How bad it is.
    pub state: CheckState,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl CheckLine {
    /// Something is as it should be.
    pub fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), state: CheckState::Ok, found: found.into(), advice: None }
    }

    /// Something works, but should be otherwise.
    pub fn warn(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), state: CheckState::Warn, found: found.into(), advice: Some(advice.into()) }
    }

    /// Something is away.
    pub fn down(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), state: CheckState::Down, found: found.into(), advice: Some(advice.into()) }
    }

    /// Something does not work, or is not safe.
    pub fn fail(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), state: CheckState::Fail, found: found.into(), advice: Some(advice.into()) }
    }
}

impl std::fmt::Display for CheckLine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.what, self.found)?;
        self.advice.iter().try_for_each(|advice| write!(formatter, "; {advice}"))
    }
}
