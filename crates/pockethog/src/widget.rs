//! Widgets: a short-lived process that prints the numbers of a few projects and exits.
//!
//! It reads the Snapshots, and if these are older than wanted it refreshes just the projects it
//! shows, through the same Vault, Session and API client as the app, and writes the Snapshots for
//! everybody else. A bar starts it every minute and must never hang, so everything that waits has a deadline.
//!
//! The usual case, fresh Snapshots, takes no runtime, no TLS and no HTTP client: [`show`] decides
//! before any of them is made.

mod freshen;

use std::cell::RefCell;
use std::time::Instant;

use jiff::Timestamp;
use sign_in_with_posthog::SignIn;

pub use freshen::PendingRenewals;
use pockethog_core::demo_home;
use pockethog_core::home_version;
use pockethog_core::preferences::Preferences;
use pockethog_core::snapshot::Snapshots;
use pockethog_core::widget::{Asked, Content, Request, Resolve, compose};
use pockethog_device::folders::Folders;

/// What a widget shows, and what is still under way: see [`PendingRenewals`].
pub struct Shown {
    /// What is to be printed.
    pub content: Content,
    /// The preferences that were read.
    pub preferences: Preferences,
    /// Token renewals to finish after printing.
    pub renewals: Option<PendingRenewals>,
    /// What did not keep the numbers from being shown, in sentences for standard error.
    pub remarks: Vec<String>,
}

/// Reads what is known and refreshes what is old. Never fails: what went wrong is in the content.
pub fn show(folders: &Folders, request: &Request, resolve: Resolve<'_>) -> Shown {
    let deadline = Instant::now() + request.patience;
    // A bar that starts this every minute gets no word about the preferences: the page and `status` have it.
    let (preferences, _) = Preferences::load(&folders.preferences());
    let widget = Widget {
        folders,
        asked: Asked {
            request,
            resolve,
            preferences: &preferences,
            started: Timestamp::now(),
        },
        remarks: RefCell::default(),
    };
    let mut renewals = None;
    let device_folder = SignIn::device_folder_in(&folders.state);
    let mut content = if let Err(error) = demo_home::find(folders) {
        widget.failed(&error)
    } else if let Err(error) = folders.claim(&device_folder) {
        widget.failed(&error)
    } else if let Err(error) = home_version::check(folders) {
        widget.failed(&error)
    } else {
        widget.look()
    };
    if !request.offline && content.is_due() {
        (content, renewals) = freshen::run(&widget, deadline);
    }
    let remarks = widget.remarks.take();
    Shown {
        content,
        preferences,
        renewals,
        remarks,
    }
}

/// One run of a widget.
struct Widget<'a> {
    folders: &'a Folders,
    asked: Asked<'a>,
    remarks: RefCell<Vec<String>>,
}

impl Widget<'_> {
    /// What is known now.
    fn look(&self) -> Content {
        Snapshots::look(&self.folders.snapshots(), |snapshots| {
            self.content(snapshots)
        })
    }

    /// What is known now, by a new look at the list of Connections.
    fn content(&self, snapshots: Option<&Snapshots>) -> Content {
        match SignIn::connections_in(&self.folders.state) {
            Ok(connections) => compose(&self.asked, snapshots, &connections),
            Err(error) => self.failed(&error),
        }
    }

    /// Nothing but why nothing is shown.
    fn failed(&self, error: &dyn std::error::Error) -> Content {
        Content::failed(self.asked.request, Timestamp::now(), error.to_string())
    }
}
