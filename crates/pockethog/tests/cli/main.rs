//! The command line as a person and a script meet it: the program is started, its output and its exit
//! code are looked at, and PostHog is the embedded one.

mod annotations;
mod demo;
mod ended;
mod harness;
mod hostile;
mod patience;
mod preferences;
mod projects;
mod proxy;
mod queries;
mod seen_by_others;
mod shape;
mod sign_in;
mod storage;
mod usage;
