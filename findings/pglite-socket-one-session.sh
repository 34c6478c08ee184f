#!/usr/bin/env bash
# @electric-sql/pglite 0.5.14 behind @electric-sql/pglite-socket 0.2.17 (maxConnections: 4), asked
# by pg 8.23.1: PostgreSQL in WebAssembly that serves several connections by turns.
#
# One expects what PostgreSQL promises each connection: settings, temporary tables and prepared
# statements of its own. All connections share one session: what the first one sets, makes or
# prepares is there for the second, and outlives the first one's end. A client that prepares
# statements under names made from their texts, as pools do, fails from its second connection on.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite@0.5.14 @electric-sql/pglite-socket@0.2.17 pg@8.23.1 >/dev/null
cat > ask.mjs <<'JS'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import pg from 'pg'

const server = new PGLiteSocketServer({ db: await PGlite.create(), port: 0, host: '127.0.0.1', maxConnections: 4 })
let port
server.addEventListener('listening', (e) => { port = e.detail.port })
await server.start()
const connect = async () => {
  const c = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' })
  await c.connect()
  return c
}
const first = await connect()
await first.query("SET statement_timeout = '7s'")
await first.query('CREATE TEMPORARY TABLE mine (n int)')
await first.query({ name: 'one', text: 'SELECT 1' })
await first.end()
const second = await connect()
console.log('setting:', (await second.query('SHOW statement_timeout')).rows[0].statement_timeout)
console.log('temporary table:', (await second.query('SELECT count(*)::int AS n FROM mine')).rows[0].n, 'rows')
try {
  await second.query({ name: 'one', text: 'SELECT 1' })
  console.log('prepared statement: none of that name')
} catch (e) {
  console.log('prepared statement:', e.message)
}
process.exit(0)
JS
got=$(node ask.mjs)
printf '%s\n' "$got"
[ "$got" = 'setting: 7s
temporary table: 0 rows
prepared statement: prepared statement "one" already exists' ]
