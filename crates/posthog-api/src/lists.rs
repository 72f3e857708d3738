//! Lists in pages: read to the end, with bounds on pages, entries, bytes and time.
//!
//! The `next` link of a page is reduced to its query: the server builds it from its own idea of its address, which
//! may differ from the address that the user chose. A list ends at a page that was read already, whatever its
//! `count` says.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::bearer::Bearer;
use crate::client::{Client, MEBIBYTE};
use crate::error::Error;
use crate::request::Call;

/// The pages of one list together, in bytes.
const LONGEST_LIST: usize = 64 * MEBIBYTE;

/// The items of one list: an organization may have 2,000 projects.
const MOST_ITEMS: usize = 20_000;

/// A page count no real list reaches.
const MOST_PAGES: usize = 500;

/// A list as far as it could be read.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// What the pages before the failing one hold; everything if none failed.
    pub items: Vec<T>,
    /// Why the rest is missing.
    pub error: Option<Error>,
}

impl<T> Listed<T> {
    /// The whole list.
    ///
    /// # Errors
    ///
    /// A page that could not be read.
    pub fn whole(self) -> Result<Vec<T>, Error> {
        match self.error {
            None => Ok(self.items),
            Some(error) => Err(error),
        }
    }
}

impl<B: Bearer> Client<B> {
    /// Follows the pages of a list to its end.
    pub(crate) async fn list<T>(&self, call: Call) -> Result<Vec<T>, Error>
    where
        T: DeserializeOwned + PartialEq,
    {
        self.list_so_far(call).await.whole()
    }

    /// Follows the pages of a list until one of them fails, or leads nowhere.
    pub(crate) async fn list_so_far<T>(&self, call: Call) -> Listed<T>
    where
        T: DeserializeOwned + PartialEq,
    {
        let mut items = Vec::new();
        let pages = self.read_pages(call, &mut items);
        let patience = self.patience.list;
        let error = match tokio::time::timeout(patience, pages).await {
            Ok(read) => read.err(),
            Err(_) => Some(Error::BadAnswer(format!(
                "the list did not end within {} seconds",
                patience.as_secs()
            ))),
        };
        Listed { items, error }
    }

    async fn read_pages<T>(&self, call: Call, items: &mut Vec<T>) -> Result<(), Error>
    where
        T: DeserializeOwned + PartialEq,
    {
        let endless = |why: &str| Err(Error::BadAnswer(why.to_owned()));
        let mut call = call.with_page_size();
        let mut seen = HashSet::new();
        let mut bytes = 0;
        for _ in 0..MOST_PAGES {
            let answer = self.send(call.clone()).await?;
            bytes += answer.len();
            let page: Page<T> = answer.read()?;
            let is_known = sample(&page.results).all(|item| items.contains(item));
            if !is_known {
                if items.len() + page.results.len() > MOST_ITEMS {
                    let room = MOST_ITEMS.saturating_sub(items.len());
                    items.extend(page.results.into_iter().take(room));
                    return endless("the list has more than 20,000 entries");
                }
                items.extend(page.results);
            }
            let Some(next) = page.next.as_deref().and_then(query_of) else {
                return Ok(());
            };
            if is_known {
                return endless("the list repeats itself and does not end");
            }
            if items.len() >= MOST_ITEMS {
                return endless("the list has more than 20,000 entries");
            }
            if bytes >= LONGEST_LIST {
                return endless("the list is longer than 64 MiB");
            }
            seen.insert(std::mem::replace(&mut call.query, next));
            if seen.contains(&call.query) {
                return endless("the list leads back to a page that has already been read");
            }
        }
        endless("the list has more than 500 pages")
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    #[serde(default)]
    pub(crate) next: Option<String>,
    pub(crate) results: Vec<T>,
}

fn query_of(next: &str) -> Option<Vec<(String, String)>> {
    let url = Url::parse(next)
        .or_else(|_| Url::parse("http://127.0.0.1/").and_then(|base| base.join(next)))
        .ok()?;
    Some(url.query_pairs().into_owned().collect())
}

/// The first hundred of a page and its last one: enough to tell whether the page was read already, and few enough
/// to be looked for among all that were read.
fn sample<T>(page: &[T]) -> impl Iterator<Item = &T> {
    page.iter().take(100).chain(page.last())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_next_link_of_another_host_keeps_only_its_query() {
        let query = query_of("https://elsewhere.example/api/x/?limit=2&offset=4").unwrap();
        assert_eq!(
            query,
            [("limit".into(), "2".into()), ("offset".into(), "4".into())]
        );
    }
}
