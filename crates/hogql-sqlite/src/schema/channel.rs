//! Which channel brought a session: PostHog's default rules, as far as events here tell them apart.

use super::events::campaign;
use crate::sql::Sql;
use crate::types::{Kind, Type};

/// Media that are paid for.
const PAID: &str = "'cpc', 'cpm', 'cpv', 'cpa', 'ppc', 'retargeting'";

/// Sources and referring domains of a kind; kind without and with payment.
const SOURCES: [(&str, &str, &str); 4] = [
    (
        "'google', 'www.google.com', 'bing', 'www.bing.com', 'duckduckgo', 'duckduckgo.com', 'ecosia', 'www.ecosia.org'",
        "Organic Search",
        "Paid Search",
    ),
    (
        "'facebook', 'www.facebook.com', 'twitter', 't.co', 'linkedin', 'www.linkedin.com', 'bsky.app', 'reddit', \
         'www.reddit.com', 'news.ycombinator.com', 'hackernews'",
        "Organic Social",
        "Paid Social",
    ),
    (
        "'youtube', 'www.youtube.com', 'vimeo.com'",
        "Organic Video",
        "Paid Video",
    ),
    ("'chatgpt.com', 'perplexity.ai', 'claude.ai'", "AI", "AI"),
];

/// Media that say the channel by themselves.
const MEDIA: [(&str, &str); 6] = [
    ("'email', 'e-mail', 'newsletter'", "Email"),
    ("'affiliate', 'affiliates'", "Affiliate"),
    ("'audio', 'podcast'", "Audio"),
    ("'sms'", "SMS"),
    ("'push', 'mobile', 'notification'", "Push"),
    ("'social', 'social-media'", "Organic Social"),
];

/// `$channel_type` of a session.
pub(super) fn channel_type(rows: &str) -> Sql {
    let read = |name: &str| {
        let read = campaign(rows, name).map_or_else(|| "NULL".to_owned(), |sql| sql.text);
        format!("nullif(lower({read}), '')")
    };
    let (source, medium) = (read("source"), read("medium"));
    let campaign_name = read("campaign");
    let referrer = format!("h_word({rows}.referrer)");
    let by_source = |of: &str, paid: bool| {
        let lines: Vec<String> = SOURCES
            .iter()
            .map(|(known, organic, bought)| {
                format!(
                    "WHEN {of} IN ({known}) THEN '{}'",
                    if paid { bought } else { organic }
                )
            })
            .collect();
        format!("(CASE {} END)", lines.join(" "))
    };
    let media: Vec<String> = MEDIA
        .iter()
        .map(|(known, channel)| format!("WHEN {medium} IN ({known}) THEN '{channel}'"))
        .collect();
    let text = format!(
        "(CASE WHEN {campaign_name} = 'cross-network' THEN 'Cross Network' \
         WHEN {medium} IN ({PAID}) OR {medium} LIKE 'paid%' \
         THEN coalesce({paid_source}, {paid_referrer}, 'Paid Unknown') \
         WHEN {referrer} = '$direct' AND {medium} IS NULL AND ifnull({source}, 'direct') IN ('(direct)', 'direct', '$direct') \
         THEN 'Direct' \
         ELSE coalesce({from_source}, (CASE {media} END), {from_referrer}, \
         CASE WHEN {referrer} = '$direct' THEN 'Direct' WHEN {referrer} IS NOT NULL THEN 'Referral' ELSE 'Unknown' END) END)",
        paid_source = by_source(&source, true),
        paid_referrer = by_source(&referrer, true),
        from_source = by_source(&source, false),
        media = media.join(" "),
        from_referrer = by_source(&referrer, false),
    );
    Sql::new(text, Type::plain(Kind::Text))
}
