//! Recipes of Homebrew, AUR and Nix from the sums of a release: which archive there is for which system is read from
//! `SHA256SUMS`, so that no recipe names a file that was not published.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::process::{Failure, at};

/// Where releases are published.
const REPOSITORY: &str = "https://github.com/pockethog/pockethog";

const ABOUT: &str = "Every PostHog project you have, at a glance";

/// A release, as its recipes need it.
struct Published {
    version: String,
    /// SHA-256 of each file by its name.
    sums: BTreeMap<String, String>,
}

/// An archive of a release.
struct Archive<'a> {
    address: String,
    sum: &'a str,
}

/// Writes the recipes beside `SHA256SUMS` in `folder`, into `recipes`.
pub(crate) fn write(folder: &Path) -> Result<(), Failure> {
    let file = folder.join("SHA256SUMS");
    let text = fs::read_to_string(&file).map_err(at(&file))?;
    let published = Published::parse(&text).ok_or_else(|| {
        Failure::Missing(format!("{} names no archive of PocketHog", file.display()))
    })?;
    for (name, text) in published.recipes() {
        let file = folder.join("recipes").join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        fs::write(&file, text).map_err(at(&file))?;
    }
    Ok(())
}

impl Published {
    fn parse(text: &str) -> Option<Self> {
        let line = |line: &str| {
            let (sum, name) = line.split_once("  ")?;
            let is_sum = sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_sum.then(|| (name.to_owned(), sum.to_owned()))
        };
        let sums: BTreeMap<String, String> = text.lines().filter_map(line).collect();
        let version = sums.keys().find_map(|name| {
            let rest = name.strip_prefix("pockethog-")?;
            let (version, _) = rest.strip_suffix(".tar.gz")?.split_once('-')?;
            Some(version.to_owned())
        })?;
        Some(Self { version, sums })
    }

