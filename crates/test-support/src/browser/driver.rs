//! One chromedriver process, which owns one browser process: both end when it is dropped.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running chromedriver.
pub struct Driver {
    process: Child,
    /// Its address, `http://127.0.0.1:PORT`.
    pub address: String,
}

impl Driver {
    /// Starts chromedriver, with additions to its and the browser's environment, on a port that is free. Two that start at the same time may choose the same
    /// one; the second ends then, and is started again.
    pub fn start(environment: &[(&str, &OsStr)]) -> Self {
        (0..5)
            .find_map(|_| Self::try_to_start(environment))
            .expect("chromedriver finds a port in five tries")
    }

    fn try_to_start(environment: &[(&str, &OsStr)]) -> Option<Self> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts; `cargo xtask prepare` installs it");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let Some(port) = port else {
            process.wait().ok();
            return None;
        };
        // What it says later is read and dropped, so that it never waits for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Some(Self {
            process,
            address: format!("http://127.0.0.1:{port}"),
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser was started to die with its driver.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
