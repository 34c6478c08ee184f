#!/usr/bin/env bash
# golang.org/x/image v0.47.0, package tiff: pictures of two colours, compressed by Group 4,
# whose PhotometricInterpretation is 1 (black is zero), the kind that Pillow 9.4.0 writes for
# Image.save("x.tif", compression="group4") of a picture of mode "1".
#
# One expects the four columns at the left to be black and the others white, as Pillow,
# ImageMagick and libtiff show the file. Every pixel comes back as its opposite, without
# an error: the decoder turns the bits for photometric 0 and 1 alike. So scans searched by
# an image encoder are searched as their negatives.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > main.go <<'GO'
package main

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"golang.org/x/image/tiff"
)

// 16 x 4 pixels, the first four of each row black; written by Pillow.
const file = "SUkqAA4AAAA2H/ABABAJAAABAwABAAAAEAAAAAEBAwABAAAABAAAAAIBAwABAAAAAQAAAAMBAwABAAAABAAAAAYBAwABAAAAAQAAABEBBAABAAAACAAAABYBAwABAAAABAAAABcBBAABAAAABgAAABwBAwABAAAAAQAAAAAAAAA="

func main() {
	b, err := base64.StdEncoding.DecodeString(file)
	if err != nil {
		panic(err)
	}
	img, err := tiff.Decode(bytes.NewReader(b))
	if err != nil {
		panic(err)
	}
	for x := range 16 {
		r, _, _, _ := img.At(x, 0).RGBA()
		fmt.Print(map[bool]string{true: "#", false: "."}[r == 0])
	}
	fmt.Println()
}
GO
go mod init finding >/dev/null 2>&1
go get golang.org/x/image@v0.47.0 >/dev/null 2>&1
got=$(go run .)
echo "black pixels (#) of a row, ####............ is right: $got"
[ "$got" = "....############" ] || { echo "this has changed"; exit 1; }
