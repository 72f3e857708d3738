//! What keeps this device from talking to PostHog: certificates, proxies, hosts, and the clock.

use std::time::{Duration, Instant, SystemTime};

use reqwest::header::DATE;
use sign_in_with_posthog::{Connection, Host, Region, RequestError};

use super::Finding;
use pockethog_core::app_context::AppContext;

/// A clock that is off by more than this many seconds is worth a word.
const CLOCK_WARNING: i64 = 120;

/// A clock that is off by more than this many seconds keeps people from signing in.
const CLOCK_FAILURE: i64 = 600;

/// How long a Host may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What keeps every connection from being trusted.
pub(super) fn certificates() -> Option<Finding> {
    let error = pockethog_device::http::check_certificates().err()?;
    let cause = std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
    Some(Finding::fail(
        "Certificates",
        format!("the system's certificates cannot be loaded, so no PostHog is trusted: {cause}"),
        "Install them (`ca-certificates` on Debian, Fedora and Alpine), or name a file with SSL_CERT_FILE.",
    ))
}

/// What ends every request that a proxy is meant for.
pub(super) fn proxy() -> Option<Finding> {
    let mistake = pockethog_device::proxy::check_variables().err()?;
    let advice = "Correct the variable, or unset it.";
    Some(Finding::fail("Proxy", mistake.to_string(), advice))
}

/// Asks the Hosts of the Connections, or both Clouds if nobody is signed in.
pub(super) async fn hosts(program: &AppContext, connections: &[Connection]) -> Vec<Finding> {
    let mut hosts: Vec<Host> = connections
        .iter()
        .filter(|connection| connection.is_active())
        .map(|connection| connection.host.clone())
        .collect();
    if hosts.is_empty() {
        hosts = [Region::Us, Region::Eu]
            .map(|region| program.clouds.host(region).clone())
            .to_vec();
    }
    hosts.sort();
    hosts.dedup();
    let looks = hosts.iter().map(|host| reach(program, host));
    futures::future::join_all(looks)
        .await
        .into_iter()
        .flatten()
        .collect()
}

/// Asks a Host for its public metadata, without any credential.
async fn reach(program: &AppContext, host: &Host) -> Vec<Finding> {
    let what = host.name();
    let url = match host
        .base_url()
        .join(".well-known/oauth-authorization-server")
    {
        Ok(url) => url,
        Err(error) => return vec![Finding::fail(what, error.to_string(), "Sign in again.")],
    };
    let started = Instant::now();
    let answer = match program.http.get(url).timeout(PATIENCE).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let (saw, advice) = unreachable(error);
            return vec![Finding::fail(what, saw, advice)];
        }
    };
    let took = started.elapsed().as_millis();
    let now = SystemTime::now();
    let status = answer.status();
    let how = match answer.version() {
        reqwest::Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    };
    let tls = match host.base_url().scheme() {
        "https" => "TLS is fine",
        _ => "no TLS, this device only",
    };
    let mut findings = vec![if status.is_success() || status.as_u16() == 404 {
        Finding::ok(&*what, format!("answers in {took} ms by {how}, {tls}"))
    } else if status.is_redirection() {
        Finding::fail(
            &*what,
            format!("answers with a redirect ({status})"),
            "A network between this device and PostHog requires its own sign-in: open any page in the browser \
             first.",
        )
    } else {
        Finding::warn(
            &*what,
            format!("answers with {status}"),
            "PostHog is busy or down; PocketHog retries by itself.",
        )
    }];
    let date = answer
        .headers()
        .get(DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(|date| httpdate::parse_http_date(date).ok());
    if let Some(date) = date {
        findings.push(clock(&what, seconds(now) - seconds(date)));
    }
    findings
}

/// Unix seconds, negative before 1970.
fn seconds(time: SystemTime) -> i64 {
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => seconds(since),
        Err(before) => -seconds(before.duration()),
    }
}

/// `ahead`: seconds by which this device's clock is ahead of the Host's.
fn clock(host: &str, ahead: i64) -> Finding {
    let what = "Clock";
    let saw = match ahead {
        -1..=1 => format!("as at {host}"),
        2.. => format!("{ahead} s ahead of {host}"),
        _ => format!("{} s behind {host}", -ahead),
    };
    let advice = "Set the system clock from the network.";
    match ahead.abs() {
        0..=CLOCK_WARNING => Finding::ok(what, saw),
        ..=CLOCK_FAILURE => Finding::warn(what, saw, advice),
        _ => Finding::fail(what, format!("{saw}; signing in will fail"), advice),
    }
}

fn unreachable(error: reqwest::Error) -> (String, &'static str) {
    let timed_out = error.is_timeout();
    let cause = RequestError::from(error).to_string();
    if timed_out {
        return (
            "does not answer in time".to_owned(),
            "Check the network, the proxy and the firewall.",
        );
    }
    if cause.contains("certificate") || cause.contains("Certificate") {
        return (
            format!("its certificate is not trusted: {cause}"),
            "A proxy may be decrypting the connection, or your system does not know the certificate: install \
             your organization's certificate in the system.",
        );
    }
    (
        format!("cannot be reached: {cause}"),
        "Check the network, the proxy and the address.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Health;
    use super::*;

    #[test]
    fn a_clock_may_be_a_little_off() {
        assert_eq!(clock("US Cloud", 0).health, Health::Ok);
        assert_eq!(clock("US Cloud", -119).health, Health::Ok);
        assert_eq!(clock("US Cloud", 300).health, Health::Warn);
        let wrong = clock("US Cloud", -3600);
        assert_eq!(wrong.health, Health::Fail);
        assert!(
            wrong.saw.contains("3600 s behind US Cloud"),
            "{}",
            wrong.saw
        );
    }

    #[test]
    fn the_date_of_an_answer_is_read() {
        let date = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(seconds(date), 784_111_777);
        assert_eq!(seconds(SystemTime::UNIX_EPOCH - Duration::from_secs(5)), -5);
    }
}
