use reqwest::Method;
use serde_json::json;

use crate::harness::Harness;

#[tokio::test]
async fn the_authorization_server_describes_itself_with_its_region() {
    let harness = Harness::start().await;
    let base = harness.us().address();
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/",
    ] {
        let seen = harness.send(harness.request(Method::GET, path)).await;
        let body = seen.json();
        assert_eq!(seen.header("access-control-allow-origin"), "*");
        assert_eq!(body["issuer"], base);
        assert_eq!(body["token_endpoint"], format!("{base}/oauth/token/"));
        assert_eq!(body["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(body["posthog_region"], "us");
        assert_eq!(body["posthog_base_url"], base);
        assert!(
            body.get("authorization_response_iss_parameter_supported")
                .is_none()
        );
    }
}

#[tokio::test]
async fn openid_and_the_protected_resource_are_described_too() {
    let harness = Harness::start().await;
    let openid = harness
        .send(harness.request(Method::GET, "/.well-known/openid-configuration"))
        .await
        .json();
    assert_eq!(
        openid["id_token_signing_alg_values_supported"],
        json!(["RS256"])
    );
    assert!(openid.get("posthog_region").is_none());
    let path = "/.well-known/oauth-protected-resource";
    let resource = harness
        .send(harness.request(Method::GET, path))
        .await
        .json();
    assert_eq!(
        resource["authorization_servers"],
        json!([harness.us().address()])
    );
}

#[tokio::test]
async fn a_self_hosted_one_names_no_region() {
    let harness = Harness::start().await;
    harness.us().play_self_hosted();
    let path = "/.well-known/oauth-authorization-server";
    let body = harness
        .send(harness.request(Method::GET, path))
        .await
        .json();
    assert!(body.get("posthog_region").is_none() && body.get("posthog_base_url").is_none());
}
