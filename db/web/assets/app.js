// The page of a store: a search box, its results, and the statement that finds them.

const $ = id => document.getElementById(id)
const make = (tag, props = {}, ...children) => {
  const e = Object.assign(document.createElement(tag), props)
  e.append(...children)
  return e
}

const page = 60
const state = {
  tables: [], table: null, statements: false,
  chips: [],        // {sign: "+" or "-", text} or {sign, key, thumb} or {sign, picture, thumb}
  filters: {},      // "eq.place" -> array of texts, "min.width" -> [text]
  rows: [], columns: [], more: false, best: 0,
  custom: false,    // the rows are those of a statement that was typed
  asking: null, shown: null, // the search that was asked last, and that of the rows; null for a statement's
  run: 0, abort: null, loading: false, open: -1,
  heads: [],        // places of the rows that stand for those alike
  cut: false,       // the line below what is relevant is drawn
  picked: new Set(), // places of rows that were chosen
  marks: new Map(), // phrase and key -> right or wrong
  can: {},          // what the server answers: marks, write, reveal
}

async function api(path, options = {}) {
  const answer = await fetch('api/v1/' + path, options)
  const type = answer.headers.get('content-type') || ''
  if (!type.startsWith('application/json')) throw new Error((await answer.text()).trim() || answer.statusText)
  const body = await answer.json()
  if (!answer.ok) throw Object.assign(new Error(body.error), body)
  return body
}

// What is asked for.

function parameters() {
  const p = new URLSearchParams({table: state.table.name})
  const q = $('q').value.trim()
  if (q) p.set('q', q)
  for (const c of state.chips) {
    if (c.picture) continue
    p.append(c.key === undefined ? (c.sign === '+' ? 'plus' : 'minus') : (c.sign === '+' ? 'like' : 'unlike'), c.key ?? c.text)
  }
  for (const [name, values] of Object.entries(state.filters)) for (const v of values) p.append(name, v)
  const sort = $('sort').value
  if (sort) p.set('sort', sort)
  if (state.table.words && $('by').value) p.set('by', $('by').value)
  return p
}

// bodyOf is a search, with more parameters, as it is sent.
function bodyOf(what, more = []) {
  const body = what.picture ? new FormData() : new URLSearchParams()
  for (const [k, v] of [...what.p, ...more]) body.append(k, v)
  if (what.picture) body.append('picture', what.picture)
  return body
}

function request(what, offset, signal) {
  const body = bodyOf(what, [['k', page], ['offset', offset]])
  return what.picture ? api('search', {method: 'POST', body, signal}) : api('search?' + body, {signal})
}

async function search() {
  if (!state.table) return
  state.custom = false
  const what = state.asking = {
    p: parameters(), picture: state.chips.find(c => c.picture)?.picture,
    q: $('q').value.trim(), chips: state.chips.length, ordered: !$('sort').value && !$('by').value,
  }
  await load(0, signal => request(what, 0, signal))
}

async function runStatement() {
  state.custom = true
  const sql = $('statement').value
  await load(0, signal => api('query', {
    method: 'POST', signal, headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({sql, table: state.table ? state.table.name : ''}),
  }))
}

// load asks for rows; an answer that a later question has overtaken is dropped.
async function load(offset, ask) {
  state.abort?.abort()
  const abort = state.abort = new AbortController()
  const run = ++state.run
  state.loading = true
  const begun = performance.now()
  try {
    const a = await ask(abort.signal)
    if (run !== state.run) return
    const spent = Math.round(performance.now() - begun)
    const heads = offset === 0 ? [] : state.heads.map(i => state.rows[i].key)
    const stacks = await stacksOf(a.rows, heads, abort.signal)
    if (run !== state.run) return
    if (offset === 0) {
      state.shown = state.custom ? null : state.asking // further rows are of the same search, whatever is typed meanwhile
      state.rows = []
      state.heads = []
      state.best = 0
      state.cut = false
      state.picked.clear()
      showPicked()
      $('results').replaceChildren()
      window.scrollTo(0, 0)
    }
    if (!state.custom && offset === 0) $('statement').value = a.statement
    const from = state.rows.length
    show(a, stacks)
    const folded = state.rows.length - state.heads.length
    status((a.changed !== undefined ? `${a.changed} rows changed, ` : '') + `${state.rows.length}${a.more ? '+' : ''} rows, ${folded ? folded + ' of them in stacks, ' : ''}${a.ms.toFixed(1)} ms (${spent} ms here)` +
      (a.partial ? `, ${a.partial.proven} proven` + (a.partial.unseen !== undefined ? `; another row could reach ${a.partial.unseen.toFixed(4)}` : '') : ''))
    complain(null)
    if (a.changed !== undefined) refreshTables()
    if (state.shown) relevance(from, abort.signal).catch(() => {}) // rows stand as they are without it
  } catch (e) {
    if (e.name === 'AbortError' || run !== state.run) return
    complain(e)
  } finally {
    if (run === state.run) {
      state.loading = false
      remember()
      if (nearEnd()) more()
    }
  }
}

