#!/usr/bin/env bash
# Makes the pictures of this directory anew, and goldens.json with what exiftool reads in them.
# Debian: libimage-exiftool-perl 12.57, python3-pil, libheif-examples.
set -euo pipefail
cd "$(dirname "$0")"
rm -f *.jpg *.png *.webp *.tif *.gif *.heic
/usr/bin/python3 - <<'PY'
from PIL import Image
m = Image.new("RGB", (8, 8), (10, 200, 30))
for n in ("all.jpg", "south.jpg", "few.jpg", "iptc.jpg", "windows.jpg", "none.jpg", "all.png", "all.webp", "all.tif", "all.gif"): m.save(n)
PY
heif-enc all.png -o all.heic
all=(-Make=Canon "-Model=Canon EOS R5" "-LensModel=RF24-70mm F2.8 L IS USM" -ISO=400 -FocalLength=35.5 -GPSLatitude=48.137154 -GPSLatitudeRef=N -GPSLongitude=11.576124 -GPSLongitudeRef=E
  "-DateTimeOriginal=2021:03:04 05:06:07" "-OffsetTimeOriginal=+05:30" -XMP:Rating=4 -XMP:Subject=wolf "-XMP:Subject=snow & ice" "-XMP:Subject=Übung")
for f in all.jpg all.png all.webp all.tif all.gif all.heic; do exiftool -q -overwrite_original "${all[@]}" $f; done
exiftool -q -overwrite_original -Make=SONY -Model=ILCE-7M4 -GPSLatitude=33.8568 -GPSLatitudeRef=S -GPSLongitude=70.5 -GPSLongitudeRef=W "-OffsetTime=-03:00" -EXIF:Rating=5 south.jpg
exiftool -q -overwrite_original -Model=X100 -ISO=65535 -RecommendedExposureIndex=102400 -ISOSpeed=102400 -XMP:Rating=-1 few.jpg
exiftool -q -overwrite_original -IPTC:Keywords=Straße -IPTC:Keywords=dog -charset iptc=latin1 iptc.jpg
exiftool -q -overwrite_original "-XPKeywords=fox;Füchse; two words" windows.jpg
exiftool -j -n -G1 -IFD0:Make -IFD0:Model -ExifIFD:LensModel -ExifIFD:ISO -ExifIFD:ISOSpeed -ExifIFD:FocalLength -Composite:GPSLatitude -Composite:GPSLongitude -ExifIFD:OffsetTime -ExifIFD:OffsetTimeOriginal -XMP-xmp:Rating -IFD0:Rating -XMP-dc:Subject -IPTC:Keywords -IFD0:XPKeywords \
  -charset iptc=latin1 *.jpg *.png *.webp *.tif *.gif *.heic > goldens.json
