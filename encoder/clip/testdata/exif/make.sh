#!/usr/bin/env bash
# Makes the files of this directory and, as exiftool reads them, tags.json. Needs exiftool (12.57 was
# used) and Python with Pillow (9.4).
set -euo pipefail
cd "$(dirname "$0")"
rm -f -- *.jpg *.png *.webp *.tif tags.json
python=${PYTHON:-/usr/bin/python3}
$python - <<'P'
from PIL import Image
im = Image.new('RGB', (16, 8))
im.putdata([(x * 16, y * 30, 128) for y in range(8) for x in range(16)])
for n in range(1, 9):
    e = Image.Exif()
    e[0x0112] = n
    im.save(f'orientation-{n}.jpg', exif=e.tobytes())
    im.save(f'orientation-{n}.png', exif=e.tobytes())
    im.save(f'orientation-{n}.webp', exif=e.tobytes(), lossless=True)
for name in '''original digitized changed offset subsecond zeros blank gps-only xmp-original xmp-created
        xmp-digitized xmp-offset xmp-day xmp-and-exif xmp-and-changed big-endian comment-before nothing'''.split():
    im.save(name + '.jpg')
im.save('xmp.png'); im.save('xmp-packed.png'); im.save('exif.png'); im.save('xmp.webp'); im.save('exif.webp'); im.save('xmp.tif'); im.save('exif.tif')
P
tag() { exiftool -q -m -overwrite_original "$@"; }
t='2021:03:04 05:06:07'
tag -EXIF:DateTimeOriginal="$t" -EXIF:CreateDate='2022:01:01 00:00:00' -EXIF:ModifyDate='2023:01:01 00:00:00' original.jpg
tag -EXIF:CreateDate="$t" -EXIF:ModifyDate='2023:01:01 00:00:00' digitized.jpg
tag -EXIF:ModifyDate="$t" changed.jpg
tag -EXIF:DateTimeOriginal="$t" -EXIF:OffsetTimeOriginal=+09:00 offset.jpg
tag -EXIF:DateTimeOriginal="$t" -EXIF:SubSecTimeOriginal=25 subsecond.jpg
tag -n -EXIF:DateTimeOriginal='0000:00:00 00:00:00' -EXIF:CreateDate="$t" zeros.jpg
tag -n -EXIF:DateTimeOriginal='    :  :     :  :  ' blank.jpg
tag -EXIF:GPSLatitude=48.1 -EXIF:GPSLatitudeRef=N -EXIF:GPSLongitude=11.5 -EXIF:GPSLongitudeRef=E gps-only.jpg
tag -XMP-exif:DateTimeOriginal="$t" xmp-original.jpg
tag -XMP-photoshop:DateCreated="$t" xmp-created.jpg
tag -XMP-xmp:CreateDate="$t" xmp-digitized.jpg
tag -XMP-exif:DateTimeOriginal="$t.25-07:00" xmp-offset.jpg
tag -XMP-photoshop:DateCreated='2021:03:04' xmp-day.jpg
tag -EXIF:DateTimeOriginal="$t" -XMP-exif:DateTimeOriginal='2020:01:01 00:00:00' xmp-and-exif.jpg
tag -EXIF:ModifyDate='2023:01:01 00:00:00' -XMP-exif:DateTimeOriginal="$t" xmp-and-changed.jpg
tag -ExifByteOrder=MM -EXIF:DateTimeOriginal="$t" -EXIF:Orientation#=6 big-endian.jpg
tag -Comment="$(printf 'x%.0s' {1..3000})" -EXIF:DateTimeOriginal="$t" -EXIF:Orientation#=8 comment-before.jpg
tag -XMP-exif:DateTimeOriginal="$t" xmp.png
tag -z -XMP-exif:DateTimeOriginal="$t" xmp-packed.png
tag -EXIF:DateTimeOriginal="$t" exif.png
tag -XMP-exif:DateTimeOriginal="$t" xmp.webp
tag -EXIF:DateTimeOriginal="$t" -EXIF:Orientation#=3 exif.webp
tag -XMP-exif:DateTimeOriginal="$t" xmp.tif
tag -EXIF:DateTimeOriginal="$t" exif.tif
exiftool -json -n -ImageWidth -ImageHeight -Orientation -EXIF:DateTimeOriginal -EXIF:CreateDate -EXIF:ModifyDate \
  -XMP-exif:DateTimeOriginal -XMP-photoshop:DateCreated -XMP-xmp:CreateDate -G1 ./*.jpg ./*.png ./*.webp ./*.tif >tags.json
