//! Which addresses are called. Sellers type them in: nobody may have the shop call what only the shop can reach.
//!
//! In production only https, and only addresses of the public Internet. A name is looked up for each connection, and what
//! it was found to be is what is connected to: a name that becomes another address in between gains nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::client::legacy::connect::dns::Name;

/// Characters that a URL may have.
const MAX_URL: usize = 2_048;

/// Networks of IPv4 that are not the public Internet, with the bits that name them (IANA's special-purpose registry).
const NOT_PUBLIC: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Networks inside `2000::/3` that are not: tunnels to IPv4 (Teredo, 6to4), benchmarks, documentation.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public Internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let within =
                |(network, bits): &(Ipv4Addr, u32)| (address.to_bits() ^ network.to_bits()) >> (32 - bits) == 0;
            !NOT_PUBLIC.iter().any(within)
        }
        // Everything global is in 2000::/3; loopback, local and multicast addresses, and those that stand for IPv4, are not.
        IpAddr::V6(address) => {
            let within =
                |(network, bits): &(Ipv6Addr, u32)| (address.to_bits() ^ network.to_bits()) >> (128 - bits) == 0;
            address.segments()[0] >> 13 == 1 && !NOT_PUBLIC_V6.iter().any(within)
        }
    }
}

/// Reads where a webhook listens; the error says what is wrong. What its name means is looked up with each connection.
pub(super) fn parse(text: &str, development: bool) -> Result<Uri, &'static str> {
    if text.len() > MAX_URL {
        return Err("must have 2048 characters at most");
    }
    let uri: Uri = text.parse().map_err(|_| "must be a URL such as https://shop.example/notices")?;
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if development => {}
        _ => return Err("must begin with https://"),
    }
    if text.contains('#') {
        return Err("must have no part behind #");
    }
    let authority = uri.authority().ok_or("must name a host")?;
    if authority.as_str().contains('@') {
        return Err("must have no user and no password; notices are signed");
    }
    if !development && is_own(authority.host()) {
        return Err("must be an address of the public Internet");
    }
    Ok(uri)
}

/// Whether a host is an address that is not public, or the name of this very machine.
fn is_own(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return !is_public(address);
    }
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    name.is_empty() || name == "localhost" || name.ends_with(".localhost")
}

/// Finds the addresses of a name; in production only public ones.
#[derive(Clone, Copy)]
pub(super) struct Resolver {
    pub(super) development: bool,
}

impl tower::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let development = self.development;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| development || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err(io::Error::other("it has no address of the public Internet"));
            }
            Ok(allowed.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_public_internet_is_known() {
        for own in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.2.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fec0::1",
        ] {
            assert!(!is_public(own.parse().unwrap()), "{own}");
        }
        for public in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "198.17.0.1",
            "223.255.0.1",
            "2606:4700::1111",
            "2a00::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn production_takes_only_https_to_public_addresses() {
        for wrong in [
            "http://shop.example/",
            "ftp://shop.example/",
            "shop.example",
            "/notices",
            "https://",
            "https:///x",
            "https://a:b@shop.example/",
            "https://shop.example/#x",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
            "https://localhost/",
            "https://LOCALHOST.:8443/",
            "https://db.localhost/",
            "https://0.0.0.0/",
        ] {
            assert!(parse(wrong, false).is_err(), "{wrong}");
        }
        for right in ["https://shop.example/notices?a=b", "https://shop.example:8443", "https://1.1.1.1/"] {
            assert!(parse(right, false).is_ok(), "{right}");
        }
        assert!(parse(&format!("https://shop.example/{}", "x".repeat(MAX_URL)), false).is_err());
        for own in ["http://127.0.0.1:9000/", "http://localhost:9000", "https://10.0.0.1/"] {
            assert!(parse(own, true).is_ok(), "{own}");
        }
        assert!(parse("ftp://127.0.0.1/", true).is_err() && parse("http://a@127.0.0.1/", true).is_err());
    }

    #[tokio::test]
    async fn a_name_is_what_it_is_found_to_be() {
        let find = async |name: &str, development| {
            let found = tower::Service::call(&mut Resolver { development }, name.parse::<Name>().unwrap()).await;
            found.map(Iterator::collect::<Vec<_>>)
        };
        assert!(find("localhost", true).await.is_ok_and(|found| !found.is_empty()));
        // Ways to write 127.0.0.1 that are no address to a parser, and one to the system.
        for own in ["localhost", "127.1", "2130706433", "0x7f000001"] {
            assert!(find(own, false).await.is_err(), "{own}");
        }
    }
}
