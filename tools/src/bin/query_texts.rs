//! Prints every query text that the program can send, one JSON object per line, for the check by
//! PostHog's own grammar.

fn main() {
    let texts = pockethog_core::overview::all_query_texts();
    let history = pockethog_core::history::query_texts();
    let causes = pockethog_core::causes::query_texts();
    let digest = pockethog_core::digest::query_texts();
    let volumes = pockethog_core::conversions::volume_query();
    for query in texts
        .iter()
        .chain(&history)
        .chain(&causes)
        .chain(&digest)
        .chain([&volumes])
    {
        println!(
            "{}",
            serde_json::json!({ "name": query.name, "query": query.text })
        );
    }
}
