# SPDX-License-Identifier: Apache-2.0
"""Make the training tiles of the bundled models from Debian packages.

    mkdir debs unpacked && cd debs
    apt-get download $(python ../make_data.py --packages)  # see README.md
    for f in *.deb; do dpkg -x $f ../unpacked/${f%%_*}; done
    python make_data.py --from unpacked --to tiles --megabytes 60

Every picture is shrunk, which removes compression artefacts and noise, cut
into tiles, and the tiles with the most detail are kept up to a total size.
LICENSES.md says whose pictures they are.
"""

import argparse
import io
import json
import pathlib
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
TILE = 416
SMALLEST = 256  # a x4 patch of 64 x 64 low-resolution pixels

WALLPAPERS = "usr/share/wallpapers/{}/contents/images/*"
LXQT = "usr/share/lxqt/wallpapers/"
SKIMAGE = "usr/lib/python3/dist-packages/skimage/data/"

# Package, patterns inside it, factors by which its pictures are shrunk.
SOURCES = [
    ("plasma-workspace-wallpapers",
     [WALLPAPERS.format(n) for n in (
         "Autumn", "BytheWater", "ColdRipple", "ColorfulCups", "EveningGlow",
         "FallenLeaf", "Grey", "Kite", "OneStandsOut", "Path", "Shell",
         "Kokkini", "Cascade", "Canopee", "SafeLanding", "Volna")], (2, 3)),
    ("mate-backgrounds",
     ["usr/share/backgrounds/mate/nature/*",
      "usr/share/backgrounds/mate/abstract/Elephants_5640x3172.jpg"], (2, 3)),
    ("lxqt-themes",
     [LXQT + n for n in (
         "Valendas.png", "after-the-rain.jpg", "appleflower.png", "beam.png",
         "butterfly.png", "cloud.png", "drop.png", "flowers.png", "fog.jpg",
         "this-is-not-windows.jpg")], (2, 3)),
    ("lomiri-wallpapers-16.04", ["usr/share/backgrounds/*_by_*"], (2.5, 4)),
    ("lomiri-wallpapers-20.04", ["usr/share/backgrounds/Fossa*",
                                 "usr/share/backgrounds/Kleiber*"], (2, 3)),
    ("budgie-backgrounds",
     [f"usr/share/backgrounds/budgie/{n}.jpg" for n in (
         "beacon-street-sunset", "blue-periwinkle", "canyon-wren", "casa-mila",
         "extreme-desert-hike", "high-trestle-trail", "lake-sherburne",
         "oakland-zoo-otters", "perched-osprey", "piazza-gae-aulenti",
         "roman-colosseum", "singaporean-cityscape", "tea-gardens")], (2, 3)),
    ("gnome-backgrounds",
     ["usr/share/backgrounds/gnome/licorice-l.webp",
      "usr/share/backgrounds/gnome/pixels-l.webp",
      "usr/share/backgrounds/gnome/truchet-*.webp"], (3,)),
    ("palapeli-data", ["usr/share/palapeli/collection/*.jpg"], (1.6, 2.2)),
    ("python3-skimage",
     [SKIMAGE + n for n in ("coffee.png", "motorcycle_left.png",
                            "astronaut.png", "chelsea.png", "ihc.png")],
     (1, 1.5)),
    ("tuxpaint-data", ["usr/share/tuxpaint/templates/*.jpg"], (2,)),
    ("endless-sky-data",
     ["usr/share/games/endless-sky/images/land/*.jpg"], (1.4,)),
]


def shrink(path, factor):
    with Image.open(path) as image:
        if "A" in image.getbands() or "transparency" in image.info:
            return None  # what lies under transparency is no picture
        image = image.convert("RGB")
    size = tuple(round(n / factor) for n in image.size)
    if min(size) < SMALLEST:
        return None
    return image if factor == 1 else image.resize(size, Image.LANCZOS)


def cuts(n):
    """Even cuts of n pixels into tiles of at most about TILE."""
    count = max(1, round(n / TILE))
    edges = [round(i * n / count) for i in range(count + 1)]
    return list(zip(edges, edges[1:]))


