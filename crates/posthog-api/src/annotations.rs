//! Annotations: `/api/projects/:id/annotations/` (`annotation:read`, `annotation:write`).
//!
//! Three of PostHog's habits shape this module. A new annotation without `scope` lands where nobody
//! sees it, so `project` is always sent. Editing an organization-wide note moves it to the project in
//! the address, so a change names only what it changes and the caller keeps off notes of other
//! projects. DELETE answers 405; deleting is a change of `deleted`, which can be taken back.

use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bearer::Bearer;
use crate::client::Client;
use crate::error::Error;
use crate::optional::or_absent;
use crate::request::Call;

/// Longest content that PostHog stores, in characters.
pub const LONGEST_CONTENT: usize = 8192;

/// A note on the time line of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// Its number.
    pub id: u64,
    /// What it says.
    #[serde(default, deserialize_with = "or_absent")]
    pub content: Option<String>,
    /// The instant it marks.
    #[serde(default, deserialize_with = "or_absent")]
    pub date_marker: Option<Timestamp>,
    /// Where it shows.
    #[serde(default, deserialize_with = "or_absent")]
    pub scope: AnnotationScope,
    /// Who wrote it.
    #[serde(default, deserialize_with = "or_absent")]
    pub created_by: Option<Author>,
    /// When it was last changed; tells whether somebody else was faster.
    #[serde(default, deserialize_with = "or_absent")]
    pub updated_at: Option<Timestamp>,
    /// Deleted, and still able to come back.
    #[serde(default, deserialize_with = "or_absent")]
    pub deleted: bool,
}

/// Where an annotation shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnnotationScope {
    /// On one dashboard.
    Dashboard,
    /// On one insight.
    DashboardItem,
    /// In every project of the organization.
    Organization,
    /// In one project.
    Project,
    /// Anything newer than this program.
    #[default]
    #[serde(other)]
    Other,
}

/// Who wrote an annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// UUID of the user.
    #[serde(default, deserialize_with = "or_absent")]
    pub uuid: Option<String>,
    /// Given name.
    #[serde(default, deserialize_with = "or_absent")]
    pub first_name: Option<String>,
}

/// An annotation to be made, for one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAnnotation {
    /// What it says, 1 to [`LONGEST_CONTENT`] characters.
    pub content: String,
    /// The instant it marks.
    pub date_marker: Timestamp,
}

/// What to change about an annotation; absent fields stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AnnotationChange {
    /// New content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// New instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_marker: Option<Timestamp>,
    /// Deletes or brings back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<bool>,
}

impl<B: Bearer> Client<B> {
    /// The annotations of a project between two instants, organization-wide ones included, oldest
    /// first. Those of single dashboards and insights are left out: they mark no project chart.
    pub async fn annotations(
        &self,
        project: u64,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Annotation>, Error> {
        let call = Call::read(
            "annotations",
            &["projects", &project.to_string(), "annotations"],
        )
        .with("date_from", &from.to_string())
        .with("date_to", &to.to_string());
        let mut all: Vec<Annotation> = self.list(call).await?;
        all.retain(|note| {
            let shown = matches!(
                note.scope,
                AnnotationScope::Project | AnnotationScope::Organization
            );
            shown && !note.deleted && note.date_marker.is_some()
        });
        all.sort_by_key(|note| (note.date_marker, note.id));
        Ok(all)
    }

    /// One annotation, as it is now.
    pub async fn annotation(&self, project: u64, id: u64) -> Result<Annotation, Error> {
        let path = [
            "projects",
            &project.to_string(),
            "annotations",
            &id.to_string(),
        ];
        self.get(Call::read("annotation", &path)).await
    }

    /// Makes an annotation in one project.
    pub async fn create_annotation(
        &self,
        project: u64,
        new: &NewAnnotation,
    ) -> Result<Annotation, Error> {
        let path = ["projects", &project.to_string(), "annotations"];
        let body = json!({
            "content": new.content,
            "date_marker": new.date_marker,
            "scope": "project",
            "creation_type": "USR",
        });
        self.get(Call::write("new annotation", Method::POST, &path).body(body))
            .await
    }

    /// Changes, deletes or brings back an annotation.
    pub async fn change_annotation(
        &self,
        project: u64,
        id: u64,
        change: &AnnotationChange,
    ) -> Result<Annotation, Error> {
        let path = [
            "projects",
            &project.to_string(),
            "annotations",
            &id.to_string(),
        ];
        self.get(Call::write("annotation change", Method::PATCH, &path).body(json!(change)))
            .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_old_server_without_the_new_fields_is_understood() {
        let note: Annotation = serde_json::from_value(json!({
            "id": 3, "content": "Release", "date_marker": "2026-11-20T09:00:00Z",
            "scope": "project", "created_by": null
        }))
        .unwrap();
        assert_eq!(note.scope, AnnotationScope::Project);
        assert!(!note.deleted);
    }

    #[test]
    fn an_odd_optional_field_does_not_cost_the_note() {
        let note: Annotation = serde_json::from_value(json!({
            "id": 3, "content": null, "date_marker": "yesterday", "scope": null,
            "created_by": {"uuid": 5, "first_name": "Ada"}, "deleted": null, "emoji": "🚀", "tags": []
        }))
        .unwrap();
        assert_eq!(note.date_marker, None);
        assert_eq!(note.created_by.unwrap().first_name.unwrap(), "Ada");
    }

    #[test]
    fn a_scope_newer_than_this_program_is_other() {
        let note: Annotation = serde_json::from_value(json!({"id": 1, "scope": "galaxy"})).unwrap();
        assert_eq!(note.scope, AnnotationScope::Other);
    }

    #[test]
    fn a_change_names_only_what_it_changes() {
        let change = AnnotationChange {
            deleted: Some(true),
            ..AnnotationChange::default()
        };
        assert_eq!(json!(change), json!({"deleted": true}));
    }
}
