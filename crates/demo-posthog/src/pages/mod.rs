//! The pages that a person sees: login, consent, connected apps. Plain forms, no scripts.

use crate::answer::Answer;
use crate::call::Call;
use crate::route::Route;
use crate::server::Server;

pub(crate) fn answer(_server: &Server, _call: &Call, _route: &Route) -> Answer {
    Answer::html(404, "")
}
