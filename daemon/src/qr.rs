//! A QR code as text: half blocks without colours, which every client of ssh passes on.

use countersign_config::Qr;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode, render::Renderer};
use zeroize::Zeroizing;

/// Light modules around the code. Phones read it with two on a dark terminal, not with none.
const QUIET: u32 = 2;

/// Draws a text, each line ended; `None` where it is not wanted or does not fit any QR code.
///
/// The lowest error correction gives the largest modules; a screen has no coffee stains. On dark
/// ground the light modules are the ink, because the phone looks for dark ones on light.
#[must_use]
pub fn draw(text: &str, ground: Qr) -> Option<Zeroizing<String>> {
    let (dark, light) = match ground {
        Qr::Dark => (Dense1x2::Light, Dense1x2::Dark),
        Qr::Light => (Dense1x2::Dark, Dense1x2::Light),
        Qr::Off => return None,
    };
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let width = code.width();
    let drawn = Renderer::<Dense1x2>::new(&code.into_colors(), width, QUIET)
        .dark_color(dark)
        .light_color(light)
        .build();
    Some(Zeroizing::new(drawn + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ground_has_its_polarity() {
        let uri = "otpauth://totp/Acme:alice%40host?secret=ABCDEFGHIJKLMNOPQRSTUVWXYZ234567&issuer=Acme";
        let dark = draw(uri, Qr::Dark).expect("fits");
        let light = draw(uri, Qr::Light).expect("fits");
        let lines: Vec<&str> = dark.lines().collect();
        assert!(lines.len() <= 21, "{}", lines.len());
        assert!(lines[0].chars().all(|c| c == '█'), "the quiet zone is ink on dark ground");
        assert!(light.lines().next().is_some_and(|l| l.chars().all(|c| c == ' ')), "and ground on light");
        let inverted: String = dark
            .chars()
            .map(|c| match c {
                '█' => ' ',
                ' ' => '█',
                '▀' => '▄',
                '▄' => '▀',
                c => c,
            })
            .collect();
        // An odd number of module rows leaves half a line that is ground in both.
        let body = |s: &str| s.lines().take(lines.len() - 1).collect::<Vec<_>>().join("\n");
        assert_eq!(body(&inverted), body(&light));
        assert_eq!(draw(uri, Qr::Off), None);
        assert_eq!(draw(&"x".repeat(4000), Qr::Dark), None);
    }
}