function more() {
  if (state.loading || !state.more || !state.shown) return
  const offset = state.rows.length
  load(offset, signal => request(state.shown, offset, signal))
}

const status = text => { $('status').textContent = text }

function complain(e) {
  const box = $('error')
  box.hidden = !e
  if (!e) return
  let text = e.message
  if (e.line) {
    const line = $('statement').value.split('\n')[e.line - 1]
    if (line !== undefined) text = line + '\n' + ' '.repeat(e.column - 1) + '^\n' + text
  }
  box.textContent = text + (e.hint ? '\n' + e.hint : '')
  $('sql').open = true
  status('That did not work: ' + e.message)
}

// What was found.

// stacksOf says for each row the key of the one that stands for it; null where rows aren't stacked.
async function stacksOf(rows, heads, signal) {
  const t = state.table
  if (!$('fold').checked || !foldable(t) || rows.some(r => r.key === undefined)) return null
  const p = new URLSearchParams({table: t.name})
  for (const h of heads) p.append('head', h)
  for (const r of rows) p.append('key', r.key)
  if (rows.length + heads.length > 5000) return null
  try {
    return (await api('stacks', {method: 'POST', body: p, signal})).stacks
  } catch (e) {
    if (e.name === 'AbortError') throw e
    return null
  }
}

const isVector = c => /^(VECTOR|HALFVEC)/.test(c.type)
const foldable = t => t && t.primary_key && t.columns.some(isVector)

function show(a, stacks) {
  state.columns = a.columns
  state.more = a.more
  const results = $('results')
  a.rows.forEach((row, i) => {
    const at = state.rows.push(row) - 1
    if (row.score !== undefined) state.best = Math.max(state.best, row.score)
    row.below = []
    const head = stacks && stacks[i] !== row.key ? state.heads.find(h => state.rows[h].key === stacks[i]) : undefined
    row.head = head ?? at
    if (head === undefined) {
      state.heads.push(at)
      results.append(cell(row, at))
      return
    }
    const top = state.rows[head]
    top.below.push(at)
    if (top.open) lastOf(head).after(cell(row, at))
    else showStack(head)
  })
  if (!state.rows.length) results.append(make('p', {textContent: a.changed === undefined ? 'No rows.' : 'Done.'}))
}

const cellOf = at => document.querySelector(`.cell[data-at="${at}"]`)
const lastOf = head => { // the last cell of a stack that is spread out
  const shown = state.rows[head].below.map(cellOf).filter(Boolean)
  return shown.at(-1) || cellOf(head)
}

// showStack puts on a card how many are below it.
function showStack(head) {
  const row = state.rows[head], c = cellOf(head)
  if (!c) return
  let b = c.querySelector('.stack')
  if (!b) {
    b = make('button', {type: 'button', className: 'stack'})
    b.addEventListener('click', () => { row.open = !row.open; spread(head); showStack(head) })
    c.append(b)
  }
  b.textContent = row.open ? '−' + row.below.length : '+' + row.below.length
  b.ariaLabel = `${row.below.length} more like ${labelOf(row)}`
  b.ariaExpanded = String(!!row.open)
  c.classList.toggle('stacked', !row.open)
}

function spread(head) {
  const row = state.rows[head]
  for (const at of row.below) {
    if (!row.open) cellOf(at)?.remove()
    else if (!cellOf(at)) lastOf(head).after(cell(state.rows[at], at))
  }
}

