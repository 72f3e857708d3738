//! Runs both regions until it is stopped, for looking at the pages and for trying requests.

use demo_posthog::{Demo, Options};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let demo = Demo::start(Options::default()).await?;
    println!("US {}\nEU {}", demo.us().address(), demo.eu().address());
    std::future::pending().await
}
