// Runs statements and queries, given as JSON on the standard input, in PostgreSQL (PGlite) and
// prints the answers as JSON: rows as texts, as TestPostgreSQL writes its own.
import { PGlite } from '@electric-sql/pglite';

let text = '';
for await (const chunk of process.stdin) text += chunk;
const { statements, queries } = JSON.parse(text);
const db = new PGlite();
for (const s of statements) await db.exec(s);

const number = (x) => {
  x = Math.round(x * 1e9) / 1e9;
  return x === 0 ? '0' : String(x);
};
const cell = (v, type) => {
  if (v === null) return 'NULL';
  if (typeof v === 'boolean') return v ? '1' : '0';
  if (typeof v === 'number' || typeof v === 'bigint' || type === 1700 || type === 20) return number(Number(v));
  return JSON.stringify(v);
};
const out = [];
for (const q of queries) {
  try {
    const r = await db.query(q, [], { rowMode: 'array' });
    out.push({ Error: '', Rows: r.rows.map((row) => row.map((v, i) => cell(v, r.fields[i].dataTypeID)).join(' ')) });
  } catch (e) {
    out.push({ Error: e.message, Rows: [] });
  }
}
console.log(JSON.stringify(out));