// relevance asks how relevant the rows are that have come, and draws the line below those that are.
async function relevance(from, signal) {
  const rows = state.rows.slice(from).filter(r => r.key !== undefined)
  const what = state.shown
  if (!rows.length || !state.table.columns.some(isVector) || !what.q && !what.chips) return
  const a = await api('relevance', {method: 'POST', body: bodyOf(what, rows.map(r => ['key', r.key])), signal})
  if (signal.aborted) return
  rows.forEach((r, i) => {
    const x = a.relevance[i]
    if (x === null || x === undefined) return
    r.relevance = x
    const at = state.rows.indexOf(r), c = cellOf(at)
    bar(c, r)
    if (what.ordered && c && r.head === at && !state.cut && x < 0.5) {
      state.cut = true
      c.before(make('span', {className: 'fill'}), make('p', {className: 'cut', textContent: at === 0 ? 'Nothing relevant was found. The nearest:' : 'Nothing relevant below here.'}))
    }
  })
}

function bar(c, row) {
  const b = c?.querySelector('.score')
  if (!b) return
  const part = row.relevance ?? (state.best > 0 ? row.score / state.best : 0)
  b.style.width = Math.max(0, Math.min(100, 100 * part)) + '%'
  b.title = row.relevance === undefined ? `score ${row.score.toFixed(4)}` : `relevance ${row.relevance.toFixed(2)}, score ${row.score.toFixed(4)}`
}

const describing = /^(caption|title|description|name|text|body)$/i

function labelOf(row) {
  const i = state.columns.findIndex((c, i) => describing.test(c.name) && row.values[i] !== null)
  return i >= 0 ? String(row.values[i]) : row.picture?.name || row.key || ''
}

// cell is a card with what can be done to it.
function cell(row, at) {
  const box = make('div', {className: 'cell'})
  box.dataset.at = at
  if (row.head !== at) box.classList.add('below')
  const pick = make('input', {type: 'checkbox', className: 'pick', ariaLabel: 'Select ' + labelOf(row), checked: state.picked.has(at)})
  pick.addEventListener('change', () => { state.picked[pick.checked ? 'add' : 'delete'](at); showPicked() })
  box.append(card(row, at, box), pick)
  showMark(box, row)
  return box
}

function showPicked() {
  const n = state.picked.size
  $('picked').textContent = n ? `${n} selected` : ''
  $('unpick').hidden = !n
  document.body.classList.toggle('picking', n > 0)
}

function card(row, at, box) {
  const label = labelOf(row)
  const c = make('button', {type: 'button', className: 'card'})
  c.dataset.at = at
  if (row.picture) {
    const img = make('img', {alt: label, loading: 'lazy', decoding: 'async'})
    img.addEventListener('load', () => {
      const shape = img.naturalWidth / img.naturalHeight
      box.style.setProperty('--shape', shape)
    })
    img.addEventListener('error', () => { c.replaceChildren(...text(row)); box.classList.add('text') })
    img.referrerPolicy = 'no-referrer'
    img.src = row.picture.thumb
    c.append(img, make('span', {className: 'label', textContent: label, ariaHidden: 'true'}))
    if (row.score !== undefined) c.append(make('span', {className: 'score'}))
    bar(c, row)
  } else {
    box.classList.add('text')
    c.append(...text(row))
  }
  c.addEventListener('click', () => openView(at))
  return c
}

function text(row) {
  const dl = make('dl')
  state.columns.forEach((col, i) => {
    if (row.values[i] === null) return
    const v = row.values[i]
    dl.append(make('dt', {textContent: col.name}), make('dd', {textContent: typeof v === 'number' && !Number.isInteger(v) ? v.toPrecision(5) : String(v)}))
  })
  return [dl]
}

const nearEnd = () => $('end').getBoundingClientRect().top < innerHeight + 800
addEventListener('scroll', () => { if (nearEnd()) more() }, {passive: true})

// One picture, large.

function openView(at) {
  const row = state.rows[at]
  if (!row) return
  state.open = at
  const large = $('large')
  large.src = row.picture ? row.picture.full : 'icon.svg'
  large.alt = labelOf(row)
  $('info').replaceChildren(...text(row)[0].childNodes)
  if (row.picture?.path) $('info').append(make('dt', {textContent: 'file'}), make('dd', {textContent: row.picture.path}))
  if (row.picture?.credit) $('info').append(make('dt', {textContent: 'by'}), make('dd', {textContent: row.picture.credit}))
  const link = row.picture?.link || row.picture?.full
  $('original').hidden = !link
  if (link) $('original').href = link
  $('like').disabled = $('unlike').disabled = row.key === undefined
  $('copy-path').hidden = !row.picture?.path
  $('reveal').hidden = !state.can.reveal || !row.picture?.path
  const marked = marking() && row.key !== undefined ? state.marks.get(markOf(row)) : null
  for (const [id, is] of [['right', true], ['wrong', false]]) {
    $(id).hidden = !marking() || row.key === undefined
    $(id).ariaPressed = String(marked === is)
  }
  if (!$('view').open) $('view').showModal()
  if (at > state.rows.length - 5) more()
}

