//! Every PostHog project you have, at a glance.
