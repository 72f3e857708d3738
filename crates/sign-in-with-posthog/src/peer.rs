//! Which user's program is at the other end of a connection on loopback.
//!
//! Every user of a machine can connect to a port of 127.0.0.1. Linux lists the connections of the machine in
//! `/proc/net/tcp` and `/proc/net/tcp6` with the user that owns each socket; the peer's socket is the one whose
//! addresses are ours, reversed. Only an established connection that still has an owner counts: a socket that
//! was closed is listed with user 0 and inode 0, as if it were the superuser's.
//!
//! **Relays.** Within a container and in the Windows Subsystem for Linux a connection from outside may be made
//! by a relay that runs as the superuser or as a user that is not mapped, or that has no socket here at all. There
//! such a peer is [`Peer::Unknown`] and not [`Peer::Other`]. Elsewhere a relay has to run as the user, as the
//! process of `sshd` for `ssh -L` does.

use std::net::SocketAddr;

/// The owner of the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A program of the user that this one runs as.
    Own,
    /// A program of another user, or one that has closed the connection.
    Other,
    /// This system does not reveal it, or the peer is a relay.
    Unknown,
}

impl Peer {
    /// Finds out who is at the other end of the connection between `local`, this process's side, and `remote`. Reads
    /// files of the system, which takes well below a millisecond with some hundred connections.
    pub fn of(local: SocketAddr, remote: SocketAddr) -> Self {
        #[cfg(target_os = "linux")]
        return linux::find(local, remote);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (local, remote);
            Self::Unknown
        }
    }

    /// Whether this system reveals who owns a connection.
    pub fn is_known_here() -> bool {
        cfg!(target_os = "linux")
    }
}

#[cfg(any(target_os = "linux", test))]
mod linux {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::path::Path;

    use super::Peer;

    /// How often a connection that is not listed is looked for: the list is not read at one instant.
    const LOOKS: usize = 3;

    /// What a user that is not mapped into this namespace is shown as.
    const NOBODY: u32 = 65_534;

    /// The state of an established connection.
    const ESTABLISHED: &str = "01";