function step(by) {
  // What lies in a stack comes after its first, as on the page.
  const order = state.heads.flatMap(h => [h, ...state.rows[h].below])
  const at = order[order.indexOf(state.open) + by]
  if (at !== undefined) openView(at)
}

// What somebody says of hits.

// marking reports whether what is seen was found by a phrase alone, which is what lupa eval asks again.
const marking = () => state.can.marks && !!state.shown?.q && !state.shown.chips
const markOf = row => state.shown.q + '\0' + row.key

async function mark(right) {
  const row = state.rows[state.open]
  if (!marking() || row?.key === undefined) return
  if (state.marks.get(markOf(row)) === right) right = null // again: taken back
  try {
    await api('marks', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({table: state.table.name, q: state.shown.q, key: row.key, right})})
  } catch (e) {
    return complain(e)
  }
  if (right === null) state.marks.delete(markOf(row))
  else state.marks.set(markOf(row), right)
  const c = cellOf(state.open)
  if (c) showMark(c, row)
  openView(state.open)
}

function showMark(box, row) {
  box.querySelector('.mark')?.remove()
  const right = marking() && row.key !== undefined ? state.marks.get(markOf(row)) : undefined
  if (right === undefined) return
  box.append(make('span', {className: right ? 'mark right' : 'mark wrong', textContent: right ? '✓' : '✗', title: right ? 'marked as right' : 'marked as wrong', role: 'img', ariaLabel: right ? 'right' : 'wrong'}))
}

async function loadMarks() {
  state.marks.clear()
  if (!state.can.marks || !state.table) return
  try {
    for (const m of (await api('marks?' + new URLSearchParams({table: state.table.name}))).marks) state.marks.set(m.q + '\0' + m.key, m.right)
  } catch (e) {
    complain(e)
  }
}

async function showEval() {
  const number = x => x === undefined ? '' : x.toFixed(4)
  const tr = (...cells) => make('tr', {}, ...cells.map(c => make('td', {}, c ?? '')))
  $('eval-about').textContent = 'Asking all prompts…'
  for (const id of ['eval-figures', 'eval-prompts']) $(id).querySelector('tbody').replaceChildren()
  $('eval-figures').querySelector('thead').replaceChildren()
  $('eval').showModal()
  let a
  try {
    a = await api('eval?' + new URLSearchParams({table: state.table.name}))
  } catch (e) {
    $('eval-about').textContent = e.message
    return
  }
  const wrong = a.prompts.filter(p => !p.right).length
  $('eval-about').textContent = a.prompts.length
    ? `${wrong} of ${a.prompts.length} first hits are wrong. The prompts are in ${a.file}; lupa eval prints the same.`
    : `Nothing is judged yet: search for a phrase, open a picture, and say whether it is right (y) or wrong (n). It is written to ${a.file}.`
  $('eval-prompts').hidden = !a.prompts.length
  if (!a.prompts.length) return
  // precision@1, precision@3, ... are a line each of what they measure.
  const lines = new Map(), ats = new Set()
  for (const f of a.figures) {
    const [name, at = ''] = f.name.split('@')
    ats.add(at)
    if (!lines.has(name)) lines.set(name, new Map())
    lines.get(name).set(at, f.mean)
  }
  const heads = [...ats].filter(Boolean)
  $('eval-figures').querySelector('thead').append(make('tr', {}, make('th', {scope: 'col', textContent: 'Mean of'}), ...heads.map(at => make('th', {scope: 'col', textContent: 'first ' + at}))))
  for (const [name, means] of lines) {
    $('eval-figures').querySelector('tbody').append(make('tr', {}, make('th', {scope: 'row', textContent: name}), ...heads.map((at, i) => make('td', {textContent: number(means.get(at) ?? (i ? undefined : means.get('')))}))))
  }
  for (const p of a.prompts) {
    const again = make('button', {type: 'button', textContent: p.q})
    again.addEventListener('click', () => { $('eval').close(); state.chips = []; showChips(); $('q').value = p.q; search() })
    const row = tr(again, `${p.right ? '✓ ' : '✗ '}${p.first ?? ''}`, p.best ?? 'no row is right', p.rank ? String(p.rank) : '', number(p.margin))
    if (!p.right) row.className = 'bad'
    $('eval-prompts').querySelector('tbody').append(row)
  }
}

