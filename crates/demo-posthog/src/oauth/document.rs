//! Client ids that are the address of a metadata document (OAuth Client ID Metadata Document).
//!
//! Nothing is fetched from the web: [`crate::Instance::publish_client`] puts documents where this looks. The
//! token endpoint looks nowhere: it knows the clients that somebody has authorized.

use serde_json::Value;
use url::Url;

use crate::region::Region;
use crate::region::clients::{Client, Kind, check_redirect_uri};

/// Longest document that is read, in bytes.
const LONGEST: usize = 5 * 1024;

/// The client of a document, known from now on. The error is what the browser shows.
pub(super) fn fetch(region: &Region, address: &str) -> Result<Client, String> {
    check_address(address)?;
    let document = region.grants().documents.get(address).cloned();
    let document = document.ok_or("The client metadata document could not be fetched.")?;
    let client = read(address, &document)?;
    let mut grants = region.grants();
    grants.clients.insert(address.to_owned(), client.clone());
    Ok(client)
}

fn check_address(address: &str) -> Result<(), String> {
    let url = Url::parse(address).map_err(|_| "Invalid client_id URL.")?;
    let bare = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if bare && url.path() != "/" {
        Ok(())
    } else {
        Err("Invalid client_id URL.".to_owned())
    }
}

fn read(address: &str, document: &Value) -> Result<Client, String> {
    if document.to_string().len() > LONGEST {
        return Err("The client metadata document is too large.".to_owned());
    }
    if document["client_id"] != address {
        return Err("client_id does not match the document's address.".to_owned());
    }
    let method = &document["token_endpoint_auth_method"];
    if !method.is_null() && method != "none" {
        return Err("Unsupported token_endpoint_auth_method.".to_owned());
    }
    let addresses = document["redirect_uris"].as_array();
    let addresses: Option<Vec<String>> = addresses.and_then(|list| {
        let texts = list.iter().map(|address| address.as_str());
        texts.map(|text| text.map(ToOwned::to_owned)).collect()
    });
    let redirect_uris = addresses
        .filter(|list| !list.is_empty())
        .ok_or("redirect_uris must be a list of strings.")?;
    for address in &redirect_uris {
        check_redirect_uri(address)?;
    }
    Ok(Client {
        id: address.to_owned(),
        kind: Kind::Dynamic,
        name: document["client_name"]
            .as_str()
            .unwrap_or("CIMD Client")
            .to_owned(),
        redirect_uris,
        scopes: Vec::new(),
        secret: None,
    })
}