    /// The archive for a system, if it was published.
    fn archive(&self, system: &str) -> Option<Archive<'_>> {
        let name = format!("pockethog-{}-{system}.tar.gz", self.version);
        let address = format!("{REPOSITORY}/releases/download/v{}/{name}", self.version);
        let sum = self.sums.get(&name)?;
        Some(Archive { address, sum })
    }

    fn recipes(&self) -> [(&'static str, String); 4] {
        [
            ("homebrew/pockethog.rb", self.formula()),
            ("aur/PKGBUILD", self.pkgbuild()),
            ("aur/.SRCINFO", self.srcinfo()),
            ("nix/package.nix", self.derivation()),
        ]
    }

    /// Homebrew's: macOS and Linux.
    fn formula(&self) -> String {
        let mut systems = String::new();
        for (system, suffix) in [("macos", "apple-darwin"), ("linux", "linux")] {
            let mut archives = String::new();
            for (processor, architecture) in [("arm", "aarch64"), ("intel", "x86_64")] {
                if let Some(archive) = self.archive(&format!("{architecture}-{suffix}")) {
                    let Archive { address, sum } = archive;
                    write!(
                        archives,
                        "    on_{processor} do\n      url \"{address}\"\n      sha256 \"{sum}\"\n    end\n"
                    )
                    .ok();
                }
            }
            if !archives.is_empty() {
                write!(systems, "  on_{system} do\n{archives}  end\n\n").ok();
            }
        }
        let version = &self.version;
        format!(
            r##"# Written by `cargo xtask recipes`.
class Pockethog < Formula
  desc "{ABOUT}"
  homepage "{REPOSITORY}"
  version "{version}"
  license any_of: ["MIT", "Apache-2.0"]

{systems}  def install
    bin.install "bin/pockethog"
    man1.install Dir["share/man/man1/*"]
    bash_completion.install "share/bash-completion/completions/pockethog"
    fish_completion.install "share/fish/vendor_completions.d/pockethog.fish"
    zsh_completion.install "share/zsh/vendor-completions/_pockethog"
    doc.install Dir["share/doc/pockethog/*"]
  end

  service do
    run [opt_bin/"pockethog", "--no-browser"]
    keep_alive successful_exit: false
    log_path File::NULL
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/pockethog --version")
  end
end
"##
        )
    }

    /// The architectures of Linux that have an archive.
    fn linux(&self) -> Vec<(&'static str, Archive<'_>)> {
        ["x86_64", "aarch64"]
            .into_iter()
            .filter_map(|architecture| {
                let archive = self.archive(&format!("{architecture}-linux"))?;
                Some((architecture, archive))
            })
            .collect()
    }

    /// Arch Linux' user repository: the program as it was published.
    fn pkgbuild(&self) -> String {
        let linux = self.linux();
        let names: Vec<String> = linux.iter().map(|(name, _)| format!("'{name}'")).collect();
        let sources: Vec<String> = linux
            .iter()
            .map(|(name, Archive { address, sum })| {
                format!("source_{name}=(\"{address}\")\nsha256sums_{name}=('{sum}')\n")
            })
            .collect();
        format!(
            r#"# Written by `cargo xtask recipes`.
pkgname=pockethog-bin
pkgver={version}
pkgrel=1
pkgdesc="{ABOUT}"
arch=({names})
url="{REPOSITORY}"
license=('MIT' 'Apache-2.0')
depends=('glibc>=2.28' 'ca-certificates')
optdepends=('xdg-utils: opens the page in the browser'
            'org.freedesktop.secrets: stores sign-ins in the keychain')
provides=('pockethog')
conflicts=('pockethog')
options=('!strip' '!debug')
{sources}
package() {{
    cd "pockethog-$pkgver-$CARCH-linux"
    install -d "$pkgdir/usr/lib"
    cp -r bin share "$pkgdir/usr/"
    # The unit of the archive is for an installation below a home.
    mv "$pkgdir/usr/share/systemd" "$pkgdir/usr/lib/systemd"
    sed -i 's|^ExecStart=%h/.local/bin/|ExecStart=/usr/bin/|' "$pkgdir/usr/lib/systemd/user/pockethog.service"
    mv "$pkgdir/usr/share/zsh/vendor-completions" "$pkgdir/usr/share/zsh/site-functions"
    install -Dm644 share/doc/pockethog/LICENSE-MIT "$pkgdir/usr/share/licenses/$pkgname/LICENSE-MIT"
}}
"#,
            version = self.version,
            names = names.join(" "),
            sources = sources.concat(),
        )
    }

    /// What `makepkg --printsrcinfo` prints for it.
    fn srcinfo(&self) -> String {
        let linux = self.linux();
        let architectures: Vec<String> = linux
            .iter()
            .map(|(name, _)| format!("\tarch = {name}\n"))
            .collect();
        let sources: Vec<String> = linux
            .iter()
            .map(|(name, Archive { address, sum })| {
                format!("\tsource_{name} = {address}\n\tsha256sums_{name} = {sum}\n")
            })
            .collect();
        format!(
            "pkgbase = pockethog-bin\n\tpkgdesc = {ABOUT}\n\tpkgver = {version}\n\tpkgrel = 1\n\turl = {REPOSITORY}\n\
             {architectures}\tlicense = MIT\n\tlicense = Apache-2.0\n\tdepends = glibc>=2.28\n\tdepends = ca-certificates\n\
             \toptdepends = xdg-utils: opens the page in the browser\n\
             \toptdepends = org.freedesktop.secrets: stores sign-ins in the keychain\n\
             \tprovides = pockethog\n\tconflicts = pockethog\n\toptions = !strip\n\toptions = !debug\n{sources}\n\
             pkgname = pockethog-bin\n",
            version = self.version,
            architectures = architectures.concat(),
            sources = sources.concat(),
        )
    }

    /// Nix: the published program, with the libraries of the store.
    fn derivation(&self) -> String {
        let sources: Vec<String> = self
            .linux()
            .iter()
            .map(|(name, Archive { address, sum })| {
                format!(
                    "    {name}-linux = {{\n      url = \"{address}\";\n      sha256 = \"{sum}\";\n    }};\n"
                )
            })
            .collect();
        let (version, sources) = (&self.version, sources.concat());
        format!(
            r#"# Written by `cargo xtask recipes`: `callPackage ./package.nix {{ }}`.
{{ lib, stdenv, fetchurl, autoPatchelfHook, cacert }}:

let
  sources = {{
{sources}  }};
  system = stdenv.hostPlatform.system;
in
stdenv.mkDerivation {{
  pname = "pockethog";
  version = "{version}";
  src = fetchurl (sources.${{system}} or (throw "pockethog: no archive for ${{system}}"));

  nativeBuildInputs = [ autoPatchelfHook ];
  buildInputs = [ stdenv.cc.cc.lib ];
  dontBuild = true;

  installPhase = ''
    runHook preInstall
    mkdir -p $out
    cp -r bin share $out/
    substituteInPlace $out/share/systemd/user/pockethog.service \
      --replace-fail '%h/.local/bin' "$out/bin"
    runHook postInstall
  '';

  meta = {{
    description = "{ABOUT}";
    homepage = "{REPOSITORY}";
    license = with lib.licenses; [ mit asl20 ];
    platforms = builtins.attrNames sources;
    mainProgram = "pockethog";
  }};
}}
"#
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn published(files: &[&str]) -> Published {
        let lines = files.iter().enumerate().map(|(nth, file)| {
            let sum = format!("{nth:064x}");
            format!("{sum}  {file}\n")
        });
        Published::parse(&lines.collect::<String>()).unwrap()
    }

    #[test]
    fn only_what_was_published_is_named_and_with_its_own_sum() {
        let files = [
            "pockethog-1.2.3-x86_64-linux.deb",
            "pockethog-1.2.3-x86_64-linux.tar.gz",
            "pockethog-1.2.3-aarch64-apple-darwin.tar.gz",
        ];
        let published = published(&files);
        assert_eq!(published.version, "1.2.3");
        for (name, recipe) in published.recipes() {
            assert!(recipe.contains("1.2.3"), "{name}: {recipe}");
            assert!(!recipe.contains("aarch64-linux"), "{name}: {recipe}");
            assert!(recipe.contains(&format!("{:064x}", 1)), "{name}: {recipe}");
            assert!(!recipe.contains(&format!("{:064x}", 0)), "{name}: {recipe}");
        }
        let formula = published.formula();
        let (_, macos) = formula.split_once("on_macos do").unwrap();
        let (macos, linux) = macos.split_once("on_linux do").unwrap();
        assert!(macos.contains(&format!("{:064x}", 2)) && !macos.contains("on_intel"));
        assert!(linux.contains("on_intel") && !linux.contains("on_arm"));
    }

    #[test]
    fn sums_that_name_no_archive_make_no_recipe() {
        assert!(Published::parse("").is_none());
        let line = format!("{:064x}  pockethog-1.2.3-x86_64-linux.deb\n", 1);
        assert!(Published::parse(&line).is_none());
        assert!(Published::parse("abc  pockethog-1.2.3-x86_64-linux.tar.gz\n").is_none());
    }
}