// An import of pictures.

let events
async function showImport() {
  $('importing').showModal()
  const here = state.importing?.folder || ''
  await showFolder(here).catch(() => showFolder('')).catch(e => { $('import-here').textContent = e.message })
  $('import-tables').replaceChildren(...state.tables.map(t => make('option', {value: t.name})))
  $('import-model').replaceChildren(...(state.can.models || []).map(m => make('option', {value: m, textContent: m})))
  showModels()
  if (!events) {
    events = new EventSource('api/v1/import/events')
    events.addEventListener('message', e => showProgress(JSON.parse(e.data)))
  }
}

// Only a new table needs to be told its model.
function showModels() {
  const there = state.tables.find(t => t.name === $('import-table').value.trim())
  $('import-model-label').hidden = !!there
  const none = !there && !(state.can.models || []).length
  if (none && state.importing?.status !== 'running') $('import-status').textContent = 'There is no model on this machine yet: lupa model pull fetches one.'
}

async function showFolder(path) {
  const a = await api('folders?' + new URLSearchParams({path}))
  $('import-folder').value = a.path
  $('import-here').textContent = `${a.files} files here, and ${a.folders.length}${a.more ? '+' : ''} directories. All pictures below are taken.`
  const go = (name, to) => {
    const b = make('button', {type: 'button', textContent: name})
    b.addEventListener('click', () => showFolder(to).catch(e => { $('import-here').textContent = e.message }))
    return make('li', {}, b)
  }
  const slash = a.path.includes('\\') ? '\\' : '/'
  $('import-folders').replaceChildren(...(a.parent ? [go('↑ up', a.parent)] : []), ...a.folders.map(f => go(f, a.path.replace(/[\\/]$/, '') + slash + f)))
}

function showProgress(s) {
  const before = state.importing?.status
  state.importing = s
  const running = s.status === 'running'
  const counted = s.total ? `${s.done.toLocaleString()} of ${s.total.toLocaleString()} ${s.unit}` : s.done ? `${s.done.toLocaleString()} ${s.unit}` : ''
  $('import-status').textContent = {
    idle: '', running: `${s.stage}: ${counted || '…'}`, done: `Done. ${s.result}`, stopped: `Stopped. ${s.result}`,
    interrupted: `The import of ${s.folder} was interrupted; what is in stays in.`, failed: 'It did not work.',
  }[s.status]
  $('import').textContent = running ? `Importing ${s.total ? Math.floor(100 * s.done / s.total) + ' %' : '…'}` : 'Import…'
  const bar = $('import-bar')
  bar.hidden = !running
  if (s.total) { bar.max = s.total; bar.value = s.done } else bar.removeAttribute('value')
  $('import-stop').hidden = !running
  $('import-start').hidden = running
  $('import-start').textContent = s.status === 'interrupted' || s.status === 'stopped' ? 'Go on' : 'Import'
  if (before !== s.status && s.status !== 'idle') {
    $('import-folder').value = s.folder
    $('import-table').value = s.table
    if ([...$('import-model').options].some(o => o.value === s.model)) $('import-model').value = s.model
  }
  $('import-error').hidden = !s.error
  $('import-error').textContent = s.error || ''
  const skipped = $('import-skipped')
  skipped.hidden = !s.skipped.length
  skipped.querySelector('summary').textContent = `${Math.max(s.failed, s.skipped.length)} could not be read`
  if (skipped.querySelector('ul').children.length !== s.skipped.length) skipped.querySelector('ul').replaceChildren(...s.skipped.map(t => make('li', {textContent: t})))
  $('import-statement').hidden = !s.statement
  $('import-statement').textContent = s.statement || ''
  if (before === 'running' && !running) refreshTables()
}

async function startImport() {
  $('import-error').hidden = true
  try {
    showProgress(await api('import', {method: 'POST', headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({folder: $('import-folder').value.trim(), table: $('import-table').value.trim(), model: $('import-model').value})}))
  } catch (e) {
    $('import-error').hidden = false
    $('import-error').textContent = e.message + (e.hint ? '\n' + e.hint : '')
  }
}

