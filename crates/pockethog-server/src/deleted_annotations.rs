//! Annotations that were deleted lately, to be brought back.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::lock::lock;
use pockethog_core::annotations::Annotation;
use pockethog_core::project::ProjectKey;

/// Deleted annotations whose text is remembered, for the sentence beside “Undo”.
const MOST_DELETED: usize = 32;

/// Annotations that were deleted lately, with their texts.
#[derive(Debug, Default)]
pub struct DeletedAnnotations(Mutex<VecDeque<(ProjectKey, Annotation)>>);

impl DeletedAnnotations {
    /// The text of an annotation that was deleted lately.
    pub fn text(&self, key: &ProjectKey, id: u64) -> Option<String> {
        let deleted = lock(&self.0);
        let found = deleted
            .iter()
            .find(|(of, annotation)| of == key && annotation.id == id);
        found.map(|(_, annotation)| annotation.text.clone())
    }

    /// Remembers an annotation that was deleted.
    pub fn put(&self, key: ProjectKey, annotation: Annotation) {
        let mut deleted = lock(&self.0);
        if deleted.len() >= MOST_DELETED {
            deleted.pop_front();
        }
        deleted.push_back((key, annotation));
    }

    /// Forgets an annotation: it was brought back.
    pub fn take(&self, key: &ProjectKey, id: u64) -> Option<Annotation> {
        let mut deleted = lock(&self.0);
        let place = deleted
            .iter()
            .position(|(of, annotation)| of == key && annotation.id == id)?;
        deleted.remove(place).map(|(_, annotation)| annotation)
    }
}
