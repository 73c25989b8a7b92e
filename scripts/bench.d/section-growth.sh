# growth: what 1,000,000 objects and 20,000,000 chunk references do, beside 1,000 objects and 20,000.
#
# The rows are written straight into the database, since pushing them would take a day; so this section knows the schema.
# Their packs are there as files full of holes, so that start and collection have them to list. Everything that is measured
# goes through the server. Each pair works on a copy of its own of both stores; the stores are kept for the next run.
source scripts/bench.d/nix.sh

few=1000 many=1000000
nar_sizes=(65536 1048576 200000000)
asked=(1 2 3 4 5 6 7 8 9)

section_growth() {
  need sqlite3 sqlite3
  prepare_nix
  local first second pair size bytes key
  mapfile -t first < <(closure 12 "$profile" 1)
  mapfile -t second < <(closure 12 "$profile" 2)
  bytes=$(nar_bytes "${first[@]}")
  for size in $few $many; do base_store "$size"; done
  for ((pair = 1; pair <= pairs; pair++)); do
    in_turn "$pair" measure_few measure_many
    compare 'start until it listens' s '<= 1.3' start
    compare 'narinfo, 16 connections' requests/s '>= 0.77' narinfo
    compare 'narinfo, each for the first time' µs/request '<= 1.3' first_narinfo
    compare '404, 16 connections' requests/s '>= 0.77' missing_narinfo
    compare '404, each for the first time' µs/request '<= 1.3' first_missing
    compare 'NARs of 64 KiB, 16 connections' MB/s '>= 0.77' nar_65536
    compare 'NARs of 1 MiB, 16 connections' MB/s '>= 0.77' nar_1048576
    compare 'NARs of 200 MB, 4 connections' MB/s '>= 0.77' nar_200000000
    compare 'pull of the closure' s '<= 1.3' pull
    compare 'push of the closure' s '<= 1.3' push
    compare 'push of its next generation' s '<= 1.3' next
    compare 'push of what is there' s '<= 1.3' again
    compare 'missing paths, 2,000 hashes: the first request after a start' ms '-' missing_first
    compare 'missing paths, 2,000 hashes: the next requests, each of other hashes' ms '-' missing_others
    compare 'missing paths, 2,000 hashes' ms '<= 1.3' missing
    compare 'missing paths, 2,000 hashes, where objects expire' ms '<= 1.3' missing_noted
    compare 'collection with nothing to collect' s '<= 1.3' collect_nothing
    compare 'collection of 1,000 objects' s '<= 1.3' collect_1000
    row 'collection of 10,000 objects' s '-' - "$many_collect_10000"
    compare 'memory of the server after all of that, without mapped files' MB '<= 1.3' memory
  done
  note "The database of 1,000,000 objects has $(du -sb "$kept/growth-$many/server.db" | awk '{ print $1 / 1e6 }') MB, and $(find "$kept/growth-$many/storage/packs" -type f | wc -l) packs; it was in the kernel's cache. The closure has ${#first[@]} paths and $(calculate "$bytes / 1e6") MB of NARs. Half of the hashes that are asked for are there; nine requests ask for other ones each."
}

compare() { # measure, unit, wanted, figure
  local reference=few_$4 subject=many_$4
  row "$1" "$2" "$3" "${!reference}" "${!subject}"
}

# --- The stores --------------------------------------------------------------------------------------------------