function closeView() {
  $('view').close()
  const shown = cellOf(state.open) || cellOf(state.rows[state.open]?.head)
  shown?.querySelector('.card').focus()
}

function addRow(sign) {
  const row = state.rows[state.open]
  if (!row || row.key === undefined) return
  $('view').close()
  addChip({sign, key: row.key, thumb: row.picture?.thumb})
}

// Chips: what else the search has.

function addChip(chip) {
  if (chip.picture) state.chips = state.chips.filter(c => !c.picture)
  state.chips.push(chip)
  showChips()
  search()
}

function addWords(sign) {
  const words = $('q').value.trim()
  if (!words) return
  $('q').value = ''
  addChip({sign, text: words})
}

function showChips() {
  $('chips').replaceChildren(...state.chips.map((c, i) => {
    const label = c.text ?? (c.key !== undefined ? c.key : c.name)
    const remove = make('button', {type: 'button', textContent: '✕', ariaLabel: 'Remove ' + label})
    remove.addEventListener('click', () => { state.chips.splice(i, 1); showChips(); search(); $('q').focus() })
    const li = make('li', {className: c.sign === '-' ? 'minus' : 'plus'}, c.sign === '-' ? '− ' : '+ ')
    if (c.thumb) li.append(make('img', {src: c.thumb, alt: label}))
    else li.append(make('span', {textContent: label}))
    li.append(remove)
    return li
  }))
}

function usePicture(file) {
  if (!file || !file.type.startsWith('image/')) return status('That is no picture.')
  addChip({sign: '+', picture: file, name: file.name || 'picture', thumb: URL.createObjectURL(file)})
}

// Filters.

async function showFilters() {
  const box = $('filters')
  box.replaceChildren()
  for (const c of state.table.columns) {
    if (c.name === state.table.primary_key || /^(VECTOR|HALFVEC|BLOB|JSON)/.test(c.type)) continue
    const set = make('fieldset', {}, make('legend', {textContent: c.name}))
    box.append(set)
    const p = new URLSearchParams({table: state.table.name, column: c.name})
    for (const [name, values] of Object.entries(state.filters)) {
      if (name.slice(name.indexOf('.') + 1) !== c.name) for (const v of values) p.append(name, v)
    }
    api('facet?' + p).then(f => f.kind === 'range' ? showRange(set, c, f) : showValues(set, c, f), e => set.append(e.message))
  }
}

function showValues(set, c, f) {
  const name = 'eq.' + c.name
  if (!f.values.length || f.more && f.values.every(v => v.rows === 1)) return set.remove() // every row has its own
  for (const v of f.values) {
    const box = make('input', {type: 'checkbox', checked: (state.filters[name] || []).includes(String(v.value))})
    box.addEventListener('change', () => {
      const now = (state.filters[name] || []).filter(x => x !== String(v.value))
      if (box.checked) now.push(String(v.value))
      setFilter(name, now)
    })
    set.append(make('label', {}, box, make('span', {textContent: v.value === '' ? '(empty)' : v.value}), make('small', {className: 'n', textContent: v.rows})))
  }
}

function showRange(set, c, f) {
  if (f.min === undefined) return set.remove()
  const most = Math.max(...f.values.map(v => v.rows))
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('class', 'histogram')
  svg.setAttribute('viewBox', `0 0 ${f.values.length} 10`)
  svg.setAttribute('preserveAspectRatio', 'none')
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', `${c.name} from ${f.min} to ${f.max}`)
  f.values.forEach((v, i) => {
    const bar = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
    const h = 10 * v.rows / most
    for (const [k, x] of Object.entries({x: i + .1, y: 10 - h, width: .8, height: h})) bar.setAttribute(k, x)
    svg.append(bar)
  })
  const ends = ['min', 'max'].map(end => {
    const name = end + '.' + c.name
    const input = make('input', {type: 'text', placeholder: f[end], ariaLabel: `${c.name}, ${end === 'min' ? 'at least' : 'at most'}`, value: (state.filters[name] || [''])[0]})
    input.addEventListener('change', () => setFilter(name, input.value.trim() ? [input.value.trim()] : []))
    return input
  })
  set.append(svg, make('div', {className: 'range'}, ...ends))
}

function setFilter(name, values) {
  if (values.length) state.filters[name] = values
  else delete state.filters[name]
  search()
}

// The address keeps what is looked at, so that it can be kept and sent.

function remember() {
  if (state.custom) return
  history.replaceState(null, '', '#' + parameters())
}

