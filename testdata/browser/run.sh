#!/usr/bin/env bash
# The page of lupa browse in a real browser, over the pictures of testdata/toy-clip: see test.mjs.
# Run by `make browser` from the top directory. Needs Chromium, node and npm; says what was
# left out where they are missing and can't be installed.
set -euo pipefail
here=testdata/browser
find_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome || true; }
if [ -z "$(find_chromium)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get -qq update >/dev/null && apt-get -qq -y install chromium >/dev/null || true
fi
if [ -z "$(find_chromium)" ] || ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "browser: left out, Chromium, node or npm is missing"
  exit 0
fi
work=$(mktemp -d)
servers=()
trap '[ ${#servers[@]} = 0 ] || kill "${servers[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
cp $here/package.json $here/test.mjs "$work"
(cd "$work" && npm install --silent --no-audit --no-fund >/dev/null)

store=$work/photos.lupa
bin/lupa --models testdata/models "$store" "
  CREATE TABLE photos (id INTEGER PRIMARY KEY, path TEXT, caption TEXT, width INTEGER, format TEXT, clip VECTOR ENCODER 'toy-clip');
  INSERT INTO photos (id, path, width, format, clip) SELECT length(path) * 1000000 + bytes, path, width, format, image(path) FROM images('$PWD/testdata/toy-clip/scenes/*') ON CONFLICT DO NOTHING;
  UPDATE photos SET caption = 'a wolf, twice' WHERE path LIKE '%scene255%';
  INSERT INTO photos (id, path, caption, width, format, clip) SELECT 7, path, '<img src=x onerror=\"window.hacked=1\">', width, format, clip FROM photos WHERE path LIKE '%scene255%';
  CREATE TABLE vectors (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'toy-clip');
  COPY vectors (clip, id) FROM 'testdata/toy-clip/corpus/features.npy', 'testdata/toy-clip/corpus/photo_ids.csv';
  CREATE TABLE notes (n INTEGER PRIMARY KEY, body TEXT);
  INSERT INTO notes VALUES (1, 'a note'), (2, '<script>window.hacked=1</script>')" >/dev/null 2>&1
mkdir "$work/pictures" && cp testdata/toy-clip/scenes/scene00*.jpg "$work/pictures" && echo "no picture" >"$work/pictures/broken.jpg"
# serve NAME FLAGS...: a server whose address is in the file NAME
serve() {
  local name=$1; shift
  XDG_CACHE_HOME=$work/cache bin/lupa browse --models testdata/models "$@" >"$work/$name" 2>"$work/$name.log" &
  servers+=($!)
  for _ in $(seq 100); do [ -s "$work/$name" ] && break; sleep 0.1; done
  [ -s "$work/$name" ] || { cat "$work/$name.log"; exit 1; }
}
serve address --marks "$work/prompts.csv" "$store"
serve writing --write "$work/new.lupa"
(cd "$work" && ADDRESS=$(cat address) WRITING=$(cat writing) FOLDER=$work/pictures MARKS=$work/prompts.csv CHROMIUM=$(find_chromium) PICTURE=$OLDPWD/testdata/toy-clip/scenes/scene255.jpg SHOTS=${SHOTS:-} node test.mjs)
