//! A QR code as text.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode, render::Renderer};
use zeroize::Zeroizing;

use crate::terminal::Screen;

/// Light modules around the code. Phones read it with two on a dark terminal, not with none.
const QUIET: u32 = 2;

/// A QR code, or why there is none.
#[derive(Debug)]
pub(crate) enum Drawing {
    /// Lines of half blocks: ink is light, for dark terminals.
    Lines(Zeroizing<String>),
    /// The locale is not UTF-8, so the blocks would not arrive.
    NoUtf8,
    /// The terminal has fewer columns than this.
    Needs(usize),
    /// The text does not fit into a QR code.
    TooLong,
}

/// Draws `text` for this screen.
///
/// The lowest error correction gives the largest modules; a screen has no coffee stains.
pub(crate) fn draw(text: &str, screen: Screen) -> Drawing {
    if !screen.utf8 {
        return Drawing::NoUtf8;
    }
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else {
        return Drawing::TooLong;
    };
    let modules = code.width();
    let needed = modules + 2 * QUIET as usize;
    if screen.width.is_some_and(|width| width < needed) {
        return Drawing::Needs(needed);
    }
    let colors = code.into_colors();
    let drawn = Renderer::<Dense1x2>::new(&colors, modules, QUIET)
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    Drawing::Lines(Zeroizing::new(drawn))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of a usual URI: 160 bits of secret, a short issuer and account.
    const URI: &str = "otpauth://totp/Acme:alice%40host?secret=ABCDEFGHIJKLMNOPQRSTUVWXYZ234567&issuer=Acme";

    fn lines(text: &str, width: usize) -> Vec<String> {
        match draw(text, Screen { width: Some(width), utf8: true }) {
            Drawing::Lines(lines) => lines.lines().map(str::to_owned).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_usual_uri_fits_80_by_24_with_room_for_the_question() {
        let lines = lines(URI, 80);
        assert!(lines.len() <= 21, "{} lines", lines.len());
        let width = lines[0].chars().count();
        assert!(width <= 41, "{width} columns");
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert!(lines[0].chars().all(|c| c == '█'), "the quiet zone is ink");
        assert!(lines.concat().chars().all(|c| " ▀▄█".contains(c)));
    }

    #[test]
    fn where_it_cannot_be_shown_it_says_why() {
        assert!(matches!(draw(URI, Screen { width: Some(80), utf8: false }), Drawing::NoUtf8));
        assert!(matches!(draw(URI, Screen { width: Some(30), utf8: true }), Drawing::Needs(37..=41)));
        let long = "x".repeat(4000);
        assert!(matches!(draw(&long, Screen { width: None, utf8: true }), Drawing::TooLong));
    }
}
