//! `/api/users/@me/`: the only endpoint that a Reach does not limit.

use serde_json::{Value, json};

use super::credential::Credential;
use super::{allow, errors, organizations, projects};
use crate::region::Region;
use crate::request::Request;
use crate::response::Response;
use crate::world::Person;

/// The person who asks.
pub(crate) fn current(region: &Region, request: &Request) -> Result<Response, Response> {
    let credential = Credential::of(region, request)?;
    allow(request, &["GET"])?;
    credential.require("user:read")?;
    let person = region
        .world
        .person(credential.person)
        .ok_or_else(|| errors::not_found("Not found."))?;
    let mut body = basic(person);
    if let Value::Object(members) = &mut body {
        let organization = credential.current_organization(region);
        let project = credential.current_project(region);
        let all: Vec<Value> = region
            .world
            .organizations_of(person.id)
            .map(|organization| organizations::basic(organization, person.id))
            .collect();
        for (name, value) in [
            ("date_joined", json!("2024-02-05T09:00:00Z")),
            ("is_staff", json!(false)),
            ("has_password", json!(true)),
            ("theme_mode", Value::Null),
            (
                "organization",
                json!(organization.map(|known| organizations::full(region, known, person.id))),
            ),
            ("team", json!(project.map(projects::basic))),
            ("organizations", json!(all)),
        ] {
            members.insert(name.to_owned(), value);
        }
    }
    Ok(Response::json(200, &body))
}

/// A person as `created_by` shows them.
pub(crate) fn basic(person: &Person) -> Value {
    json!({
        "id": person.id,
        "uuid": person.uuid,
        "distinct_id": person.uuid.replace('-', ""),
        "first_name": person.given_name,
        "last_name": person.family_name,
        "email": person.email,
        "is_email_verified": true,
        "hedgehog_config": null,
        "role_at_organization": "other",
    })
}
