# growth: what 1,000,000 objects and 20,000,000 chunk references do, beside 1,000 objects and 20,000.
#
# The rows are written straight into the database, since pushing them would take hours; so this section knows the
# schema. Nothing is read of the packs that the rows name. What is measured goes through the server.

section_growth() {
  need sqlite3 sqlite3
  local size side pair
  for size in 1000 1000000; do
    fill "growth-$size" "$size"
    awk -v step=$((size / 1000)) 'NR % step == 0 { print "/open/" $1 ".narinfo" }' "$work/growth-$size.hashes" >"$work/growth-$size.paths"
    { printf '{"cache":"open","store_path_hashes":['
      awk -v step=$((size / 1000)) 'NR % step == 0 { printf "%s\"%s\"", sep, $1; sep = "," }' "$work/growth-$size.hashes"
      awk 'BEGIN { for (i = 1; i <= 1000; i++) printf ",\"%032d\"", i }'
      printf ']}'
    } >"$work/growth-$size.json"
  done
  pin_to_cores
  for ((pair = 1; pair <= pairs; pair++)); do
    measure_size 1000 few
    measure_size 1000000 many
    row 'start until it listens' 's' '-' "$few_start" "$many_start"
    row 'narinfo, 16 connections' 'requests/s' '>= 0.77' "$few_rate" "$many_rate"
    row 'missing paths, 2,000 hashes' 'ms' '<= 1.3' "$few_missing" "$many_missing"
    row '20 uploads of 1 MB, one after another' 's' '<= 1.3' "$few_uploads" "$many_uploads"
    row 'collection with nothing to collect' 's' '-' "$few_collection" "$many_collection"
    row 'memory of the server, without mapped files' 'MB' '-' "$few_memory" "$many_memory"
  done
  note "The database of 1,000,000 objects: $(du -sb "$work/growth-1000000/server.db" | awk '{ print $1 / 1e6 }') MB, filled in $fill_seconds s."
}

# A database of that many objects. Each NAR has 20 chunks, and each chunk is in 4 NARs, as successive builds share them.
fill() { # store's name, objects
  local begun database
  start_atticd "$1"
  stop_atticd
  begun=$(now)
  database=$work/$1/server.db
  sqlite3 "$database" >/dev/null <<SQL
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000; PRAGMA temp_store = MEMORY;
BEGIN;
INSERT INTO pack (name, byte_count, is_sealed)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2 / 200 + 1) SELECT lower(hex(randomblob(16))), 67108864, 1 FROM n;
INSERT INTO chunk (id, hash, compression, byte_count, pack_id, pack_offset, stored_byte_count)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2 * 5 + 20)
  SELECT i, randomblob(32), 'zstd', 70000, i / 1000 + 1, (i % 1000) * 30000, 30000 FROM n;
INSERT INTO nar (id, nar_hash, nar_size, file_hash, file_size, compression, chunk_count)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
  SELECT i, randomblob(32), 1400000, randomblob(32), 600000, 'zstd', 20 FROM n;
INSERT INTO chunk_reference (nar_id, position, chunk_id)
  WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $2 * 20 - 1)
  SELECT i / 20 + 1, i % 20, (i / 20) * 5 + i % 20 + 1 FROM n;
INSERT INTO object (id, cache_id, store_path_hash, nar_id, store_path, reference_names, system, deriver, signatures, ca, created_at, last_accessed_at)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2),
  h(i, hash) AS MATERIALIZED (SELECT i, replace(lower(hex(randomblob(16))), 'e', 'z') FROM n)
  SELECT i, (SELECT id FROM cache WHERE name = 'open'), hash, i, '/nix/store/' || hash || '-object-' || i, '', 'x86_64-linux', NULL, '', NULL,
    1700000000000, 1700000000000 + i FROM h;
COMMIT;
PRAGMA journal_mode = WAL;
ANALYZE;
SQL
  sqlite3 "$database" 'SELECT store_path_hash FROM object ORDER BY id' >"$work/$1.hashes"
  fill_seconds=$(calculate "$(now) - $begun")
}

measure_size() { # objects, name of its figures
  local begun count=20 seed
  start_atticd "growth-$1"
  printf -v "$2_start" '%s' "$atticd_start_seconds"
  load "$atticd_pid" "$url" "$work/growth-$1.paths" 16
  printf -v "$2_rate" '%s' "$wrk_rate"
  printf -v "$2_missing" '%s' "$(for begun in 1 2 3 4 5 6 7; do ask_missing "$work/growth-$1.json"; done | sort -n | sed -n 4p)"
  begun=$(now)
  for ((seed = 1; seed <= count; seed++)); do upload open --seed "$((pair * 1000 + seed))" --size 1000000 >/dev/null; done
  printf -v "$2_uploads" '%s' "$(calculate "$(now) - $begun")"
  begun=$(now)
  atticd -f "$store/server.toml" --mode garbage-collector-once >"$work/command.log" 2>&1 || die "the collection failed: $(<"$work/command.log")"
  printf -v "$2_collection" '%s' "$(calculate "$(now) - $begun")"
  printf -v "$2_memory" '%s' "$(awk '/^RssAnon/ { print $2 / 1024 }' "/proc/$atticd_pid/status")"
  stop_atticd
}

ask_missing() { # file: milliseconds
  curl -sS -o /dev/null -w '%{time_total}\n' -X POST --data-binary @"$1" -H "Authorization: Bearer $token" \
    -H 'Content-Type: application/json' "$url/_api/v1/get-missing-paths" | awk '{ print $1 * 1000 }'
}
