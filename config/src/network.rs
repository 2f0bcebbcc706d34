//! Where a login comes from, as a policy names it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::suggest::nearest;
use crate::words::printable;

/// The classes beside addresses.
const CLASSES: &[&str] = &["local", "unknown"];

/// One entry of `networks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// The addresses that begin with these bits (RFC 4632, RFC 4291). The bits behind `prefix` are
    /// zero, and an IPv4 address is never written as an IPv6 one.
    Cidr {
        /// The first address.
        address: IpAddr,
        /// How many bits count: at most 32 or 128.
        prefix: u8,
    },
    /// Logins that come from no other host: the console, `su`, `sudo`.
    Local,
    /// Logins of which it cannot be told where they come from.
    Unknown,
}

impl Network {
    /// Every place there is.
    pub(crate) const ALL: [Self; 4] = [
        Self::Cidr { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), prefix: 0 },
        Self::Cidr { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), prefix: 0 },
        Self::Local,
        Self::Unknown,
    ];

    /// Reads what somebody typed: an address, a network such as `10.8.0.0/16`, `local` or `unknown`.
    ///
    /// # Errors
    /// What is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse(text).map_err(|(wrong, right)| format!("{wrong}; {right}"))
    }

    /// Whether it is one address, `local` or `unknown`.
    #[must_use]
    pub fn is_one(&self) -> bool {
        match self {
            Self::Cidr { address, prefix } => *prefix == width(*address),
            Self::Local | Self::Unknown => true,
        }
    }

    /// Whether an address belongs to it. An IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) is the
    /// IPv4 address that it maps; no address belongs to a class.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.holds(&Self::Cidr { address, prefix: width(address) })
    }

    /// Whether everything in `other` is in `self` too.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Cidr { address, prefix }, Self::Cidr { address: inner, prefix: longer }) => {
                prefix <= longer && masked(*inner, *prefix) == *address
            }
            (Self::Local, Self::Local) | (Self::Unknown, Self::Unknown) => true,
            _ => false,
        }
    }

    /// Whether nothing is in both.
    pub(crate) fn is_apart_from(&self, other: &Self) -> bool {
        // Of two prefixes, either one holds the other or they share nothing.
        !self.holds(other) && !other.holds(self)
    }

    /// Whether the networks of `list` together leave nothing of `self`.
    pub(crate) fn is_within(&self, list: &[&Self]) -> bool {
        if list.iter().any(|one| one.holds(self)) {
            return true;
        }
        let inside: Vec<&Self> = list.iter().copied().filter(|one| self.holds(one)).collect();
        // Only what lies inside can fill it piece by piece, and each half on its own.
        !inside.is_empty()
            && self.halves().is_some_and(|halves| halves.iter().all(|half| half.is_within(&inside)))
    }

    fn halves(&self) -> Option<[Self; 2]> {
        let Self::Cidr { address, prefix } = *self else { return None };
        if prefix == width(address) {
            return None;
        }
        let second = match address {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() | 1 << (31 - prefix))),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() | 1 << (127 - prefix))),
        };
        let prefix = prefix + 1;
        Some([Self::Cidr { address, prefix }, Self::Cidr { address: second, prefix }])
    }
}

/// As it is written in a configuration: a single address without its prefix.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr { address, prefix } if *prefix == width(*address) => write!(f, "{address}"),
            Self::Cidr { address, prefix } => write!(f, "{address}/{prefix}"),
            Self::Local => f.write_str("local"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// An address, a network or a class.
///
/// # Errors
///
/// What is wrong and what would be right.
pub(crate) fn parse(text: &str) -> Result<Network, (String, String)> {
    match text {
        "local" => return Ok(Network::Local),
        "unknown" => return Ok(Network::Unknown),
        _ => {}
    }
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else { return Err(no_address(text)) };
    let prefix = match prefix {
        None => width(address),
        Some(prefix) => bits(prefix, address)?,
    };
    let network = |address, prefix| Network::Cidr { address: masked(address, prefix), prefix };
    if let IpAddr::V6(v6) = address
        && let Some(v4) = v6.to_ipv4_mapped()
        && prefix >= 96
    {
        return Err((
            format!("\"{text}\" is an IPv4 address in IPv6 form, which logins are never matched with"),
            format!("write \"{}\"", network(v4.into(), prefix - 96)),
        ));
    }
    if masked(address, prefix) != address {
        return Err((
            format!("\"{text}\" has bits set behind the first {prefix}"),
            format!("write \"{}\", or \"{address}\" for the one address", network(address, prefix)),
        ));
    }
    Ok(Network::Cidr { address, prefix })
}

fn no_address(text: &str) -> (String, String) {
    let shown = printable(text);
    let wrong = format!("\"{shown}\" is neither a network nor a class");
    let right = match nearest(text, CLASSES) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if text.contains('%') => "leave the zone after % out".to_owned(),
        None => "write addresses such as \"10.8.0.0/16\" or \"2001:db8::/32\", \"local\" or \"unknown\"; \
                 host names are never looked up"
            .to_owned(),
    };
    (wrong, right)
}

