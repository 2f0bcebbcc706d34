#!/usr/bin/python3
"""Draws what a terminal of 80x24 shows at the end of a session as a picture.

    screenshot.py dark|light FILE.png < SESSION

A terminal emulator (python3-pyte) interprets the session; its cells are drawn with DejaVu Sans Mono,
as high and wide as the font says, because half blocks must touch.
"""

import sys

import pyte
from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
THEMES = {"dark": ("#dddddd", "#1e1e1e"), "light": ("#1e1e1e", "#ffffff")}

ink, paper = THEMES[sys.argv[1]]
screen = pyte.Screen(80, 24)
stream = pyte.ByteStream(screen)
stream.feed(sys.stdin.buffer.read().replace(b"\n", b"\r\n"))

font = ImageFont.truetype(FONT, 20)
ascent, descent = font.getmetrics()
width, height = round(font.getlength("M")), ascent + descent
picture = Image.new("RGB", (80 * width, 24 * height), paper)
draw = ImageDraw.Draw(picture)
for row, line in enumerate(screen.display):
    for column, character in enumerate(line):
        draw.text((column * width, row * height), character, font=font, fill=ink)
picture.save(sys.argv[2])