function recall() {
  const p = new URLSearchParams(location.hash.slice(1))
  state.table = state.tables.find(t => t.name === p.get('table')) || state.tables.find(t => t.columns.some(c => c.encoder)) || state.tables[0] || null
  showTable()
  $('q').value = p.get('q') || ''
  for (const [name, sign, key] of [['plus', '+'], ['minus', '-'], ['like', '+', true], ['unlike', '-', true]]) {
    for (const v of p.getAll(name)) state.chips.push(key ? {sign, key: v} : {sign, text: v})
  }
  for (const [name, v] of p) if (/^(eq|min|max|null)\./.test(name)) (state.filters[name] ||= []).push(v)
  if (p.get('sort')) $('sort').value = p.get('sort')
  if (p.get('by')) $('by').value = p.get('by')
  showChips()
}

function showTable() {
  $('table').value = state.table?.name ?? ''
  const sorts = [make('option', {value: '', textContent: 'relevance'})]
  for (const c of state.table?.columns ?? []) {
    if (/^(VECTOR|HALFVEC|BLOB|JSON)/.test(c.type)) continue
    sorts.push(make('option', {value: c.name, textContent: c.name + ' ↑'}), make('option', {value: '-' + c.name, textContent: c.name + ' ↓'}))
  }
  $('sort').replaceChildren(...sorts)
  $('by-label').hidden = !state.table?.words
  $('fold-label').hidden = !foldable(state.table)
  $('judged').hidden = !state.can.marks || !state.table?.primary_key || !state.table.columns.some(c => c.encoder)
  if (!$('filters').hidden) showFilters()
}

// Files and keys.

// What is saved: the rows that were chosen, or all that are there.
const kept = () => state.rows.filter((r, i) => !state.picked.size || state.picked.has(i))

function download(name, blob) {
  const link = make('a', {href: URL.createObjectURL(blob), download: name})
  link.click()
  URL.revokeObjectURL(link.href)
}

function saveTable() {
  const field = v => v === null ? '' : /[",\r\n]/.test(String(v)) ? '"' + String(v).replaceAll('"', '""') + '"' : String(v)
  const lines = [state.columns.map(c => field(c.name)), ...kept().map(r => r.values.map(field))].map(l => l.join(','))
  download('rows.csv', new Blob([lines.join('\r\n') + '\r\n'], {type: 'text/csv'}))
}

function savePaths() {
  const paths = kept().map(r => r.picture?.path || r.picture?.full).filter(Boolean)
  if (!paths.length) return status('No row has a picture.')
  download('paths.txt', new Blob([paths.join('\n') + '\n'], {type: 'text/plain'}))
}

async function savePage() {
  if (!state.shown) return status('A page is made of the rows of a search; COPY (...) TO \'x.html\' (FORMAT gallery) makes one of a statement.')
  const chosen = state.picked.size ? kept().map(r => ['key', r.key]) : []
  try {
    const answer = await fetch('api/v1/gallery', {method: 'POST', body: bodyOf(state.shown, [['k', state.rows.length], ...chosen])})
    if (!answer.ok) throw new Error((await answer.json()).error)
    download('gallery.html', await answer.blob())
  } catch (e) {
    complain(e)
  }
}

let typing
$('q').addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(search, 120) })
$('search').addEventListener('submit', e => { e.preventDefault(); clearTimeout(typing); search() })
$('q').addEventListener('keydown', e => {
  if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) { e.preventDefault(); addWords('+') }
  if (e.key === 'Enter' && e.altKey) { e.preventDefault(); addWords('-') }
  if (e.key === 'Backspace' && !$('q').value && state.chips.length) { state.chips.pop(); showChips(); search() }
})
$('plus').addEventListener('click', () => addWords('+'))
$('minus').addEventListener('click', () => addWords('-'))
$('file').addEventListener('change', e => { usePicture(e.target.files[0]); e.target.value = '' })
$('sort').addEventListener('change', search)
$('by').addEventListener('change', search)
$('table').addEventListener('change', () => {
  state.table = state.tables.find(t => t.name === $('table').value)
  state.chips = []; state.filters = {}
  showTable(); showChips(); loadMarks().then(search)
})
$('filters-toggle').addEventListener('click', () => {
  const box = $('filters')
  box.hidden = !box.hidden
  $('filters-toggle').setAttribute('aria-expanded', String(!box.hidden))
  if (!box.hidden) showFilters()
})
$('theme').addEventListener('click', () => {
  const dark = document.documentElement.dataset.theme === 'dark'
  document.documentElement.dataset.theme = localStorage.theme = dark ? 'light' : 'dark'
})
$('run').addEventListener('click', runStatement)
$('statement').addEventListener('keydown', e => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) runStatement() })
$('copy').addEventListener('click', () => navigator.clipboard.writeText($('statement').value))
$('csv').addEventListener('click', saveTable)
$('paths').addEventListener('click', savePaths)
$('page').addEventListener('click', savePage)
$('unpick').addEventListener('click', () => {
  state.picked.clear()
  for (const p of document.querySelectorAll('.pick')) p.checked = false
  showPicked()
})
$('fold').addEventListener('change', search)
$('right').addEventListener('click', () => mark(true))
$('wrong').addEventListener('click', () => mark(false))
$('reveal').addEventListener('click', () => api('reveal', {method: 'POST', headers: {'Content-Type': 'application/json'},
  body: JSON.stringify({p: new URLSearchParams(state.rows[state.open].picture.thumb.split('?')[1]).get('p')})}).catch(complain))
