// Opens the database at the path given. Answers each line of standard input, a query as a JSON string, with a line of
// JSON: the values of all rows, a space after each, a line a row.
import { createInterface } from 'node:readline'
import { DuckDBInstance } from '@duckdb/node-api'

const connection = await (await DuckDBInstance.create(process.argv[2])).connect()
for await (const line of createInterface({ input: process.stdin })) {
  let reply
  try {
    const rows = (await connection.runAndReadAll(JSON.parse(line))).getRows()
    reply = { answer: rows.map((row) => row.map((v) => `${v ?? 'NULL'} `).join('') + '\n').join('') }
  } catch (e) {
    reply = { error: String(e) }
  }
  process.stdout.write(JSON.stringify(reply) + '\n')
}
