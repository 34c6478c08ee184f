#!/usr/bin/env bash
# The README's pictures, made by bin/lupa from the demo's store: what it shows in
# a terminal, and a gallery page. Run by `make pictures` after `make demo`; needs
# Chromium.
set -euo pipefail
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -n "$chromium" ] || { echo "pictures: chromium is needed" >&2; exit 1; }
[ -d demo.lupa ] || { echo "pictures: run make demo first" >&2; exit 1; }
out=testdata/pictures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shoot PAGE PICTURE WIDTH HEIGHT
shoot() {
  "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1 \
    --window-size="$3,$4" --screenshot="$out/$2" "file://$work/$1" 2>/dev/null
}

COLORTERM=truecolor bin/lupa demo.lupa --echo --width 98 --color always --images blocks -f $out/terminal.sql >"$work/terminal.txt"
go run ./$out/ansi <"$work/terminal.txt" >"$work/terminal.html"
shoot terminal.html terminal.png 960 $((18 * $(wc -l <"$work/terminal.txt") + 34))

bin/lupa demo.lupa -f $out/gallery.sql -o "$work/gallery.html"
shoot gallery.html gallery.png 1120 820

SHOTS=$work bash testdata/browser/run.sh
cp "$work/search.png" $out/browse.png
