#!/bin/sh
# Installs PocketHog from an archive of a release: below ~/.local, for this user alone, without root.
#
#   sh install.sh [VERSION]
#
# It downloads SHA256SUMS and the archive for this system, compares the sum, and unpacks. Nothing is installed if
# anything differs. To verify the origin of the sums themselves: docs/install.md, "Verify a download".
#
#   POCKETHOG_PREFIX=DIR      installs below DIR instead of ~/.local
#   POCKETHOG_DOWNLOADS=URL   where the files of the release are: an address, or file:///DIR
set -eu

repository=https://github.com/pockethog/pockethog

main() {
    version=${1:-}
    prefix=${POCKETHOG_PREFIX:-${HOME:?is not set}/.local}
    target=$(target)
    for program in tar sed grep; do
        command -v "$program" >/dev/null || fail "$program is needed and not installed"
    done
    if [ -n "${POCKETHOG_DOWNLOADS:-}" ]; then
        downloads=$POCKETHOG_DOWNLOADS
    elif [ -n "$version" ]; then
        downloads=$repository/releases/download/v${version#v}
    else
        downloads=$repository/releases/latest/download
    fi
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM

    get "$downloads/SHA256SUMS" "$folder/SHA256SUMS"
    # The name has the version, which the list knows.
    archive=$(sed -n "s/^[0-9a-f]\{64\}  \(pockethog-[0-9][0-9A-Za-z.+-]*-$target\.tar\.gz\)\$/\1/p" "$folder/SHA256SUMS")
    case $archive in
    '') fail "the release has no archive for $target" ;;
    *"
"*) fail "SHA256SUMS names several archives for $target" ;;
    esac
    if [ -n "$version" ] && [ "$archive" != "pockethog-${version#v}-$target.tar.gz" ]; then
        fail "the release is $archive and not version ${version#v}"
    fi
    get "$downloads/$archive" "$folder/$archive"
    expected=$(grep "  $archive\$" "$folder/SHA256SUMS" | sed 's/ .*//')
    found=$(sum "$folder/$archive")
    [ "$found" = "$expected" ] ||
        fail "the sum of $archive is $found and should be $expected; nothing was installed"

    mkdir -p "$prefix"
    tar -xzf "$folder/$archive" -C "$prefix" --strip-components=1
    "$prefix/bin/pockethog" --version
    echo "Installed below $prefix. To begin: pockethog, or pockethog demo"
    case :$PATH: in
    *":$prefix/bin:"*) ;;
    *) echo "Add $prefix/bin to your PATH: it is not there yet." ;;
    esac
}

# What the archive for this system is called.
target() {
    case $(uname -m) in
    x86_64 | amd64) architecture=x86_64 ;;
    aarch64 | arm64) architecture=aarch64 ;;
    *) fail "there is no archive for $(uname -m); build PocketHog from the sources" ;;
    esac
    case $(uname -s) in
    Linux)
        if ! getconf GNU_LIBC_VERSION >/dev/null 2>&1; then
            fail "the archive needs glibc, which this system does not use; build PocketHog from the sources"
        fi
        echo "$architecture-linux"
        ;;
    Darwin) echo "$architecture-apple-darwin" ;;
    *) fail "there is no archive for $(uname -s)" ;;
    esac
}

get() {
    if command -v curl >/dev/null; then
        curl --proto '=https,file' --tlsv1.2 --fail --silent --show-error --location --output "$2" "$1"
    elif command -v wget >/dev/null; then
        wget --quiet --https-only --output-document="$2" "$1"
    else
        fail "curl or wget is needed"
    fi || fail "$1 could not be downloaded"
}

sum() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1" | sed 's/ .*//'
    elif command -v shasum >/dev/null; then
        shasum -a 256 "$1" | sed 's/ .*//'
    else
        fail "sha256sum or shasum is needed"
    fi
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

# At the end, so that half a script does nothing.
main "$@"
