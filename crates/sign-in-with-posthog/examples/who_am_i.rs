//! Signs in with the browser and prints as whom. The argument is the address of a self-hosted PostHog.

use sign_in_with_posthog::{Config, Host, LoopbackListener, Page, Region, Scopes, SignIn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = match std::env::args().nth(1) {
        Some(address) => Host::self_hosted(&address)?,
        None => Host::cloud(Region::Us),
    };
    let folder = std::env::home_dir().ok_or("no home")?.join(".who-am-i");
    let scopes = Scopes::parse("openid profile email");
    let sign_in = SignIn::open(Config::new(folder, "Who am I", scopes))?;

    let listener = LoopbackListener::bind().await?;
    let redirect = listener.redirect_uri();
    let attempt = sign_in.begin(&host, &redirect, &Scopes::default()).await?;
    println!("Open {}", attempt.printed_start_url());
    let arrival = listener.wait(&attempt).await.ok_or("nobody came")?;
    let result = sign_in.complete(&attempt, &arrival.response).await;
    arrival.finish(Page::of(&result)).await;

    let connection = result?;
    let token = sign_in.session(&connection.id).access_token().await?;
    println!("Signed in as {}", connection.account.label());
    println!("The token has {} letters", token.expose().len());
    Ok(())
}
