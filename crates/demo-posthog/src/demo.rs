//! Both regions, started together.

use std::io;
use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::instance::Instance;
use crate::listener::{Cut, Door};
use crate::server::{Server, respond};
use crate::world::{RegionName, Size, World};

/// How to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides every invented event; one seed, one world.
    pub seed: u64,
    /// How much there is to see.
    pub size: Size,
    /// Where the clock stands until [`Instance::advance_clock`] moves it; `None`: the device's clock.
    pub now: Option<Timestamp>,
    /// Port of the US region; 0: any.
    pub us_port: u16,
    /// Port of the EU region; 0: any.
    pub eu_port: u16,
    /// Address that the US region gives for itself, where something stands before it; `None`: its own.
    pub us_address: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 20_260_401,
            size: Size::Standard,
            now: None,
            us_port: 0,
            eu_port: 0,
            us_address: None,
        }
    }
}

/// Two running regions. Dropping it stops both.
#[derive(Debug)]
pub struct Demo {
    us: Instance,
    eu: Instance,
    /// A region stops when its sender is gone.
    _stop: [oneshot::Sender<()>; 2],
}

impl Demo {
    /// Starts both regions on 127.0.0.1; they answer when this returns.
    pub async fn start(options: Options) -> io::Result<Self> {
        let (us, stop_us) = region(
            RegionName::Us,
            options.us_port,
            options.us_address.clone(),
            &options,
        )
        .await?;
        let (eu, stop_eu) = region(RegionName::Eu, options.eu_port, None, &options).await?;
        Ok(Self {
            us,
            eu,
            _stop: [stop_us, stop_eu],
        })
    }

    /// The US region.
    pub fn us(&self) -> &Instance {
        &self.us
    }

    /// The EU region.
    pub fn eu(&self) -> &Instance {
        &self.eu
    }
}

async fn region(
    name: RegionName,
    port: u16,
    address: Option<String>,
    options: &Options,
) -> io::Result<(Instance, oneshot::Sender<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let own = format!("http://{}", listener.local_addr()?);
    let server = Arc::new(Server::new(
        name,
        address.unwrap_or(own),
        Clock::new(options.now),
        World::new(name, options.size),
        options.seed,
    ));
    let router = Router::new()
        .fallback(respond)
        .with_state(Arc::clone(&server))
        .into_make_service_with_connect_info::<Cut>();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(Door::new(listener, Arc::clone(&server)), router)
        .with_graceful_shutdown(async {
            // The sender says nothing; it goes away.
            drop(stopped.await);
        });
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the embedded PostHog stopped");
        }
    });
    Ok((Instance::new(server), stop))
}
