//! What the tests need beyond cargo: programs from the system's packages, and the test peers.
//!
//! Everything here may run again at any time: what is in place is left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, Failure, at};

/// A program that tests start, and the Debian packages that bring it.
struct Tool {
    program: &'static str,
    packages: &'static [&'static str],
    needed_for: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        program: "chromium",
        packages: &["chromium"],
        needed_for: "the browser tests",
    },
    Tool {
        program: "chromedriver",
        packages: &["chromium-driver"],
        needed_for: "the browser tests",
    },
    Tool {
        program: "dbus-run-session",
        packages: &["dbus"],
        needed_for: "the keyring tests",
    },
    Tool {
        program: "gnome-keyring-daemon",
        packages: &["gnome-keyring"],
        needed_for: "the keyring tests",
    },
    Tool {
        program: "secret-tool",
        packages: &["libsecret-tools"],
        needed_for: "the keyring tests",
    },
    Tool {
        program: "dunst",
        packages: &["dunst"],
        needed_for: "the notification test",
    },
    Tool {
        program: "Xvfb",
        packages: &["xvfb"],
        needed_for: "the notification test",
    },
    Tool {
        program: "python3",
        packages: &["python3", "python3-venv"],
        needed_for: "the django-oauth-toolkit peer, the HogQL check and the typeface",
    },
    Tool {
        program: "npm",
        packages: &["nodejs", "npm"],
        needed_for: "the oidc-provider peer and axe-core",
    },
    Tool {
        program: "tmux",
        packages: &["tmux"],
        needed_for: "the widget tests",
    },
];

/// The typefaces of letters that Inter lacks in the pictures of `docs/screens`, by a file of each. Tests pass
/// without them; pictures that are taken without them differ from what is there.
const TYPEFACES: &[(&str, &str)] = &[
    (
        "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
        "fonts-droid-fallback",
    ),
    (
        "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
        "fonts-noto-color-emoji",
    ),
];

/// Installs the missing programs and prepares every peer.
pub(crate) fn everything(root: &Path) -> Result<(), Failure> {
    install_tools()?;
    install_typefaces()?;
    for peer in ["django-oauth-toolkit", "hogql", "typeface"] {
        python_environment(root, peer)?;
    }
    for peer in ["oidc-provider", "axe"] {
        node_environment(root, peer)?;
    }
    Ok(())
}

fn install_tools() -> Result<(), Failure> {
    let missing: Vec<&Tool> = TOOLS
        .iter()
        .filter(|tool| process::on_path(tool.program).is_none())
        .collect();
    let mut packages: Vec<&str> = missing
        .iter()
        .flat_map(|tool| tool.packages.iter().copied())
        .collect();
    if process::on_path("python3").is_some()
        && !process::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"]))
    {
        packages.push("python3-venv");
    }
    if packages.is_empty() {
        return Ok(());
    }
    if process::on_path("apt-get").is_none() || !is_root() {
        let programs: Vec<String> = missing
            .iter()
            .map(|tool| format!("{} ({})", tool.program, tool.needed_for))
            .collect();
        return Err(Failure::Missing(format!(
            "the tests need programs that are not installed: {}. On Debian: apt-get install {}",
            if programs.is_empty() {
                "Python's venv module".to_owned()
            } else {
                programs.join(", ")
            },
            packages.join(" ")
        )));
    }
    install(&packages)
}

/// Installs the missing typefaces if that is possible, and else goes on without them.
fn install_typefaces() -> Result<(), Failure> {
    let missing: Vec<&str> = TYPEFACES
        .iter()
        .filter(|(file, _)| !Path::new(file).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if process::on_path("apt-get").is_none() || !is_root() {
        eprintln!(
            "Pictures for docs/screens need typefaces that are not installed. On Debian: apt-get install {}",
            missing.join(" ")
        );
        return Ok(());
    }
    install(&missing)
}

fn install(packages: &[&str]) -> Result<(), Failure> {
    process::run(Command::new("apt-get").args(["update", "--quiet"]))?;
    process::run(
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(packages),
    )
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// What `peers/run typeface` needs.
pub(crate) fn typeface_tools(root: &Path) -> Result<(), Failure> {
    python_environment(root, "typeface")
}

/// What `cargo xtask dist` needs of Python's packages: the folder of an environment with cargo-zigbuild and Zig.
pub(crate) fn packaging_tools(root: &Path) -> Result<PathBuf, Failure> {
    python_environment(root, "zig")?;
    Ok(Place::of(root, "zig").folder)
}

/// A virtual environment in `target/peers/<peer>` with the exact versions of `peers/<peer>/requirements.txt`.
fn python_environment(root: &Path, peer: &str) -> Result<(), Failure> {
    let source = root.join("peers").join(peer);
    let place = Place::of(root, peer);
    let wanted =
        fs::read(source.join("requirements.txt")).map_err(at(&source.join("requirements.txt")))?;
    if place.is_current(&wanted) {
        return Ok(());
    }
    let python = place.folder.join("bin/python");
    process::run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&place.folder),
    )?;
    process::run(
        Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--requirement",
            ])
            .arg(source.join("requirements.txt")),
    )?;
    process::run(Command::new(&python).args([
        "-m",
        "pip",
        "check",
        "--disable-pip-version-check",
    ]))?;
    place.mark_current(&wanted)
}

/// `npm ci` in `target/peers/<peer>` by the lock file of `peers/<peer>`.
fn node_environment(root: &Path, peer: &str) -> Result<(), Failure> {
    let source = root.join("peers").join(peer);
    let place = Place::of(root, peer);
    let wanted = fs::read(source.join("package-lock.json"))
        .map_err(at(&source.join("package-lock.json")))?;
    if place.is_current(&wanted) {
        return Ok(());
    }
    fs::create_dir_all(&place.folder).map_err(at(&place.folder))?;
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        fs::copy(source.join(file), place.folder.join(file)).map_err(at(&source.join(file)))?;
    }
    process::run(
        Command::new("npm")
            .args([
                "ci",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--loglevel=error",
            ])
            .current_dir(&place.folder),
    )?;
    place.mark_current(&wanted)
}

/// A prepared environment and the mark that says for which versions it was prepared.
struct Place {
    folder: PathBuf,
    mark: PathBuf,
}

impl Place {
    fn of(root: &Path, peer: &str) -> Self {
        // Fixed, whatever the target folder of cargo is: `peers/run` finds it there.
        let folder = root.join("target/peers").join(peer);
        let mark = folder.join("prepared-for");
        Self { folder, mark }
    }

    fn is_current(&self, wanted: &[u8]) -> bool {
        fs::read(&self.mark).is_ok_and(|found| found == wanted)
    }

    fn mark_current(&self, wanted: &[u8]) -> Result<(), Failure> {
        fs::write(&self.mark, wanted).map_err(at(&self.mark))
    }
}
