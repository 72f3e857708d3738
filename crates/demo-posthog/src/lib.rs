//! An embedded PostHog with invented data, for the demo and for tests.
