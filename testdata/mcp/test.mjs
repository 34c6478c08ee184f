// What a client of the Model Context Protocol that is not written in Go gets from lupa mcp.
import assert from 'node:assert/strict'
import {execFileSync} from 'node:child_process'

const {LUPA, MODELS, STORE} = process.env
const ask = (...args) => JSON.parse(execFileSync('node_modules/.bin/mcp-inspector', ['--cli', LUPA, 'mcp', '--models', MODELS, STORE, '--method', ...args], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']}))
const call = (tool, args) => ask('tools/call', '--tool-name', tool, ...Object.entries(args).flatMap(([k, v]) => ['--tool-arg', `${k}=${typeof v === 'string' ? v : JSON.stringify(v)}`]))
const said = r => r.content[0].text
function step(about, f) {
  try { f(); console.log('ok   ' + about) } catch (e) { console.error('FAIL ' + about); throw e }
}

step('the tools are listed, and only read', () => {
  const {tools} = ask('tools/list')
  assert.deepEqual(tools.map(t => t.name).sort(), ['describe', 'query', 'search', 'similar'])
  for (const t of tools) assert.ok(t.annotations.readOnlyHint && t.description && t.inputSchema.type === 'object')
})
let first
step('search finds rows, with small pictures', () => {
  const r = call('search', {phrase: 'a wolf', k: 3, pictures: true})
  const a = JSON.parse(said(r))
  assert.equal(a.rows.length, 3)
  assert.match(a.statement, /clip_sim\('a wolf'\)/)
  first = a.rows[0].path
  assert.deepEqual(r.content.map(c => c.type), ['text', 'text', 'image', 'text', 'image', 'text', 'image'])
  assert.equal(r.content[2].mimeType, 'image/jpeg')
})
step('similar finds rows like one', () => {
  const a = JSON.parse(said(call('similar', {like: [first], k: 2})))
  assert.equal(a.rows.length, 2)
  assert.ok(!a.rows.some(r => r.path === first))
})
step('describe tells tables and encoders', () => assert.match(said(call('describe', {})), /"encoder":"toy-clip"/))
step('query reads, and teaches where it can not', () => {
  assert.equal(JSON.parse(said(call('query', {sql: 'SELECT count(*) AS n FROM photos'}))).rows.length, 1)
  for (const [sql, want] of [['SELECT capton FROM photos', /\^[^]*caption/], ['DELETE FROM photos', /read-only/], ["SELECT * FROM read_csv('/etc/passwd')", /files/]]) {
    const r = call('query', {sql})
    assert.ok(r.isError, sql)
    assert.match(said(r), want)
  }
})
step('each table is a resource', () => {
  assert.deepEqual(ask('resources/list').resources.map(r => r.uri), ['lupa://table/photos'])
  assert.match(ask('resources/read', '--uri', 'lupa://table/photos').contents[0].text, /"first_rows"/)
})
console.log('the inspector is served')
