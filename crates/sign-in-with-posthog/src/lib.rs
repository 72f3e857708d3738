//! Sign in with PostHog from a native program, and stay signed in.
