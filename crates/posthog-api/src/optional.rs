//! Optional fields: PostHog's versions differ, and one odd field must not cost a whole list.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// A field that counts as absent if it is `null` or of another shape than expected.
pub(crate) fn or_absent<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}
