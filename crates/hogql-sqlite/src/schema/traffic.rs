//! Who sends events: people, crawlers, programs. PostHog tells by the user agent while a query runs.

use super::Schema;
use crate::sql::Sql;
use crate::types::{Kind, Type};

/// The virtual fields of an event.
const FIELDS: [&str; 5] = [
    "$virt_is_bot",
    "$virt_traffic_type",
    "$virt_traffic_category",
    "$virt_bot_name",
    "$virt_bot_operator",
];

/// What a user agent says about who sends it.
#[derive(Clone, Copy)]
struct Sender {
    /// A part of the user agent.
    sign: &'static str,
    name: &'static str,
    operator: &'static str,
    category: &'static str,
    traffic: &'static str,
}

const fn sender(
    sign: &'static str,
    name: &'static str,
    operator: &'static str,
    category: &'static str,
    traffic: &'static str,
) -> Sender {
    Sender {
        sign,
        name,
        operator,
        category,
        traffic,
    }
}

/// The most specific ones first.
const SENDERS: [Sender; 18] = [
    sender("GPTBot", "GPTBot", "OpenAI", "ai_crawler", "AI Agent"),
    sender(
        "ChatGPT-User",
        "ChatGPT",
        "OpenAI",
        "ai_assistant",
        "AI Agent",
    ),
    sender(
        "OAI-SearchBot",
        "OAI-SearchBot",
        "OpenAI",
        "ai_search",
        "AI Agent",
    ),
    sender("ClaudeBot", "Claude", "Anthropic", "ai_crawler", "AI Agent"),
    sender(
        "PerplexityBot",
        "Perplexity",
        "Perplexity",
        "ai_search",
        "AI Agent",
    ),
    sender("Googlebot", "Googlebot", "Google", "search_crawler", "Bot"),
    sender("bingbot", "Bingbot", "Microsoft", "search_crawler", "Bot"),
    sender(
        "DuckDuckBot",
        "DuckDuckBot",
        "DuckDuckGo",
        "search_crawler",
        "Bot",
    ),
    sender("Applebot", "Applebot", "Apple", "search_crawler", "Bot"),
    sender("AhrefsBot", "Ahrefs", "Ahrefs", "seo_crawler", "Bot"),
    sender("SemrushBot", "Semrush", "Semrush", "seo_crawler", "Bot"),
    sender(
        "facebookexternalhit",
        "Facebook",
        "Meta",
        "social_crawler",
        "Bot",
    ),
    sender("Slackbot", "Slack", "Slack", "social_crawler", "Bot"),
    sender(
        "UptimeRobot",
        "UptimeRobot",
        "UptimeRobot",
        "monitoring",
        "Bot",
    ),
    sender("curl/", "curl", "", "http_client", "Automation"),
    sender(
        "python-requests/",
        "Python Requests",
        "",
        "http_client",
        "Automation",
    ),
    sender(
        "Go-http-client/",
        "Go HTTP Client",
        "",
        "http_client",
        "Automation",
    ),
    sender(
        "HeadlessChrome",
        "Headless Chrome",
        "",
        "headless_browser",
        "Automation",
    ),
];

/// What sends no user agent, such as an app on a telephone or a server, is a bot to PostHog.
const NAMELESS: Sender = sender("", "", "", "no_user_agent", "Automation");

const REGULAR: Sender = sender("", "", "", "regular", "Regular");

impl Schema<'_> {
    /// Whether this server knows such a field.
    pub(super) fn is_of_traffic(&self, name: &str) -> bool {
        self.knows_bots && FIELDS.contains(&name)
    }

    /// A virtual field of an event.
    pub(super) fn traffic(&self, rows: &str, name: &str) -> Option<Sql> {
        let agents: Vec<(i64, Sender)> = self
            .words
            .iter()
            .filter_map(|(text, number)| {
                let known = SENDERS.iter().find(|known| text.contains(known.sign))?;
                Some((*number, *known))
            })
            .collect();
        // An empty user agent counts as a missing one.
        let empty = self.words.get("").copied().unwrap_or(-1);
        let agent = format!("ifnull({rows}.agent, {empty})");
        if name == "$virt_is_bot" {
            let numbers = agents.iter().map(|(number, _)| *number).chain([empty]);
            let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
            return Some(Sql::new(
                format!("({agent} IN ({}))", numbers.join(", ")),
                Type::plain(Kind::Boolean),
            ));
        }
        let value = |sender: &Sender| match name {
            "$virt_traffic_type" => Some(sender.traffic),
            "$virt_traffic_category" => Some(sender.category),
            "$virt_bot_name" => Some(sender.name),
            "$virt_bot_operator" => Some(sender.operator),
            _ => None,
        };
        let mut text = format!("(CASE {agent}");
        for (number, sender) in agents.iter().chain([&(empty, NAMELESS)]) {
            text.push_str(" WHEN ");
            text.push_str(&number.to_string());
            text.push_str(" THEN '");
            text.push_str(value(sender)?);
            text.push('\'');
        }
        text.push_str(" ELSE '");
        text.push_str(value(&REGULAR)?);
        text.push_str("' END)");
        Some(Sql::new(text, Type::plain(Kind::Text)))
    }
}
