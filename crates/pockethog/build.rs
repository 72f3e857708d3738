//! Packs the relative relocations of the program where the C library can read them.
//!
//! A widget is started every few seconds, and a good part of its time is the loader's: the program is large
//! and position independent, so tens of thousands of addresses are adjusted at its start. Packed, their table
//! is a tenth as long. C libraries before 2.36 refuse such a program, so the flag is set only if the
//! program is built for the machine that builds it, and that machine's library is new enough. Packages are built for
//! other machines: `cargo xtask dist` sets `POCKETHOG_PORTABLE`. Debug builds do without the flag: they are not
//! measured, and older versions of the linker mold write programs with it that do not start.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=POCKETHOG_PORTABLE");
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    let at_home = set("HOST") == set("TARGET") && set("CARGO_CFG_TARGET_ENV") == "gnu";
    let portable = std::env::var_os("POCKETHOG_PORTABLE").is_some();
    if at_home
        && !portable
        && set("PROFILE") == "release"
        && set("CARGO_CFG_TARGET_OS") == "linux"
        && c_library().is_some_and(|at| at >= (2, 36))
    {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Version of the C library of this machine.
fn c_library() -> Option<(u32, u32)> {
    let asked = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    let answer = String::from_utf8(asked.stdout).ok()?;
    let (major, minor) = answer.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