/// The number behind the `/`.
fn bits(text: &str, address: IpAddr) -> Result<u8, (String, String)> {
    let most = width(address);
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    match text.parse() {
        Ok(bits) if plain && bits <= most => return Ok(bits),
        _ => {}
    }
    let wrong = format!("\"{}\" is no prefix length for {address}", printable(text));
    let mask = text.parse::<Ipv4Addr>().map(Ipv4Addr::to_bits);
    match mask {
        Ok(mask) if address.is_ipv4() && mask.leading_ones() + mask.trailing_zeros() == 32 => {
            Err((wrong, format!("write \"{address}/{}\"", mask.leading_ones())))
        }
        _ => Err((wrong, format!("write 0 to {most} after the slash"))),
    }
}

/// How many bits an address has.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with the bits behind `prefix` set to zero.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let behind = u32::from(width(address).saturating_sub(prefix));
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(behind).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> Network {
        parse(text).unwrap_or_else(|(wrong, right)| panic!("{text}: {wrong}; {right}"))
    }

    fn within(text: &str, list: &[&str]) -> bool {
        let list: Vec<Network> = list.iter().map(|text| net(text)).collect();
        net(text).is_within(&list.iter().collect::<Vec<_>>())
    }

    #[test]
    fn an_address_belongs_to_the_networks_that_hold_it() {
        let vpn = net("10.8.0.0/16");
        for (address, belongs) in
            [("10.8.255.1", true), ("10.9.0.0", false), ("::ffff:10.8.0.1", true), ("::10.8.0.1", false)]
        {
            assert_eq!(vpn.contains(address.parse().expect("an address")), belongs, "{address}");
        }
        let anywhere: IpAddr = "192.0.2.1".parse().expect("an address");
        assert!(net("0.0.0.0/0").contains(anywhere));
        assert!(!net("::/0").contains(anywhere));
        assert!(!Network::Local.contains(anywhere));
        assert!(!Network::Unknown.contains(anywhere));
    }

    #[test]
    fn networks_are_filled_by_one_or_by_pieces() {
        assert!(within("10.0.0.0/8", &["0.0.0.0/0"]));
        assert!(within("10.0.0.0/8", &["10.128.0.0/9", "10.0.0.0/9"]));
        assert!(!within("10.0.0.0/8", &["10.0.0.0/9"]));
        assert!(!within("10.0.0.0/8", &["::/0"]));
        assert!(within("10.0.0.0/30", &["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"]));
        assert!(!within("10.0.0.0/30", &["10.0.0.0", "10.0.0.1", "10.0.0.3"]));
        assert!(within("::/0", &["8000::/1", "::/1"]));
        assert!(within("local", &["unknown", "local"]));
        assert!(!within("local", &["127.0.0.0/8", "unknown"]));
    }

    fn addresses() -> impl Strategy<Value = IpAddr> {
        let v4 = any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
        let v6 = any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)));
        prop_oneof![v4, v6]
    }

    fn networks() -> impl Strategy<Value = Network> {
        (addresses(), 0..=128_u8).prop_map(|(address, prefix)| {
            let prefix = prefix % (width(address) + 1);
            Network::Cidr { address: masked(address, prefix), prefix }
        })
    }

    /// Networks of a few addresses, so that random ones meet.
    fn small_networks() -> impl Strategy<Value = Network> {
        (0..16_u32, 28..=32_u8).prop_map(|(bits, prefix)| {
            let address = masked(Ipv4Addr::from_bits(0x0A00_0000 | bits).into(), prefix);
            Network::Cidr { address, prefix }
        })
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_the_same(network in networks()) {
            prop_assert_eq!(parse(&network.to_string()), Ok(network));
        }

        #[test]
        fn the_advice_for_host_bits_is_right(address in addresses(), prefix in 0..=32_u8) {
            if let Err((_, right)) = parse(&format!("{address}/{prefix}")) {
                let advised = right.split('"').nth(1).expect("a quoted network");
                prop_assert!(net(advised).contains(address), "{}", right);
            }
        }

        #[test]
        fn being_within_is_what_it_is_address_by_address(
            network in small_networks(),
            list in proptest::collection::vec(small_networks(), 0..8),
        ) {
            let every = (0..16).map(|bits| IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 | bits)));
            let one_by_one = every
                .filter(|address| network.contains(*address))
                .all(|address| list.iter().any(|one| one.contains(address)));
            prop_assert_eq!(network.is_within(&list.iter().collect::<Vec<_>>()), one_by_one);
        }

        #[test]
        fn no_text_panics(text in "[0-9a-f:./%]{0,24}|\\PC{0,12}") {
            drop(parse(&text));
        }
    }
}
