//! An embedded PostHog with invented data, for the demo and for tests.
//!
//! Two regions on two loopback ports, faithful where a client can see it: a real OAuth server with a
//! consent page, the REST endpoints that PocketHog uses with their exact error bodies, and queries that
//! are executed over invented events. A test steers it through [`Instance`]: time, faults, revocations, counters.
//!
//! # Pages, for browser tests
//!
//! All pages work without scripts. Their controls have fixed names:
//!
//! | page | controls |
//! |---|---|
//! | `/login?next=…` | buttons `#login-as-1`, `#login-as-2` (the number of the person) |
//! | `/oauth/authorize/?…` | radios `access_level` (`all`, `organization`, `project`; ids `#access-all`, …), checkboxes `organization` and `project` (value: UUID or number; ids `#organization-UUID`, `#project-NUMBER`), per scope object radios `scope.annotation` (`none`, `read`, `write`; ids `#scope-annotation-write`, …), buttons `#authorize`, `#deny`, `#switch-account` |
//! | `/settings/connected-apps` | a button `#revoke-CLIENT_ID` per application, `#log-out` |
//!
//! # A sign-in without a browser
//!
//! [`Instance::consent`] takes the address that a client would open and returns the redirect back,
//! through the same code as the page's form.

mod answer;
mod api;
mod behaviour;
mod call;
mod clock;
mod counters;
mod demo;
mod events;
mod faults;
mod instance;
mod listener;
mod oauth;
mod pages;
mod route;
mod server;
mod store;
mod throttle;
mod world;

pub use api::annotations::Annotation;
pub use behaviour::{Behaviour, ReadBudget};
pub use counters::Counters;
pub use demo::{Demo, Options};
pub use events::Event;
pub use faults::{Edit, Endpoint, Failure, Fault, When};
pub use instance::{ApiKeyOptions, Instance, SignedIn};
pub use oauth::consent::Consent;
pub use oauth::grant::Reach;
pub use world::{Organization, Person, Project, RegionName, Size, World};
