// Serves PostgreSQL with pgvector, both in WebAssembly, on a free port of loopback, until its
// standard input ends. It prints the port.
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

const db = await PGlite.create({ extensions: { vector } })
await db.exec('CREATE EXTENSION vector')
const server = new PGLiteSocketServer({ db, port: 0, host: '127.0.0.1', maxConnections: 16 })
server.addEventListener('listening', (e) => console.log(e.detail.port))
await server.start()
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
