// Makes the parquet files of this directory that begin with duckdb_, and what they hold
// (parquet.json), with DuckDB.
//
//     npm install @duckdb/node-api@1.5.6-r.1 && node make.mjs
import { DuckDBInstance } from '@duckdb/node-api';
import { writeFileSync } from 'node:fs';

const db = await (await DuckDBInstance.create(':memory:')).connect();
await db.run(`CREATE TABLE t AS SELECT
  i::INTEGER AS i32, (i * 1000003)::BIGINT AS i64, (abs(i) % 200)::UTINYINT AS u8, (i / 7)::DOUBLE AS f64, (i / 4)::FLOAT AS f32,
  i % 3 = 0 AS b, 'text ' || (i % 5) AS few, 'a longer text, number ' || i AS many, ('x' || i)::BLOB AS bytes,
  TIMESTAMP '1969-12-31 23:59:58' + INTERVAL (i) SECOND AS ts, DATE '1969-12-30' + i::INTEGER AS d,
  (i / 100)::DECIMAL(9,2) AS dec,
  CASE WHEN i % 4 = 0 THEN NULL ELSE i END::INTEGER AS holes,
  [i / 2, -i]::FLOAT[2] AS vec, [i / 2, -i, 0]::FLOAT[3] AS vec_holes,
  ['a', NULL, 'b' || i] AS texts, {'bytes': ('p' || i)::BLOB, 'path': 'p/' || i} AS image,
  MAP {'k': i, 'l': 2} AS m, [[i, 1], NULL, []] AS deep, CASE WHEN i % 2 = 0 THEN [i] ELSE []::INTEGER[] END AS ragged
FROM range(-1, 59) r(i)`);
await db.run('UPDATE t SET vec_holes = NULL WHERE i32 % 5 = 0');
const codecs = ['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4_raw'];
for (const c of codecs) {
  for (const v of ['V1', 'V2']) {
    await db.run(`COPY t TO 'duckdb_${c}_${v}.parquet' (FORMAT parquet, COMPRESSION '${c}', PARQUET_VERSION '${v}', ROW_GROUP_SIZE 2048)`);
  }
}
const rows = await (await db.runAndReadAll(`SELECT i32, i64::VARCHAR, u8, f64, f32, b, few, many, hex(bytes), ts::VARCHAR, d::VARCHAR, dec::DOUBLE, holes,
  vec::VARCHAR, vec_holes::VARCHAR, to_json(texts)::VARCHAR, hex(image.bytes), image.path, to_json(map_entries(m))::VARCHAR, to_json(deep)::VARCHAR, to_json(ragged)::VARCHAR FROM t`)).getRowsJson();
writeFileSync('parquet.json', JSON.stringify(rows));
