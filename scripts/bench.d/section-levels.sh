# levels: what a level of zstd costs a push in time, and saves in bytes, beside level 1.
source scripts/bench.d/nix.sh

section_levels() {
  prepare_nix
  local paths bytes pair other reference_rate reference_bytes reference_cpu
  mapfile -t paths < <(closure 12 "$profile" 1)
  bytes=$(nar_bytes "${paths[@]}")
  for ((pair = 1; pair <= pairs; pair++)); do
    push_at 1
    reference_rate=$rate reference_bytes=$stored reference_cpu=$cpu
    for other in -1 2 3 5 8; do
      push_at "$other"
      row "level $other: push" 'MB/s' '-' "$reference_rate" "$rate"
      row "level $other: the server's CPU" 's' '-' "$reference_cpu" "$cpu"
      row "level $other: stored" 'MB' '-' "$reference_bytes" "$stored"
    done
  done
  note "The closure has $(calculate "$bytes / 1e6") MB of NARs."
}

push_at() { # level: sets rate, cpu (the server's seconds) and stored
  local level=$1
  settle
  start_atticd "level$1-$pair"
  log_in
  cpu=$(cpu_seconds "$atticd_pid")
  timed push tetryx push open "${paths[-1]}"
  cpu=$(calculate "$(cpu_seconds "$atticd_pid") - $cpu")
  rate=$(calculate "$bytes / 1e6 / $push_seconds")
  stored=$(calculate "$(stored_bytes) / 1e6")
  stop_atticd
}
