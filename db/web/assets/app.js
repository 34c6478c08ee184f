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
  run: 0, abort: null, loading: false, open: -1,
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

function parameters(offset) {
  const p = new URLSearchParams({table: state.table.name, k: page, offset})
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

function request(offset, signal) {
  const p = parameters(offset)
  const picture = state.chips.find(c => c.picture)
  if (!picture) return api('search?' + p, {signal})
  const form = new FormData()
  for (const [k, v] of p) form.append(k, v)
  form.append('picture', picture.picture)
  return api('search', {method: 'POST', body: form, signal})
}

async function search() {
  if (!state.table) return
  state.custom = false
  await load(0, signal => request(0, signal))
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
    if (offset === 0) {
      state.rows = []
      state.best = 0
      $('results').replaceChildren()
      window.scrollTo(0, 0)
    }
    if (!state.custom && offset === 0) $('statement').value = a.statement
    show(a)
    status(`${state.rows.length}${a.more ? '+' : ''} rows, ${a.ms.toFixed(1)} ms (${Math.round(performance.now() - begun)} ms here)`)
    complain(null)
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
  if (state.loading || !state.more || state.custom) return
  const offset = state.rows.length
  load(offset, signal => request(offset, signal))
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

function show(a) {
  state.columns = a.columns
  state.more = a.more
  const results = $('results')
  for (const row of a.rows) {
    const at = state.rows.push(row) - 1
    if (row.score !== undefined) state.best = Math.max(state.best, row.score)
    results.append(card(row, at))
  }
  if (!state.rows.length) results.append(make('p', {textContent: 'No rows.'}))
}

const describing = /^(caption|title|description|name|text|body)$/i

function labelOf(row) {
  const i = state.columns.findIndex((c, i) => describing.test(c.name) && row.values[i] !== null)
  return i >= 0 ? String(row.values[i]) : row.picture?.name || row.key || ''
}

function card(row, at) {
  const label = labelOf(row)
  const c = make('button', {type: 'button', className: 'card'})
  c.dataset.at = at
  if (row.picture) {
    const img = make('img', {alt: label, loading: 'lazy', decoding: 'async'})
    img.addEventListener('load', () => {
      const shape = img.naturalWidth / img.naturalHeight
      c.style.flexGrow = shape
      c.style.flexBasis = shape * (innerWidth < 640 ? 120 : 200) + 'px'
    })
    img.addEventListener('error', () => { c.replaceChildren(...text(row)); c.classList.add('text') })
    img.referrerPolicy = 'no-referrer'
    img.src = row.picture.thumb
    c.append(img, make('span', {className: 'label', textContent: label, ariaHidden: 'true'}))
    if (row.score !== undefined && state.best > 0) {
      const bar = make('span', {className: 'score', title: row.score.toFixed(4)})
      bar.style.width = Math.max(0, Math.min(100, 100 * row.score / state.best)) + '%'
      c.append(bar)
    }
  } else {
    c.classList.add('text')
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
  if (!$('view').open) $('view').showModal()
  if (at > state.rows.length - 5) more()
}

function step(by) {
  const at = state.open + by
  if (at >= 0 && at < state.rows.length) openView(at)
}

function closeView() {
  $('view').close()
  document.querySelector(`.card[data-at="${state.open}"]`)?.focus()
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
  const p = parameters(0)
  p.delete('k'); p.delete('offset')
  history.replaceState(null, '', '#' + p)
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
  if (!$('filters').hidden) showFilters()
}

// Files and keys.

function save() {
  const cell = v => v === null ? '' : /[",\r\n]/.test(String(v)) ? '"' + String(v).replaceAll('"', '""') + '"' : String(v)
  const lines = [state.columns.map(c => cell(c.name)), ...state.rows.map(r => r.values.map(cell))].map(l => l.join(','))
  const link = make('a', {href: URL.createObjectURL(new Blob([lines.join('\r\n') + '\r\n'], {type: 'text/csv'})), download: 'rows.csv'})
  link.click()
  URL.revokeObjectURL(link.href)
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
  showTable(); showChips(); search()
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
$('csv').addEventListener('click', save)
$('previous').addEventListener('click', () => step(-1))
$('next').addEventListener('click', () => step(1))
$('like').addEventListener('click', () => addRow('+'))
$('unlike').addEventListener('click', () => addRow('-'))
$('copy-path').addEventListener('click', () => navigator.clipboard.writeText(state.rows[state.open].picture.path))
$('close').addEventListener('click', closeView)
$('view').addEventListener('cancel', e => { e.preventDefault(); closeView() })
addEventListener('keydown', e => {
  if ($('view').open) {
    const act = {ArrowLeft: () => step(-1), ArrowRight: () => step(1), '+': () => addRow('+'), '-': () => addRow('-'), i: () => $('view').classList.toggle('plain')}[e.key]
    if (act) { e.preventDefault(); act() }
    return
  }
  if (e.key === '/' && !/INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName)) { e.preventDefault(); $('q').focus() }
})
addEventListener('dragover', e => { e.preventDefault(); document.body.classList.add('dragging') })
addEventListener('dragleave', () => document.body.classList.remove('dragging'))
addEventListener('drop', e => { e.preventDefault(); document.body.classList.remove('dragging'); usePicture(e.dataTransfer.files[0]) })
addEventListener('paste', e => { const f = e.clipboardData?.files?.[0]; if (f) { e.preventDefault(); usePicture(f) } })

async function begin() {
  document.documentElement.dataset.theme = localStorage.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')
  try {
    const a = await api('tables')
    state.tables = a.tables
    state.statements = a.statements
  } catch (e) {
    return complain(e)
  }
  $('run').hidden = !state.statements
  $('statement').readOnly = !state.statements
  $('table').replaceChildren(...state.tables.map(t => make('option', {value: t.name, textContent: `${t.name} (${t.rows.toLocaleString()})`})))
  $('table-label').hidden = state.tables.length < 2
  if (!state.tables.length) return status('The store has no table yet.')
  recall()
  search()
}
begin()
