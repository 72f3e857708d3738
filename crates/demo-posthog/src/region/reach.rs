//! What a credential reaches.

/// What an access token, or an API key, reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Everything the person sees.
    #[default]
    All,
    /// These organizations, by UUID.
    Organizations(Vec<String>),
    /// These projects, by number.
    Projects(Vec<u64>),
}

impl Reach {
    /// `scoped_teams`.
    pub(crate) fn teams(&self) -> &[u64] {
        match self {
            Self::Projects(projects) => projects,
            _ => &[],
        }
    }

    /// `scoped_organizations`.
    pub(crate) fn organizations(&self) -> &[String] {
        match self {
            Self::Organizations(organizations) => organizations,
            _ => &[],
        }
    }
}