# A store of that many objects below the kept directory, made where there is none of this schema.
base_store() { # objects
  local base=$kept/growth-$1 version size description
  version=$({ cat Sources/Engines/Database/Schema/*.swift && declare -f base_store fill questions; } | sha256sum)
  [[ $(cat "$base/version" 2>/dev/null) != "$version" ]] || return 0
  say "making a store of $1 objects"
  rm -rf "$base" "$work/fill"
  start_atticd fill
  for size in "${nar_sizes[@]}"; do
    description=$(atticbench nar --noise --seed 1 --size "$size" --info open)
    make_nar --noise --seed 1 --size "$size" | upload_body "$description" >/dev/null
    printf '/open/%s\n' "$(curl -sSf "$url/open/$(hash_of "$description").narinfo" | sed -n 's/^URL: //p')" >"$store/nar_$size"
  done
  stop_atticd
  fill "$store/server.db" "$1" >/dev/null
  sqlite3 "$store/server.db" 'SELECT name FROM pack' | while IFS= read -r name; do
    [[ -f $storage/packs/${name:0:2}/$name.pack ]] || printf '%s\n' "$storage/packs/${name:0:2}/$name.pack"
  done >"$work/packs"
  sed 's,/[^/]*$,,' "$work/packs" | sort -u | xargs -r mkdir -p
  xargs -r truncate -s 67108864 <"$work/packs"
  questions "$store"
  rm "$store/server.toml"
  echo "$version" >"$store/version"
  mv "$store" "$base"
}

# That many objects, each with four references among 100 that were pushed together, and a NAR of 20 chunks, and each chunk is in 4 NARs, as successive builds
# share them. Tables and indexes grow together and the hashes are random, so their pages lie scattered as after years of
# pushes; nobody has run ANALYZE. Packs are sealed, so that copies of the store may share their files.
fill() { # database, objects
  sqlite3 "$1" <<SQL
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4000000; PRAGMA temp_store = MEMORY;
BEGIN;
UPDATE pack SET is_sealed = 1;
CREATE TEMP TABLE base AS SELECT (SELECT max(id) FROM pack) AS pack, (SELECT max(id) FROM chunk) AS chunk,
  (SELECT max(id) FROM nar) AS nar, (SELECT id FROM cache WHERE name = 'open') AS cache;
CREATE TEMP TABLE n (i INTEGER PRIMARY KEY);
INSERT INTO n WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2 * 20) SELECT i FROM n;
CREATE TEMP TABLE path (i INTEGER PRIMARY KEY, hash TEXT);
INSERT INTO path SELECT i, replace(lower(hex(randomblob(16))), 'e', 'z') FROM n WHERE i <= $2;
INSERT INTO pack (id, name, byte_count, is_sealed)
  SELECT pack + i, lower(hex(randomblob(16))), 67108864, 1 FROM n, base WHERE i <= $2 / 200 + 1;
INSERT INTO chunk (id, hash, compression, byte_count, pack_id, pack_offset, stored_byte_count, frame_checksum)
  SELECT chunk + i, randomblob(32), 'zstd', 70000, pack + i / 1000 + 1, (i % 1000) * 30000, 30000, random()
  FROM n, base WHERE i <= $2 * 5 + 20;
INSERT INTO nar (id, nar_hash, nar_size, file_hash, file_size, compression, chunk_count)
  SELECT nar + i, randomblob(32), 1400000, randomblob(32), 600000, 'zstd', 20 FROM n, base WHERE i <= $2;
INSERT INTO chunk_reference (nar_id, position, chunk_id)
  SELECT nar + 1 + (i - 1) / 20, (i - 1) % 20, chunk + (i - 1) / 20 * 5 + (i - 1) % 20 + 1 FROM n, base;
INSERT INTO object (cache_id, store_path_hash, nar_id, store_path, reference_names, system, deriver, signatures, ca,
    created_at, last_accessed_at)
  SELECT cache, p.hash, nar + p.i, '/nix/store/' || p.hash || '-object-' || p.i,
    p.hash || '-object-' || p.i || ' ' || a.hash || '-one ' || b.hash || '-two ' || c.hash || '-three',
    'x86_64-linux', NULL, '', NULL, 1700000000000 + p.i, 1700000000000 + p.i
  FROM base, path p, path a ON a.i = (p.i - 1) / 100 * 100 + 1, path b ON b.i = (p.i - 1) / 100 * 100 + 50,
    path c ON c.i = (p.i - 1) / 10 * 10 + 1;
INSERT INTO object_reference (object_id, store_path_hash, cache_id)
  SELECT o.id, p.hash, cache FROM base, object o, path p
  ON p.i IN (o.nar_id - nar, (o.nar_id - nar - 1) / 100 * 100 + 1, (o.nar_id - nar - 1) / 100 * 100 + 50,
    (o.nar_id - nar - 1) / 10 * 10 + 1)
  WHERE o.nar_id > nar;
COMMIT;
PRAGMA journal_mode = WAL;
SQL
}

# What the store is asked for, the same in every pair: narinfos and 404s, and lists of which half is there. What is not
# there are the halves of what is, the other way round: as scattered.
questions() { # store's directory
  local number
  sqlite3 "$1/server.db" 'SELECT store_path_hash FROM object ORDER BY random() LIMIT 20000' >"$1/hashes"
  sed 's,.*,/open/&.narinfo,' "$1/hashes" | tail -n 1000 >"$1/narinfo"
  tail -n 1000 "$1/hashes" | sed -E 's,(.{16})(.{16}),/open/\2\1.narinfo,' >"$1/missing_narinfo"
  for number in "${asked[@]}"; do
    shuf -n 1000 "$1/hashes" | awk '{ print; print substr($1, 17) substr($1, 1, 16) }' | shuf |
      awk 'BEGIN { printf "{\"cache\":\"open\",\"store_path_hashes\":[" } { printf "%s\"%s\"", sep, $1; sep = "," } END { print "]}" }' >"$1/asked-$number"
  done
}

# --- One side of a pair ------------------------------------------------------------------------------------------

measure_few() { measure_size few; }
measure_many() { measure_size many; }
measure_size() { # few or many: sets few_… or many_…
  local side=$1 name=growth-$1-$pair base=$kept/growth-${!1} number list retention='UPDATE cache SET retention_seconds = 315360000'
  mkdir "$work/$name"
  cp --reflink=auto "$base/server.db" "$work/$name/server.db"
  cp -al "$base/storage" "$work/$name/storage"
  settle
  cat "$work/$name/server.db" >/dev/null

  # Cold in the process, warm in the kernel.
  pin=''
  start_atticd "$name"
  set_figure start "$atticd_start_seconds"
  set_figure missing_first "$(ask_missing "$base/asked-1")"
  set_figure missing_others "$(ask_all)"
  set_figure missing "$(ask_all)"
  set_figure first_narinfo "$(ask_each "$base/narinfo")"
  set_figure first_missing "$(ask_each "$base/missing_narinfo")"
  log_in
  clocked push tetryx push open "${first[-1]}"
  settle
  clocked next tetryx push open "${second[-1]}"
  clocked again tetryx push open "${second[-1]}"
  key=$(cache_key open)
  settle
  clocked pull pull_into ignored "$url/open" "$key" "$work/pulled-$name" "${first[-1]}"
  sqlite3 "$store/server.db" "$retention"
  set_figure missing_noted "$(ask_all)"
  set_figure memory "$(awk '/^RssAnon/ { print $2 / 1024 }' "/proc/$atticd_pid/status")"
  stop_atticd

  pin_to_cores
  start_atticd "$name"
  for list in narinfo missing_narinfo; do
    load "$atticd_pid" "$url" "$base/$list" 16
    set_figure "$list" "$wrk_rate"
  done
  for list in "${nar_sizes[@]}"; do
    load "$atticd_pid" "$url" "$base/nar_$list" $((list > 100000000 ? 4 : 16))
    set_figure "nar_$list" "$(calculate "$wrk_bytes / 1e6")"
  done
  stop_atticd

  clocked collect_nothing collect
  expire 10 0
  clocked collect_1000 collect
  [[ $side == many ]] || return 0
  expire 100 5000
  clocked collect_10000 collect
}

set_figure() { printf -v "${side}_$1" '%s' "$2"; } # figure, value
clocked() { # figure, command...: its seconds
  local begun
  begun=$(now)
  "${@:2}" >"$work/command.log" 2>&1 || die "failed: ${*:2}: $(<"$work/command.log")"
  set_figure "$1" "$(calculate "$(now) - $begun")"
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# Makes that many runs of 100 objects old, each as pushed together, spread over the store.
expire() { # runs, objects before the first
  sqlite3 "$store/server.db" "UPDATE object SET last_accessed_at = 1000000000000 WHERE id IN (
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $1 * 100 - 1)
    SELECT ${#nar_sizes[@]} + 1 + $2 + i / 100 * (${!side} / $1) + i % 100 FROM n)"
  settle
}
collect() { atticd -f "$store/server.toml" --mode garbage-collector-once; }

ask_all() { for number in "${asked[@]}"; do ask_missing "$base/asked-$number"; done | median; }
ask_missing() { # file: milliseconds
  curl -sS -o /dev/null -w '%{time_total}\n' -X POST --data-binary @"$1" -H "Authorization: Bearer $token" \
    -H 'Content-Type: application/json' "$url/_api/v1/get-missing-paths" | awk '{ print $1 * 1000 }'
}

# Asks for each path of a file once, one after another on one connection: microseconds each.
ask_each() { # file
  sed "s,.*,url = \"$url&\"\noutput = /dev/null," "$1" >"$work/urls"
  curl -sS -w '%{time_total}\n' -K "$work/urls" | awk '{ s += $1 } END { print s * 1e6 / NR }'
}