def detail(tile):
    """Mean absolute luma gradient: flat tiles teach nothing."""
    y = np.asarray(tile.convert("L"), np.float32)
    return float(np.abs(np.diff(y, axis=0)).mean()
                 + np.abs(np.diff(y, axis=1)).mean())


def pictures(root):
    """(path, factor) of every picture and size."""
    for package, patterns, factors in SOURCES:
        folder = root / package
        if not folder.is_dir():
            raise SystemExit(f"{folder}: no such folder; see --help")
        paths = sorted({p for q in patterns for p in folder.glob(q)
                        if p.suffix in (".jpg", ".png", ".webp")})
        yield from ((p, f) for p in largest(paths) for f in factors)


def candidates(root, path, factor):
    """(detail, name, tile) of every tile, sides multiples of 8."""
    image = shrink(path, factor)
    if image is None:
        return []
    name, found = str(path.relative_to(root)), []
    for y0, y1 in cuts(image.height):
        for x0, x1 in cuts(image.width):
            tile = image.crop((x0, y0, x0 + (x1 - x0) // 8 * 8,
                               y0 + (y1 - y0) // 8 * 8))
            found.append((detail(tile), f"{name} /{factor} {x0},{y0}", tile))
    return found


def largest(paths):
    """One file per folder of KDE's per-resolution copies."""
    best = {}
    for path in paths:
        key = path.parent if path.parent.name == "images" else path
        if key not in best or path.stat().st_size > best[key].stat().st_size:
            best[key] = path
    return sorted(best.values())


def is_held_out(name):
    """About one picture in sixteen serves for validation only."""
    return zlib.crc32(name.split(" /")[0].encode()) % 16 == 0


def by_rank(tiles):
    """Every picture's best tile, then every picture's second best, …"""
    seen, ranked = {}, []
    for tile in sorted(tiles, key=lambda t: -t[0]):
        picture = tile[1].split(" /")[0]
        seen[picture] = seen.get(picture, 0) + 1
        ranked.append((seen[picture], tile))
    return [tile for _, tile in sorted(ranked, key=lambda r: r[0])]


def encode(tile):
    data = io.BytesIO()
    tile.save(data, "webp", lossless=True, method=3)
    return data.getvalue()


def make(root, out, limit, least):
    out.mkdir(parents=True, exist_ok=True)
    chosen, total, pixels = [], 0, 0
    with ThreadPoolExecutor() as pool:  # Pillow's work runs beside Python's
        found = pool.map(lambda p: candidates(root, *p), pictures(root))
        tiles = by_rank([t for part in found for t in part if t[0] >= least])
        files = pool.map(lambda t: encode(t[2]), tiles)
        for i, ((score, name, tile), data) in enumerate(zip(tiles, files)):
            split = "val" if is_held_out(name) else "train"
            path = out / f"{split}_{i:04}.webp"
            total += len(data)
            if total > limit:
                pool.shutdown(cancel_futures=True)
                break
            path.write_bytes(data)
            pixels += tile.width * tile.height
            chosen.append({"file": path.name, "from": name, "detail": score})
    (out / "tiles.json").write_text(json.dumps(chosen, indent=1))
    held = sum(c["file"].startswith("val") for c in chosen)
    print(f"{len(chosen)} of {len(tiles)} tiles ({held} held out), "
          f"{pixels / 1e6:.1f} Mpixel, {total / 1e6:.1f} MB")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packages", action="store_true",
                        help="print the names of the packages and stop")
    parser.add_argument("--from", dest="root", type=pathlib.Path)
    parser.add_argument("--to", type=pathlib.Path)
    parser.add_argument("--megabytes", type=float, default=50)
    parser.add_argument("--detail", type=float, default=4)
    args = parser.parse_args()
    if args.packages:
        print(*(package for package, _, _ in SOURCES))
        return
    if not args.root or not args.to:
        parser.error("--from and --to are needed")
    make(args.root, args.to, args.megabytes * 1e6, args.detail)


if __name__ == "__main__":
    main()
