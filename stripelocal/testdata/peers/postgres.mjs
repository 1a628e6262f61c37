// The databases of the scripts.
import { createRequire } from 'node:module'

const { Client } = createRequire(import.meta.url)('pg')

// server has the parameters of a connection string for lib/pq.
const server = Object.fromEntries([...process.env.POSTGRES.matchAll(/(\w+)=(?:'([^']*)'|(\S+))/g)].map(([, name, quoted, plain]) => [name, quoted ?? plain]))

const urlOf = (database) => `postgresql://${server.user}@localhost:${server.port}/${database}?host=${encodeURIComponent(server.host)}`

// createDatabase creates an empty database and returns its URL. The migrations of Supabase's engines
// need the role that PostgreSQL's packages create.
export async function createDatabase(name) {
  const client = new Client({ connectionString: urlOf(server.dbname) })
  await client.connect()
  await client.query(`drop database if exists ${name} with (force)`)
  await client.query(`create database ${name}`)
  await client.query('do $$ begin create role postgres; exception when duplicate_object then null; end $$')
  await client.end()
  return urlOf(name)
}

// ids returns the ids of a table of a sync engine.
export async function ids(engine, table, where = 'true') {
  const { rows } = await engine.postgresClient.query(`select id from stripe.${table} where ${where}`)
  return rows.map((row) => row.id).sort()
}
