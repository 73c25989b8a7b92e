# collection: 1,000,000 chunks are collected while 8 clients push and 8 pull: by the server, then by a process beside it.
#
# Everything is real and goes through the server: paths of noise are pushed into a cache that is to expire and into one that
# lives on. Of what is to die a third lies by itself, so that whole packs go; in the rest every eleventh path lives, so that packs
# keep holes. Chunks are cut to about 2 KiB, since it is their number that counts. The store as it is before the collection is kept for the next run.
dying_paths=1080 living_paths=72 path_bytes=2500000
small_chunks=('[chunking]' 'nar-size-threshold = 1024' 'min-size = 1024' 'avg-size = 2048' 'max-size = 4096')
collect_after=40 # seconds from the server's start to its collection

section_collection() {
  need sqlite3 sqlite3
  dead_store
  local by
  for by in server process; do collect_under_fire "$by"; done
  runs='one run each; reference: before the collection, tetryx: while it ran'
  note "Beside it: 8 clients push a new path of 5 KB to 1 MB five times a second each, 8 pull a random path of $(calculate "$path_bytes / 1e6") MB (narinfo and NAR) five times a second each, and one asks every 10 ms whether a path is there, for which the server writes one small row: what that takes is what a writer waits. All run on the same processors as server and collection, above the priority of other programs on the machine."
}

# --- The store ---------------------------------------------------------------------------------------------------

