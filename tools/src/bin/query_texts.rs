//! Prints every query text that the program can send, one JSON object per line, for the check by
//! PostHog's own grammar.

fn main() {
    let texts = pockethog_core::overview::all_query_texts();
    for query in texts.iter().chain(&pockethog_core::history::query_texts()) {
        println!(
            "{}",
            serde_json::json!({ "name": query.name, "query": query.text })
        );
    }
}
