#!/bin/bash
# Makes the TIFF files of this directory anew, whose samples are fractions, and the pixels that
# ImageMagick finds in them as NAME.ppm (Debian: imagemagick 6.9, python3-pil).

cd "$(dirname "$0")"
rm -f *.tif *.ppm
convert -size 37x23 gradient:red-blue \( -size 37x23 plasma:fractal -seed 3 \) -compose blend -composite -depth 16 in.miff
float="-quiet -compress zip -define quantum:format=floating-point"
convert in.miff $float -depth 32 rgb.tif
convert in.miff $float -depth 16 half.tif
convert in.miff $float -depth 64 double.tif
convert in.miff $float -depth 32 -endian MSB -compress none big.tif
convert in.miff $float -depth 32 -compress zip -define tiff:predictor=3 shuffled.tif
convert in.miff $float -depth 16 -compress lzw -define tiff:predictor=3 half-shuffled.tif
convert in.miff $float -depth 32 -interlace plane -compress none planes.tif
convert in.miff $float -depth 32 -colorspace gray -define tiff:rows-per-strip=5 gray.tif
convert in.miff $float -depth 32 -define tiff:tile-geometry=16x16 -compress zip tiles.tif
convert in.miff -alpha set -channel A -evaluate set 60% +channel $float -depth 32 alpha.tif
for f in *.tif; do convert -quiet $f -alpha off -type TrueColor -depth 8 ${f%.tif}.ppm; done
rm in.miff
