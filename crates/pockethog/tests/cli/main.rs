//! The command line as users and scripts see it: each test starts the program against the embedded PostHog and checks
//! its output and exit code.

mod alerts;
mod annotations;
mod autostart;
mod demo;
mod digest;
mod ended;
mod harness;
mod hostile;
mod leaving;
mod moved;
mod newer_home;
mod patience;
mod preferences;
mod projects;
mod proxy;
mod queries;
mod report;
mod seen_by_others;
mod shape;
mod sign_in;
mod storage;
mod stored_home;
mod usage;