    /// What the list says about a peer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Listed {
        /// Its socket is open and belongs to this user.
        As(u32),
        /// It is closed, or being closed.
        Closed,
        /// It is not in the list.
        Nowhere,
    }

    pub(super) fn find(local: SocketAddr, remote: SocketAddr) -> Peer {
        let Some(own) = own_user() else {
            return Peer::Unknown;
        };
        let mut listed = Listed::Nowhere;
        for _ in 0..LOOKS {
            let Ok(table) = std::fs::read_to_string("/proc/net/tcp") else {
                return Peer::Unknown;
            };
            listed = look_up(&table, local, remote);
            if listed == Listed::Nowhere {
                // Without IPv6 there is no such file. A socket of IPv6 may be connected to an IPv4 address.
                let table = std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
                listed = look_up(&table, local, remote);
            }
            if listed != Listed::Nowhere {
                break;
            }
        }
        judge(listed, own, Surroundings::find())
    }

    /// Where relays are to be expected.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Surroundings {
        Plain,
        Container,
        Windows,
    }

    impl Surroundings {
        fn find() -> Self {
            let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
            let marked = ["/.dockerenv", "/run/.containerenv"]
                .iter()
                .any(|mark| Path::new(mark).exists());
            let named = ["container", "KUBERNETES_SERVICE_HOST"]
                .iter()
                .any(|name| std::env::var_os(name).is_some());
            if release.to_ascii_lowercase().contains("microsoft") {
                Self::Windows
            } else if marked || named {
                Self::Container
            } else {
                Self::Plain
            }
        }
    }

    pub(super) fn judge(listed: Listed, own: u32, surroundings: Surroundings) -> Peer {
        match (listed, surroundings) {
            // All users that are not mapped look the same.
            (Listed::As(NOBODY), _) if own == NOBODY => Peer::Unknown,
            (Listed::As(user), _) if user == own => Peer::Own,
            (Listed::As(0 | NOBODY), Surroundings::Container)
            | (Listed::As(0) | Listed::Nowhere, Surroundings::Windows) => Peer::Unknown,
            _ => Peer::Other,
        }
    }

    /// The user that owns the sockets which this process makes.
    fn own_user() -> Option<u32> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        // Real, effective, saved, file system: the last one is what a new socket gets.
        users.split_whitespace().nth(3)?.parse().ok()
    }

    /// Looks up the peer of the connection between `local`, our side, and `remote`.
    pub(super) fn look_up(table: &str, local: SocketAddr, remote: SocketAddr) -> Listed {
        let (local, remote) = (canonical(local), canonical(remote));
        table
            .lines()
            .skip(1)
            .filter_map(Row::parse)
            .find(|row| canonical(row.own) == remote && canonical(row.peer) == local)
            .map_or(Listed::Nowhere, |row| {
                if row.established && row.inode != 0 {
                    Listed::As(row.user)
                } else {
                    Listed::Closed
                }
            })
    }

    /// An IPv4 address that is written as IPv6 is the same address.
    fn canonical(address: SocketAddr) -> (IpAddr, u16) {
        (address.ip().to_canonical(), address.port())
    }

    /// One line of the list (proc(5), `/proc/net/tcp`).
    struct Row {
        own: SocketAddr,
        peer: SocketAddr,
        established: bool,
        user: u32,
        inode: u64,
    }

    impl Row {
        fn parse(line: &str) -> Option<Self> {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let own = address(fields.next()?)?;
            let peer = address(fields.next()?)?;
            let established = fields.next()? == ESTABLISHED;
            // Queues, timer, retransmissions.
            let mut fields = fields.skip(3);
            let user = fields.next()?.parse().ok()?;
            let _timeout = fields.next()?;
            let inode = fields.next()?.parse().ok()?;
            Some(Self {
                own,
                peer,
                established,
                user,
                inode,
            })
        }
    }

    /// `0100007F:C000`: words of four bytes as this machine reads them, and the port.
    fn address(text: &str) -> Option<SocketAddr> {
        let (ip, port) = text.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let mut bytes = [0_u8; 16];
        let words = ip.len() / 8;
        for (word, place) in bytes.chunks_exact_mut(4).zip(0..words) {
            let digits = ip.get(place * 8..place * 8 + 8)?;
            let number = u32::from_str_radix(digits, 16).ok()?;
            word.copy_from_slice(&number.to_ne_bytes());
        }
        let ip = match ip.len() {
            8 => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
            32 => Ipv6Addr::from(bytes).into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{TcpListener, TcpStream};

    use super::linux::{Listed, Surroundings, judge, look_up};
    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn listed(rows: &str) -> Listed {
        let table = format!("{HEAD}{rows}");
        let (local, remote) = ("127.0.0.1:49152", "127.0.0.1:50000");
        look_up(&table, local.parse().unwrap(), remote.parse().unwrap())
    }

    /// A line of the list as a little-endian machine writes it; the tests of other machines skip it.
    fn row(own: &str, peer: &str, state: &str, user: u32, inode: u64) -> String {
        format!(
            "   7: {own} {peer} {state} 00000000:00000000 00:00000000 00000000 {user:5}        0 {inode} 1 0000000000000000 20 4 30 10 -1\n"
        )
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_peers_row_is_ours_reversed_and_counts_only_while_it_is_open() {
        let (app, browser) = ("0100007F:C000", "0100007F:C350");
        // Our own side, a listener, and another connection of the same browser.
        let others = row(app, browser, "01", 7, 1)
            + &row(app, "00000000:0000", "0A", 7, 2)
            + &row("0100007F:C351", app, "01", 8, 3)
            + "nonsense\n   8: 0100007F\n";
        assert_eq!(listed(&others), Listed::Nowhere);
        let with =
            |state, user, inode| listed(&(others.clone() + &row(browser, app, state, user, inode)));
        assert_eq!(with("01", 1000, 55), Listed::As(1000));
        assert_eq!(with("01", 0, 55), Listed::As(0));
        // Closed: no owner any longer, whatever the user column says.
        for (state, inode) in [("01", 0), ("06", 0), ("04", 55), ("05", 0), ("08", 55)] {
            assert_eq!(with(state, 0, inode), Listed::Closed, "{state}");
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn an_ipv6_socket_that_speaks_to_an_ipv4_address_is_found() {
        let mapped = "0000000000000000FFFF00000100007F";
        let rows = row(
            &format!("{mapped}:C350"),
            &format!("{mapped}:C000"),
            "01",
            1000,
            9,
        );
        assert_eq!(listed(&rows), Listed::As(1000));
    }

    #[test]
    fn only_ones_own_user_passes_and_root_passes_nowhere_but_at_root() {
        use Surroundings::{Container, Plain, Windows};
        for surroundings in [Plain, Container, Windows] {
            assert_eq!(judge(Listed::As(1000), 1000, surroundings), Peer::Own);
            assert_eq!(judge(Listed::As(0), 0, surroundings), Peer::Own);
            assert_eq!(judge(Listed::As(1001), 1000, surroundings), Peer::Other);
            assert_eq!(judge(Listed::As(1000), 0, surroundings), Peer::Other);
            assert_eq!(judge(Listed::Closed, 0, surroundings), Peer::Other);
        }
        assert_eq!(judge(Listed::As(0), 1000, Plain), Peer::Other);
        assert_eq!(judge(Listed::Nowhere, 1000, Plain), Peer::Other);
        // Relays.
        assert_eq!(judge(Listed::As(0), 1000, Container), Peer::Unknown);
        assert_eq!(judge(Listed::As(65_534), 1000, Container), Peer::Unknown);
        assert_eq!(judge(Listed::Nowhere, 1000, Container), Peer::Other);
        assert_eq!(judge(Listed::As(0), 1000, Windows), Peer::Unknown);
        assert_eq!(judge(Listed::Nowhere, 1000, Windows), Peer::Unknown);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_of_this_process_is_its_own_until_it_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, remote) = listener.accept().unwrap();
        let local = server.local_addr().unwrap();
        assert_eq!(Peer::of(local, remote), Peer::Own);
        drop(client);
        assert_ne!(Peer::of(local, remote), Peer::Own);
    }
}
