#!/usr/bin/env bash
# The main job end to end; run by `make demo` from the project's root. Each
# statement is shown as it runs. What is loaded already is not loaded again, also
# when an earlier run was interrupted half way.
set -euo pipefail
store=demo.lupa
dir=testdata/demo

lupa() { bin/lupa --models testdata/models "$store" "$@"; }
run()  { lupa --echo --timer -f "$dir/$1"; }

# rows EXPRESSION TABLE: how many rows have it
rows() { lupa --format csv "SELECT count($1) AS n FROM $2" | tail -n 1; }

echo "== $store: two tables"
run schema.sql

if [ "$(rows path scenes)" = 300 ]; then echo "== scenes: already filled"; else
  echo "== scenes: 300 pictures through the image encoder"
  run scenes.sql
fi
[ "$(rows caption scenes)" = 300 ] || run scenes_metadata.sql

if [ "$(rows id photos)" = 20000 ]; then echo "== photos: already loaded"; else
  echo "== photos: 20,000 precomputed vectors"
  run photos.sql
fi
[ "$(rows caption photos)" = 20000 ] || run photos_metadata.sql
run words.sql

echo "== phrases, filters, examples, words"
run queries.sql

cat <<'END'

Now try
  bin/lupa demo.lupa                                                             the shell
  bin/lupa demo.lupa "SELECT id, caption FROM photos ORDER BY clip_sim('an umbrella') LIMIT 5"
END