$('judged').addEventListener('click', showEval)
$('import').addEventListener('click', showImport)
$('import-form').addEventListener('submit', e => { e.preventDefault(); startImport() })
$('import-stop').addEventListener('click', () => api('import/stop', {method: 'POST'}).catch(complain))
$('import-table').addEventListener('input', showModels)
$('import-folder').addEventListener('change', () => showFolder($('import-folder').value.trim()).catch(e => { $('import-here').textContent = e.message }))
for (const b of document.querySelectorAll('[data-close]')) b.addEventListener('click', () => b.closest('dialog').close())
$('previous').addEventListener('click', () => step(-1))
$('next').addEventListener('click', () => step(1))
$('like').addEventListener('click', () => addRow('+'))
$('unlike').addEventListener('click', () => addRow('-'))
$('copy-path').addEventListener('click', () => navigator.clipboard.writeText(state.rows[state.open].picture.path))
$('close').addEventListener('click', closeView)
$('view').addEventListener('cancel', e => { e.preventDefault(); closeView() })
addEventListener('keydown', e => {
  if ($('eval').open || $('importing').open) return
  if ($('view').open) {
    const act = {ArrowLeft: () => step(-1), ArrowRight: () => step(1), '+': () => addRow('+'), '-': () => addRow('-'), y: () => mark(true), n: () => mark(false), i: () => $('view').classList.toggle('plain')}[e.key]
    if (act) { e.preventDefault(); act() }
    return
  }
  if (e.key === '/' && !/INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName)) { e.preventDefault(); $('q').focus() }
})
addEventListener('dragover', e => { e.preventDefault(); document.body.classList.add('dragging') })
addEventListener('dragleave', () => document.body.classList.remove('dragging'))
addEventListener('drop', e => { e.preventDefault(); document.body.classList.remove('dragging'); usePicture(e.dataTransfer.files[0]) })
addEventListener('paste', e => { const f = e.clipboardData?.files?.[0]; if (f) { e.preventDefault(); usePicture(f) } })

function showTables() {
  $('table').replaceChildren(...state.tables.map(t => make('option', {value: t.name, textContent: `${t.name} (${t.rows.toLocaleString()})`})))
  $('table-label').hidden = state.tables.length < 2
}

// refreshTables shows what a statement or an import has changed.
async function refreshTables() {
  try {
    state.tables = (await api('tables')).tables
  } catch (e) {
    return complain(e)
  }
  const before = state.table?.name
  state.table = state.tables.find(t => t.name === before) || state.tables[0] || null
  showTables()
  if (state.table?.name === before) {
    $('table').value = before
    return
  }
  showTable()
  search()
}

async function begin() {
  document.documentElement.dataset.theme = localStorage.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')
  try {
    const a = await api('tables')
    state.tables = a.tables
    state.statements = a.statements
    state.can = a
  } catch (e) {
    return complain(e)
  }
  $('run').hidden = !state.statements
  $('statement').readOnly = !state.statements
  $('import').hidden = !state.can.write
  showTables()
  if (state.can.write) {
    api('import').then(s => { showProgress(s); if (s.status === 'running' || s.status === 'interrupted') showImport() }, complain)
  }
  if (!state.tables.length) return status('The store has no table yet.')
  recall()
  await loadMarks()
  search()
}
begin()
