//! The app: how long its home page takes, and what it costs while nobody looks.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, header};

use crate::harness::Harness;
use crate::measure::run;
use crate::processes::LATENCY;
use crate::report::{Report, megabytes, shown};

/// How long an idle app is watched.
const WATCH: Duration = Duration::from_secs(30);

/// The home page from Snapshots, with more and more projects.
pub async fn pages(program: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    for (projects, limit) in [(14, "3 ms"), (500, "15 ms"), (2_000, "50 ms")] {
        let harness = Harness::of(projects).await?;
        run(&harness.command(program, &["overview"]))?;
        let app = App::start(&harness, program).await?;
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..60 {
            let started = Instant::now();
            bytes = app.home().await?;
            times.push(started.elapsed());
        }
        times.sort();
        let [fastest, .., _] = times.as_slice() else {
            return Err("no page was measured".into());
        };
        let middle = times.get(times.len() / 2).copied().unwrap_or_default();
        report.bar(
            &format!("home page from Snapshots, {projects} projects, request to last byte"),
            limit,
            format!("{} (fastest {})", shown(middle), shown(*fastest)),
        );
        if projects == 14 {
            report.bar(
                "… compressed",
                "60 kB",
                format!("{:.1} kB", bytes as f64 / 1e3),
            );
        }
    }
    Ok(())
}

/// From the first look at the page to its last number, for somebody who has just signed in and has 2,000
/// projects in 50 organizations.
pub async fn first_dashboard(program: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let harness = Harness::of(2_000).await?;
    // The events of each project are invented when first asked for, which is not the app's time.
    let overview = harness.command(program, &["overview"]);
    run(&overview)?;
    Harness::within_one_minute().await;
    run(&overview)?;
    let mut took = [Duration::ZERO; 2];
    for (took, latency) in took.iter_mut().zip([LATENCY, Duration::ZERO]) {
        fs::remove_dir_all(&harness.folders().cache)?;
        let app = App::start(&harness, program).await?;
        harness.set_latency(latency);
        let started = Instant::now();
        app.home().await?;
        app.until_live().await?;
        *took = started.elapsed();
        harness.set_latency(Duration::ZERO);
    }
    // The organizations; their lists, 64 at once; the queries, 200 at once.
    let chain = 1 + 50_u32.div_ceil(64) + 2_000_u32.div_ceil(200);
    report.chain(
        "the same from the app's page to its last number",
        chain,
        LATENCY,
        took,
    );
    Ok(())
}

/// The app after its page was looked at and hidden.
pub async fn idle(program: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let harness = Harness::of(14).await?;
    let app = App::start(&harness, program).await?;
    app.home().await?;
    // A hidden page closes its stream, so an app whose page is hidden has no stream open.
    let stream = app.get("/events/home").await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    drop(stream);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = app.processor_time()?;
    tokio::time::sleep(WATCH).await;
    let spent = app.processor_time()?.saturating_sub(before);
    report.bar(
        "app idle, page open and hidden",
        "0.1 % of a core",
        format!(
            "{:.3} % over {} s",
            spent.as_secs_f64() / WATCH.as_secs_f64() * 100.0,
            WATCH.as_secs()
        ),
    );
    report.bar("… its memory", "25 MB", megabytes(app.resident()?));
    Ok(())
}

/// A running app with a browser's cookie.
struct App {
    child: Child,
    /// The address of the home page, without the slash at its end.
    home: String,
    http: Client,
}

impl App {
    async fn start(harness: &Harness, program: &Path) -> Result<Self, Box<dyn Error>> {
        let mut child = harness
            .command(program, &["--no-browser", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        let output = child.stdout.take().ok_or("the app has no output")?;
        BufReader::new(output).read_line(&mut address)?;
        let address = address.trim().to_owned();
        let first = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()?
            .get(&address)
            .send()
            .await?;
        let home = first
            .headers()
            .get(header::LOCATION)
            .ok_or("the app leads nowhere")?
            .to_str()?;
        let home = address.parse::<url::Url>()?.join(home)?;
        let cookie = first
            .headers()
            .get(header::SET_COOKIE)
            .ok_or("the app set no cookie")?
            .to_str()?
            .split(';')
            .next()
            .unwrap_or_default()
            .parse()?;
        let headers = [
            (header::COOKIE, cookie),
            (header::ACCEPT_ENCODING, "gzip".parse()?),
        ];
        Ok(Self {
            child,
            home: home.as_str().trim_end_matches('/').to_owned(),
            http: Client::builder()
                .default_headers(headers.into_iter().collect())
                .no_gzip()
                .build()?,
        })
    }

    async fn get(&self, path: &str) -> Result<reqwest::Response, Box<dyn Error>> {
        let address = format!("{}{path}", self.home);
        Ok(self.http.get(address).send().await?.error_for_status()?)
    }

    /// Follows the home page's stream until it has mentioned numbers and then that all are there.
    async fn until_live(&self) -> Result<(), Box<dyn Error>> {
        let mut stream = self.get("/events/home").await?;
        let (mut told, mut some) = (String::new(), false);
        while let Some(chunk) = stream.chunk().await? {
            told.push_str(&String::from_utf8_lossy(&chunk));
            while let Some(end) = told.find("\n\n") {
                let event: String = told.drain(..end + 2).collect();
                some |= event.contains("event: progress");
                if some && event.contains("event: status") && event.contains("\"live\"") {
                    return Ok(());
                }
            }
        }
        Err("the app closed the page's stream".into())
    }

    /// Fetches the home page and returns its size as sent.
    async fn home(&self) -> Result<usize, Box<dyn Error>> {
        Ok(self.get("/").await?.bytes().await?.len())
    }

    /// Time that all its threads have run, of a hundredth of a second's grain.
    fn processor_time(&self) -> Result<Duration, Box<dyn Error>> {
        let line = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = line.rsplit(") ").next().unwrap_or_default();
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse::<u64>)
            .sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 10))
    }

    /// What is resident now, in bytes.
    fn resident(&self) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .ok_or("no resident size")?;
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap_or_default().parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