# Made below the kept directory, where there is none of this schema.
dead_store() {
  local base=$kept/collection version block third=$((dying_paths / 3))
  version=$({ cat Sources/Engines/Database/Schema/*.swift && declare -p dying_paths living_paths path_bytes && declare -f dead_store; } | sha256sum)
  [[ $(cat "$base/version" 2>/dev/null) != "$version" ]] || return 0
  say 'making a store of 1,000,000 chunks'
  rm -rf "$base" "$work/dead"
  start_atticd dead "${small_chunks[@]}"
  create_cache dying false
  create_cache living false
  export BENCH_TOKEN=$token
  fill_cache dying 1 "$third"
  for ((block = 0; block < living_paths; block++)); do
    fill_cache living $((1000001 + block)) 1
    fill_cache dying $((third + 1 + block * 10)) 10
  done
  retention living 315360000
  stop_atticd
  rm "$store/server.toml"
  echo "$version" >"$store/version"
  mv "$store" "$base"
}

fill_cache() { atticbench fill --url "$url" --cache "$1" --first "$2" --count "$3" --size "$path_bytes"; } # cache, first seed, paths
retention() { # cache, seconds
  curl -sSf -o /dev/null -X PATCH -H "Authorization: Bearer $(make_token --configure-cache '*' --configure-cache-retention '*' --pull '*')" -H 'Content-Type: application/json' \
    -d "{\"retention_period\":{\"Period\":$2}}" "$url/_api/v1/cache-config/$1"
}

# --- A collection of a copy of it --------------------------------------------------------------------------------

collect_under_fire() { # server or process: who collects
  local by=$1 counted begun ended freed traffic memory_before freed_bytes named_before bytes_before chunks_before collector_memory=-
  mkdir "$work/collection-$by"
  cp --reflink=auto -r "$kept/collection/server.db" "$kept/collection/storage" "$work/collection-$by/"
  sync
  : >"$work/collector.log"
  pin='nice -n -15' collects=0
  [[ $by != server ]] || collects="$collect_after s"
  collection_interval=$collects start_atticd "collection-$by"
  export BENCH_TOKEN=$token
  retention dying 1
  bytes_before=$(disk_bytes) named_before=$(stored_named) chunks_before=$(count_rows chunk)
  nice -n -15 atticbench traffic --url "$url" --cache living --until "$work/stop" --first 1000001 --count "$living_paths" --size "$path_bytes" \
    --fresh 2000000 --push-interval 200 --pull-interval 200 >"$work/traffic.tsv" &
  traffic=$!
  sleep "$(calculate "$atticd_started + $collect_after - $(now)")"
  begun=$(now)
  memory_before=$(peak_memory "$atticd_pid")
  if [[ $by == process ]]; then
    timed collector nice -n -15 atticd -f "$store/server.toml" --mode garbage-collector-once
    mv "$work/command.log" "$work/collector.log"
  else
    while ! grep -q 'garbage collection: ' "$work/atticd.log"; do sleep 0.1; done
  fi
  ended=$(now)
  # A running server gives the space of what died back a minute later.
  while (($(count_rows dead_extent) > 1000)); do sleep 1; done
  freed=$(now)
  touch "$work/stop"
  wait "$traffic"
  rm "$work/stop"
  cp "$work/traffic.tsv" "$kept/traffic-$by.tsv"
  latencies push "a push"
  latencies pull "a pull"
  latencies ask "one small write"
  row "by the $by: requests that failed" '' 'abs <= 0' - "$(grep -c ^failed "$work/traffic.tsv" || true)"
  counted=$(cat "$work/collector.log" "$work/atticd.log" | grep -i 'garbage collection: ' | sed 's/.*arbage collection: //')
  row "by the $by: chunks that were removed, of $chunks_before" '' - - "$(sed -n '1s/.* \([0-9]*\) chunks.*/\1/p' <<<"$counted")"
  row "by the $by: rows left of candidates and dead extents" '' 'abs <= 0' - "$(($(count_rows nar_candidate) + $(count_rows chunk_candidate) + $(count_rows dead_extent)))"
  row "by the $by: until the rows are gone" s - - "$(calculate "$ended - $begun")"
  row "by the $by: until the space is given back" s - - "$(calculate "$freed - $begun")"
  # What the clients pushed meanwhile is no part of it.
  freed_bytes=$(sed 's/.* \([0-9]*\) bytes freed.*/\1/' <<<"$counted" | awk '{ s += $1 } END { print s + 0 }')
  row "by the $by: bytes of what died, and given back on the disk" MB '>= 0.97' "$(calculate "$freed_bytes / 1e6")" \
    "$(calculate "($bytes_before - $(disk_bytes) + $(stored_named) - $named_before + $freed_bytes) / 1e6")"
  row "by the $by: the server's memory, peak before and after" MB - "$memory_before" "$(peak_memory "$atticd_pid")"
  [[ $by == server ]] || row "by the $by: the collector's memory, peak" MB - - "$collector_memory"
  note "- By the $by: $(paste -sd'|' <<<"$counted" | sed 's/|/; then /g')."
  stop_atticd
  if atticadm fsck -f "$store/server.toml" >"$work/fsck.log" 2>&1; then note "- By the $by: \`atticadm fsck\` finds the store clean afterwards."; else
    note "- By the $by: \`atticadm fsck\` finds: $(tail -n 3 "$work/fsck.log")"
  fi
  pin=
  rm -rf "$store"
}

# Rows of how long requests took, of those that began in the 20 seconds before the collection and of those while it ran.
latencies() { # kind, its name
  local quantile reference subject wanted
  for quantile in 50 99 100; do
    reference=$(quantile "$1" "$quantile" "$(calculate_ms "$begun - 20")" "$(calculate_ms "$begun")")
    subject=$(quantile "$1" "$quantile" "$(calculate_ms "$begun")" "$(calculate_ms "$ended")")
    wanted=-
    [[ $1/$quantile != ask/99 ]] || wanted='abs <= 100'
    row "by the $by: $2, $([[ $quantile == 100 ]] && echo 'the longest' || echo "p$quantile")" ms "$wanted" "$reference" "$subject"
  done
}
calculate_ms() { awk "BEGIN { printf \"%.0f\", ($1) * 1000 }"; }
quantile() { # kind, percent, from, to (milliseconds since 1970): milliseconds
  awk -v kind="$1" -v from="$3" -v to="$4" '$1 == kind && $2 >= from && $2 < to { print $3 / 1000 }' "$work/traffic.tsv" |
    sort -n | awk -v percent="$2" '{ v[NR] = $1 } END { n = int(NR * percent / 100 + 0.999999); print (NR == 0) ? 0 : v[n < 1 ? 1 : n] }'
}

stored_named() { sqlite3 -cmd '.timeout 20000' "$store/server.db" 'SELECT sum(stored_byte_count) FROM chunk'; }
count_rows() { sqlite3 -cmd '.timeout 20000' "$store/server.db" "SELECT count(*) FROM $1"; }
disk_bytes() { find "$storage/packs" -type f -printf '%b\n' | awk '{ s += $1 } END { print s * 512 + 0 }'; }
