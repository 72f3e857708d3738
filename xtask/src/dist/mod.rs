//! `cargo xtask dist`: makes everything of a release for Linux, from one command.
//!
//! The program is built with the profile `dist` against glibc 2.28, then a payload is laid out under
//! `target/packages/payload` as it is installed below `/usr`, and the packages are made of it: a `.deb`, an `.rpm`
//! and a `.tar.gz`, with an inventory of the libraries (CycloneDX) and the sums of all beside them. Recipes of package
//! managers and the script that installs the archive are made from these sums.

mod archive;
mod inventory;
mod libraries;
mod licences;
mod payload;
mod program;
pub(crate) mod recipes;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{Failure, at};
use libraries::Libraries;

/// What is made for one architecture, and where.
struct Release {
    root: PathBuf,
    /// `target/packages`, whatever the target folder of cargo is: the packages' metadata names it.
    folder: PathBuf,
    version: String,
    architecture: &'static str,
}

impl Release {
    fn of(root: &Path, libraries: &Libraries) -> Self {
        Self {
            root: root.to_path_buf(),
            folder: root.join("target/packages"),
            version: libraries.program().version.clone(),
            architecture: std::env::consts::ARCH,
        }
    }

    /// The target as rustc calls it.
    fn triple(&self) -> String {
        format!("{}-unknown-linux-gnu", self.architecture)
    }

    /// What is installed below `/usr`.
    fn payload(&self) -> PathBuf {
        self.folder.join("payload")
    }

    /// The names of what is made without their endings.
    fn name(&self) -> String {
        format!("pockethog-{}-{}-linux", self.version, self.architecture)
    }
}

/// Makes all of it under `target/packages`.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    if std::env::consts::OS != "linux" {
        return Err(Failure::Missing(
            "`cargo xtask dist` makes packages for Linux, on Linux. Elsewhere: cargo build --profile dist"
                .to_owned(),
        ));
    }
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let libraries = Libraries::of_program(root, &triple)?;
    let release = Release::of(root, &libraries);
    if release.folder.exists() {
        fs::remove_dir_all(&release.folder).map_err(at(&release.folder))?;
    }
    let tools = tools::install(root)?;
    let program = program::build(&release, &tools)?;
    payload::lay_out(&release, &program, &licences::collect(&libraries)?)?;
    archive::tarball(&release)?;
    archive::deb(&release, &tools)?;
    archive::rpm(&release, &tools)?;
    inventory::write(&release, &libraries)?;
    install_script(&release)?;
    archive::sums(&release)?;
    recipes::write(&release.folder)?;
    println!("The packages are in {}.", release.folder.display());
    Ok(())
}

/// The script that installs the archive, which is published and summed like the rest.
fn install_script(release: &Release) -> Result<(), Failure> {
    let source = release.root.join("packaging/install.sh");
    let target = release.folder.join("install.sh");
    fs::copy(&source, &target).map(drop).map_err(at(&source))
}
