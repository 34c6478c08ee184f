#!/usr/bin/env bash
# lupa mcp as the inspector of the protocol sees it: see test.mjs. Run by `make mcp` from the top
# directory. Needs node and npm; says what was left out where they are missing.
set -euo pipefail
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "mcp: left out, node or npm is missing"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp testdata/mcp/package.json testdata/mcp/test.mjs "$work"
(cd "$work" && npm install --silent --no-audit --no-fund >/dev/null)
store=$work/photos.lupa
bin/lupa --models testdata/models "$store" "
  CREATE TABLE photos (path TEXT PRIMARY KEY, caption TEXT, clip VECTOR ENCODER 'toy-clip');
  INSERT INTO photos (path, clip) SELECT path, image(path) FROM images('$PWD/testdata/toy-clip/scenes/scene0[0-3]*.jpg') ON CONFLICT (path) DO NOTHING;
  UPDATE photos SET caption = 'picture ' || length(path)" >/dev/null 2>&1
(cd "$work" && LUPA=$OLDPWD/bin/lupa MODELS=$OLDPWD/testdata/models STORE=$store node test.mjs)
