//! A typed client for the part of PostHog's REST and query API that PocketHog needs.
