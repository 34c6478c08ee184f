#!/usr/bin/env bash
# The main job end to end; run by `make demo` from the project's root. Each
# statement is shown as it runs. A second run finds the rows and loads nothing.
set -euo pipefail
store=demo.lupa
lupa() { bin/lupa --models testdata/models "$store" "$@"; }

echo "== $store: two tables"
lupa --echo -f testdata/demo/schema.sql

if [ "$(lupa --format csv 'SELECT count(id) AS n FROM scenes' | tail -n 1)" = 300 ]; then
  echo "== scenes: already filled"
else
  echo "== scenes: 300 pictures through the image encoder"
  lupa --echo --timer -f testdata/demo/scenes.sql
fi

if [ "$(lupa --format csv 'SELECT count(caption) AS n FROM photos' | tail -n 1)" = 20000 ]; then
  echo "== photos: already loaded"
else
  echo "== photos: 20,000 precomputed vectors and their metadata"
  lupa --echo --timer -f testdata/demo/photos.sql
fi

echo "== phrases, filters, examples"
lupa --echo --timer -f testdata/demo/queries.sql

echo
echo "Now try:  bin/lupa $store"
