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
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cp $here/package.json $here/test.mjs "$work"
(cd "$work" && npm install --silent --no-audit --no-fund >/dev/null)

store=$work/photos.lupa
bin/lupa --models testdata/models "$store" "
  CREATE TABLE photos (id INTEGER PRIMARY KEY, path TEXT, caption TEXT, width INTEGER, format TEXT, clip VECTOR ENCODER 'toy-clip');
  INSERT INTO photos (id, path, width, format, clip) SELECT length(path) * 1000000 + bytes, path, width, format, image(path) FROM images('$PWD/testdata/toy-clip/scenes/*') ON CONFLICT DO NOTHING;
  UPDATE photos SET caption = '<img src=x onerror=\"window.hacked=1\">' WHERE path LIKE '%scene255%';
  CREATE TABLE notes (n INTEGER PRIMARY KEY, body TEXT);
  INSERT INTO notes VALUES (1, 'a note'), (2, '<script>window.hacked=1</script>')" >/dev/null 2>&1
bin/lupa browse --models testdata/models "$store" >"$work/address" 2>"$work/log" &
server=$!
for _ in $(seq 100); do [ -s "$work/address" ] && break; sleep 0.1; done
[ -s "$work/address" ] || { cat "$work/log"; exit 1; }
(cd "$work" && ADDRESS=$(cat address) CHROMIUM=$(find_chromium) PICTURE=$OLDPWD/testdata/toy-clip/scenes/scene255.jpg SHOTS=${SHOTS:-} node test.mjs)
