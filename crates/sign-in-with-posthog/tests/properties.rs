//! Properties of everything that is parsed from outside: no input makes a panic, and what is accepted
//! keeps the rules.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
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
}
