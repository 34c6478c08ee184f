// Makes the parquet files of this directory that begin with rust_, with Arrow's Rust library: row
// groups of 200 rows, pages compressed by the older LZ4, in the frames of Hadoop.
//
//     npm install parquet-wasm@0.8.0 apache-arrow@21.2.0 && node make_rust.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import init, * as pw from 'parquet-wasm/esm';
import * as arrow from 'apache-arrow';

await init({ module_or_path: readFileSync(createRequire(import.meta.url).resolve('parquet-wasm/esm/parquet_wasm_bg.wasm')) });
const ids = [...Array(500).keys()];
const item = (t) => new arrow.Field('item', t, true);
const t = new arrow.Table({
  id: arrow.vectorFromArray(ids, new arrow.Int32()),
  vec: arrow.vectorFromArray(ids.map((i) => [i, i / 2, -i]), new arrow.FixedSizeList(3, item(new arrow.Float32()))),
  lst: arrow.vectorFromArray(ids.map((i) => (i % 5 ? [i, i + 1] : null)), new arrow.List(item(new arrow.Float64()))),
  dict: arrow.vectorFromArray(ids.map((i) => 'k' + (i % 4))),
  dec: arrow.vectorFromArray(ids.map((i) => new Date(i * 86400000)), new arrow.DateDay()),
});
for (const [name, version] of [['V1', pw.WriterVersion.V1], ['V2', pw.WriterVersion.V2]]) {
  const how = new pw.WriterPropertiesBuilder().setCompression(pw.Compression.LZ4).setWriterVersion(version).setMaxRowGroupSize(200).build();
  writeFileSync(`rust_lz4_${name}.parquet`, pw.writeParquet(pw.Table.fromIPCStream(arrow.tableToIPC(t, 'stream')), how));
}
