#!/bin/bash
# Makes the files of this directory anew (Debian: libjxl-tools 0.7, python3-pil, exiftool). What is
# lossless has the pixels of its .png, which Pillow made; the others have those that djxl gives.
set -e
cd "$(dirname "$0")"
rm -f *.jxl *.png
/usr/bin/python3 - <<'PY'
from PIL import Image
import numpy as np
rng = np.random.default_rng(1)
y, x = np.mgrid[0:45, 0:60]
rgb = np.stack([x * 4, y * 5, (x + y) * 2], -1).astype(np.uint8)
rgb[10:20, 10:20] = rng.integers(0, 255, (10, 10, 3))
im = Image.fromarray(rgb)
im.save("lossless.jxl.png")
im.save("boxes.jxl.png")
im.convert("L").save("grey.jxl.png")
Image.fromarray(np.dstack([rgb, (x * 4).astype(np.uint8)]), "RGBA").save("alpha.jxl.png")
Image.fromarray((rgb[:, :, 0].astype(np.uint16) * 257)).save("grey16.jxl.png")
big = np.stack([np.mgrid[0:300, 0:400][1] * 150, np.mgrid[0:300, 0:400][0] * 200], -1).astype(np.uint16)
im.save("stored.jpg", quality=95)
im.save("moving.gif", save_all=True, append_images=[im.rotate(90), im.rotate(180)], duration=100)
PY
for n in lossless grey alpha grey16; do cjxl $n.jxl.png $n.jxl -d 0 --quiet 2>/dev/null; done
cjxl boxes.jxl.png boxes.jxl -d 0 --container=1 --quiet 2>/dev/null
cjxl lossless.jxl.png lossy.jxl -d 2 --quiet 2>/dev/null
cjxl moving.gif moving.jxl -d 0 --quiet 2>/dev/null
for n in 1 2 3 4 5 6 7 8; do
  cp stored.jpg turned.jpg
  exiftool -q -overwrite_original -n -Orientation=$n -DateTimeOriginal="2021:03:04 05:06:07" -Make=Canon -Model=R5 -XMP:Rating=4 turned.jpg
  cjxl turned.jpg turned-$n.jxl --lossless_jpeg=1 --quiet 2>/dev/null # pixels of a JPEG file, EXIF and XMP in brob
done
for n in lossy moving turned-{1,2,3,4,5,6,7,8}; do djxl $n.jxl $n.jxl.png --quiet; done
rm -f stored.jpg turned.jpg moving.gif
