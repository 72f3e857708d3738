//! What is asked of a project, as a person chose.

use super::Preferences;
use crate::moves::ERRORS;
use crate::overview::{Asked, LeftOut, MOST_CONVERSIONS};
use crate::project::{Project, ProjectKey};

impl Preferences {
    /// What the numbers of a project depend on besides its events.
    pub fn asked(&self, project: &Project) -> Asked {
        let chosen = self.projects.get(&project.key.to_string());
        let mut conversions = chosen.map_or_else(Vec::new, |chosen| chosen.conversions.clone());
        if self.alerts.on && self.alerts.errors && !conversions.iter().any(|event| event == ERRORS)
        {
            conversions.truncate(MOST_CONVERSIONS - 1);
            conversions.push(ERRORS.to_owned());
        }
        Asked::new(&project.time_zone, &conversions).without(self.left_out(&project.key))
    }

    /// What is left out of the numbers of a project: as chosen for it, or else for all.
    pub fn left_out(&self, project: &ProjectKey) -> LeftOut {
        let chosen = self.projects.get(&project.to_string());
        LeftOut {
            test_accounts: chosen
                .and_then(|chosen| chosen.without_test_accounts)
                .unwrap_or(self.without_test_accounts),
            bots: chosen
                .and_then(|chosen| chosen.without_bots)
                .unwrap_or(self.without_bots),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_project_follows_the_choice_for_all_unless_it_has_its_own() {
        let key = ProjectKey {
            host: "us".into(),
            id: 12,
        };
        let mut preferences = Preferences::default();
        assert_eq!(preferences.left_out(&key), LeftOut::default());
        preferences.without_test_accounts = true;
        preferences.project_mut(&key).without_bots = Some(true);
        let everything = LeftOut {
            test_accounts: true,
            bots: true,
        };
        assert_eq!(preferences.left_out(&key), everything);
        preferences.project_mut(&key).without_test_accounts = Some(false);
        let bots = LeftOut {
            test_accounts: false,
            bots: true,
        };
        assert_eq!(preferences.left_out(&key), bots);
        let text = preferences.to_text();
        assert_eq!(
            Preferences::parse(&text, "file".as_ref()).unwrap(),
            preferences
        );
        // An older program does not know them.
        assert!(!Preferences::default().to_text().contains("without"));
    }
}
