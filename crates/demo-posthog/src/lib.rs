//! An embedded PostHog with invented data, for the demo and for tests.
//!
//! Two regions on two loopback ports, faithful in what a client can see: a real OAuth server with a
//! consent page, the REST endpoints that PocketHog uses with their exact error bodies, and queries that
//! are executed over invented events. A test controls it through [`Instance`]: time, faults, revocations, counters.
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

mod api;
mod demo;
mod endpoint;
mod instance;
mod listener;
mod oauth;
mod pages;
mod region;
mod request;
mod response;
mod route;
mod router;
mod world;

pub use demo::{Demo, Options};
pub use endpoint::Endpoint;
pub use instance::{ApiKeyOptions, Instance, SignedIn};
pub use oauth::consent::Consent;
pub use region::annotations::Annotation;
pub use region::behaviour::{Behaviour, ReadBudget};
pub use region::counters::Counters;
pub use region::events::Event;
pub use region::faults::{Edit, Failure, Fault, When};
pub use region::reach::Reach;
pub use world::{Organization, Person, Project, RegionName, Size, World};
