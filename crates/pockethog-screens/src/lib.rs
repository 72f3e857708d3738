//! What the screens of PocketHog show, as plain data: instants and keys, never "12 min ago", never a path, no markup.
//!
//! A page, a terminal, a command or a phone draws a [`Home`], a [`ProjectScreen`] or a [`ProjectList`], and decides
//! nothing that another surface would have to decide again: sums, order, filter, what has moved, what is stale and why,
//! what could not be read and the status are computed here, once.

mod arrangement;
mod card;
mod digest;
mod ends;
mod failures;
mod home;
mod noted;
mod offers;
mod problems;
mod project;
mod projects;
#[cfg(test)]
mod samples;
mod sources;
mod total;

pub use arrangement::{Arrangement, Shown, Sort};
pub use card::{Card, Figures, Numbers, Stale, Unreadable};
pub use digest::{Digest, DigestMove, DigestProject, DigestRun, DigestSource, Figure};
pub use ends::{AnnouncedEnds, End, ends};
pub use home::Home;
pub use noted::{MoveNote, MovedHere};
pub use offers::SignInOffer;
pub use problems::Problem;
pub use project::{AnnotationAccess, ProjectScreen, Remedy, Sibling};
pub use projects::{ListedProject, ProjectList};
pub use sources::{Freshness, Source, Sources, Stored};
pub use total::Total;
