//! Prints every query text that the program can send, one JSON object per line, for the check by
//! PostHog's own grammar.

fn main() {
    for query in pockethog_core::overview::all_query_texts() {
        println!(
            "{}",
            serde_json::json!({ "name": query.name, "query": query.text })
        );
    }
}
