//! Properties of everything that is parsed from outside: no input makes a panic, and what is accepted
//! keeps the rules.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use sign_in_with_posthog::fuzzing;
use sign_in_with_posthog::{AuthorizationResponse, CallbackError, Connection, Host, Scopes};

proptest! {
    #[test]
    fn any_query_is_parsed_or_refused(query in "[a-z=&%+0-9A-F]{0,200}|.{0,200}") {
        drop(AuthorizationResponse::parse_query(&query));
        drop(AuthorizationResponse::parse_pasted(&query));
    }

    #[test]
    fn rule_r3_any_duplicate_is_refused(
        name in "code|state|error|iss",
        one in "[a-z]{1,9}",
        two in "[a-z]{1,9}",
        between in "[a-z]{0,9}",
    ) {
        let query = format!("code=a&state=b&{name}={one}&x={between}&{name}={two}");
        let parsed = AuthorizationResponse::parse_query(&query);
        prop_assert!(matches!(
            parsed,
            Err(CallbackError::Duplicate(_) | CallbackError::CodeAndError)
        ));
    }

    #[test]
    fn a_pasted_address_survives_line_breaks(at in 0usize..60, code in "[a-zA-Z0-9]{20,40}") {
        let mut address = format!("http://127.0.0.1:4242/callback?code={code}&state=s");
        prop_assert!(AuthorizationResponse::parse_pasted(&address).is_ok());
        address.insert_str(at, " \r\n ");
        prop_assert!(AuthorizationResponse::parse_pasted(&address).is_ok());
    }

    #[test]
    fn any_address_is_parsed_or_refused(typed in "\\PC{0,80}|(https?://)?[a-z0-9.:@/\\[\\]-]{0,40}") {
        if let Ok(host) = Host::self_hosted(&typed) {
            prop_assert!(host.base_url().path() == "/");
            prop_assert!(host.base_url().username().is_empty());
            let again = Host::self_hosted(host.base_url().as_str()).unwrap();
            prop_assert_eq!(again, host);
        }
    }

    #[test]
    fn scopes_come_back_and_are_enough_for_themselves(text in "([a-z_]{1,8}:(read|write) ?){0,6}") {
        let scopes = Scopes::parse(&text);
        prop_assert_eq!(Scopes::parse(&scopes.to_string()), scopes.clone());
        prop_assert!(scopes.missing_from(&scopes).is_empty());
    }

    #[test]
    fn any_connection_is_parsed_or_refused(text in "\\{.{0,200}\\}") {
        drop(serde_json::from_str::<Connection>(&text));
    }

    #[test]
    fn any_token_answer_is_read_or_refused(
        access in value(), refresh in value(), kind in value(), expires in value(),
        scope in value(), teams in value(), organizations in value(), id_token in value(),
    ) {
        fuzzing::token_answer(format!(
            r#"{{"access_token":{access},"refresh_token":{refresh},"token_type":{kind},
                "expires_in":{expires},"scope":{scope},"scoped_teams":{teams},
                "scoped_organizations":{organizations},"id_token":{id_token}}}"#
        ).as_bytes());
    }

    #[test]
    fn any_record_is_read_or_refused(
        access in value(), refresh in value(), expires in value(), scopes in value(),
        endpoint in value(), trouble in value(), generation in value(),
    ) {
        fuzzing::record(format!(
            r#"{{"version":1,"generation":{generation},"content":{{"kind":"tokens",
                "access_token":{access},"refresh_token":{refresh},"expires_at":{expires},
                "obtained_at":0,"scopes":{scopes},"subject":"s","client_id":"c",
                "registered_dynamically":true,"token_endpoint":{endpoint},
                "revocation_endpoint":null,"trouble":{trouble}}}}}"#
        ).as_bytes());
    }

    #[test]
    fn any_request_head_is_answered(
        method in "GET|POST|[A-Z]{0,9}",
        target in "/callback\\?[a-z=&%]{0,60}|\\PC{0,60}",
        host in "127.0.0.1:4242|\\PC{0,20}",
        rest in "\\PC{0,60}",
    ) {
        fuzzing::request_head(&format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{rest}"));
        fuzzing::request_head(&rest);
        fuzzing::id_token(&rest);
    }
}

/// JSON that a careless server may put anywhere.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z_:]{1,12}( [a-z_:]{1,12}){0,2}".prop_map(|text| format!("{text:?}")),
        1 => Just("\"Bearer\"".to_owned()),
        1 => Just("\"https://us.posthog.com/oauth/token/\"".to_owned()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>()
            .prop_filter("JSON has no such number", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        1 => Just("null".to_owned()),
        1 => Just("[]".to_owned()),
        1 => Just("[1,2]".to_owned()),
        1 => Just("{}".to_owned()),
    ]
}
