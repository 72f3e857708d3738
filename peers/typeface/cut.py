"""Cuts a variable font into the files of a style sheet: cut.py STYLE FOLDER <FONT

STYLE has a rule `@font-face` for each file, with its name, its weights and its `unicode-range`. The files are written to
FOLDER as WOFF2. The same font, rules and versions of the libraries give the same bytes.
"""

import io
import re
import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

# What pages use, and what letters need to be joined, placed and accented.
FEATURES = ["calt", "case", "ccmp", "cv11", "kern", "locl", "mark", "mkmk", "pnum", "tnum"]

# Copyright, family, style, version, licence and its address.
NAMES = [0, 1, 2, 5, 13, 14]


def ranges(text):
    letters = set()
    for part in text.split(","):
        first, _, last = part.strip().removeprefix("U+").partition("-")
        letters.update(range(int(first, 16), int(last or first, 16) + 1))
    return letters


def cut(source, letters, weights):
    font = TTFont(io.BytesIO(source), recalcTimestamp=False)
    options = Options()
    options.layout_features = FEATURES
    options.name_IDs = NAMES
    options.hinting = False
    options.notdef_outline = True
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=letters)
    subsetter.subset(font)
    # Pages never slant, and use no other weights.
    font = instancer.instantiateVariableFont(font, {"slnt": 0, "wght": weights})
    font.flavor = "woff2"
    return font


def main():
    style, folder = Path(sys.argv[1]), Path(sys.argv[2])
    source = sys.stdin.buffer.read()
    faces = re.findall(
        r"@font-face\s*{[^}]*font-weight:\s*(\d+) (\d+);[^}]*url\(([\w-]+\.woff2)\)[^}]*unicode-range:\s*([^;]+);",
        style.read_text(encoding="utf-8"),
    )
    if not faces:
        sys.exit(f"{style} has no typefaces")
    for light, bold, name, letters in faces:
        font = cut(source, ranges(letters), (int(light), int(bold)))
        font.save(folder / name)
        print(f"{name}: {len(font.getBestCmap())} letters, {(folder / name).stat().st_size} bytes")


main()
