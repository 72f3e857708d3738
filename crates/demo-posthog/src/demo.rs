//! Both regions, and a self-hosted PostHog if it is wanted, started together.

use std::io;
use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::instance::Instance;
use crate::listener::{CountingListener, CutHandle};
use crate::region::Region;
use crate::region::clock::Clock;
use crate::router::respond;
use crate::world::{RegionName, Size, World};

/// How to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides every invented event; one seed, one world.
    pub seed: u64,
    /// How much there is to see.
    pub size: Size,
    /// The time at which the clock is stopped until [`Instance::advance_clock`] moves it; `None`: the device's clock runs.
    pub now: Option<Timestamp>,
    /// Port of the US region; 0: any.
    pub us_port: u16,
    /// Port of the EU region; 0: any.
    pub eu_port: u16,
    /// Whether a self-hosted PostHog runs beside the two regions.
    pub self_hosted: bool,
    /// Address that the US region gives for itself, if a proxy is before it; `None`: its own.
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
            self_hosted: false,
            us_address: None,
        }
    }
}

/// Running PostHogs. Dropping it stops all of them.
#[derive(Debug)]
pub struct Demo {
    us: Instance,
    eu: Instance,
    self_hosted: Option<Instance>,
    /// A PostHog stops when its sender is gone.
    _stop: Vec<oneshot::Sender<()>>,
}

impl Demo {
    /// Starts everything on 127.0.0.1; it answers when this returns.
    pub async fn start(options: Options) -> io::Result<Self> {
        let world = |name| World::new(name, options.size);
        let (us, eu) = (RegionName::Us, RegionName::Eu);
        let address = options.us_address.clone();
        let (us, stop_us) = start(us, world(us), options.us_port, address, &options).await?;
        let (eu, stop_eu) = start(eu, world(eu), options.eu_port, None, &options).await?;
        let mut stop = vec![stop_us, stop_eu];
        let mut self_hosted = None;
        if options.self_hosted {
            let world = World::self_hosted();
            let (own, stop_own) = start(RegionName::Us, world, 0, None, &options).await?;
            own.play_self_hosted();
            stop.push(stop_own);
            self_hosted = Some(own);
        }
        Ok(Self {
            us,
            eu,
            self_hosted,
            _stop: stop,
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

    /// The self-hosted PostHog, if [`Options::self_hosted`] asked for it.
    pub fn self_hosted(&self) -> Option<&Instance> {
        self.self_hosted.as_ref()
    }
}

async fn start(
    name: RegionName,
    world: World,
    port: u16,
    address: Option<String>,
    options: &Options,
) -> io::Result<(Instance, oneshot::Sender<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let own = format!("http://{}", listener.local_addr()?);
    let region = Arc::new(Region::new(
        name,
        address.unwrap_or(own),
        Clock::new(options.now),
        world,
        options.seed,
    ));
    let router = Router::new()
        .fallback(respond)
        .with_state(Arc::clone(&region))
        .into_make_service_with_connect_info::<CutHandle>();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(CountingListener::new(listener, Arc::clone(&region)), router)
        .with_graceful_shutdown(async {
            // The sender says nothing; it goes away.
            drop(stopped.await);
        });
    tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the embedded PostHog stopped");
        }
    });
    Ok((Instance::new(region), stop))
}
