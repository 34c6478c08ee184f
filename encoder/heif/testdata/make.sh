#!/usr/bin/env bash
# Makes the pictures of this directory anew, and beside each NAME.png with the pixels that
# libheif's heif-convert finds in it. Debian: libheif-examples 1.15.1 (with x265 and aom),
# libavif-bin 0.11.1, exiftool, python3-numpy, python3-pil.
set -euo pipefail
cd "$(dirname "$0")"
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
/usr/bin/python3 - "$tmp" <<'PY'
import sys, numpy as np
from PIL import Image
def smooth(w, h):
    y, x = np.mgrid[0:h, 0:w]; a = np.zeros((h, w, 3))
    for c in range(3):
        for k in range(3): a[..., c] += 40 * np.sin((k + 1) * 3 * x / w + c) + 30 * np.cos((k + 1) * 4 * y / h + 2 * c)
    return Image.fromarray(np.clip(a * 0.5 + 128, 0, 255).astype(np.uint8))
for name, size in dict(even=(160, 120), odd=(61, 43), narrow=(17, 90)).items(): smooth(*size).save(f"{sys.argv[1]}/{name}.png")
smooth(90, 70).convert("L").save(sys.argv[1] + "/gray.png")
a = np.dstack([np.asarray(smooth(40, 30)), np.tile(np.linspace(40, 255, 40), (30, 1)).astype(np.uint8)])
Image.fromarray(a, "RGBA").save(sys.argv[1] + "/alpha.png")
PY
for n in even odd narrow gray; do heif-enc -q 90 "$tmp/$n.png" -o $n.heic; done
heif-enc -q 90 -p chroma=444 "$tmp/even.png" -o full.heic
heif-enc -q 90 -p chroma=422 "$tmp/even.png" -o half.heic
exiftool -q -overwrite_original -Orientation#=6 -DateTimeOriginal="2021:03:04 05:06:07" even.heic   # to be passed over: HEIF says itself how it is turned
for n in even odd gray alpha; do avifenc -q "$tmp/$n.png" $n.avif >/dev/null 2>&1 || avifenc "$tmp/$n.png" $n.avif >/dev/null; done
avifenc -d 10 -y 444 "$tmp/even.png" deep.avif >/dev/null
avifenc --cicp 1/13/1 -r limited "$tmp/even.png" limited.avif >/dev/null
for angle in 0 1 2 3; do
  avifenc --irot $angle "$tmp/odd.png" turned-$angle.avif >/dev/null
  for axis in 0 1; do avifenc --irot $angle --imir $axis "$tmp/odd.png" turned-$angle-$axis.avif >/dev/null; done
done
for f in *.heic *.avif; do heif-convert "$f" "$f.png" >/dev/null; done
