# next-generation: the closure rebuilt after a change at its bottom, and the same closure again.
source scripts/bench.d/nix.sh

section_next_generation() {
  prepare_nix
  local first second pair stored
  mapfile -t first < <(closure 12 "$profile" 1)
  mapfile -t second < <(closure 12 "$profile" 2)
  for ((pair = 1; pair <= pairs; pair++)); do
    settle
    start_atticd "generation-$pair"
    log_in
    timed first tetryx push open "${first[-1]}"
    stored=$(stored_bytes)
    settle
    thread_cpu "$atticd_pid" >"$work/cpu.before"
    timed next tetryx push open "${second[-1]}"
    thread_cpu "$atticd_pid" >"$work/cpu.after"
    timed again tetryx push open "${second[-1]}"
    row 'push of the next generation, beside the first' 's' '<= 0.25' "$first_seconds" "$next_seconds"
    row 'stored bytes, beside the first' 'MB' '-' "$(calculate "$stored / 1e6")" "$(calculate "($(stored_bytes) - $stored) / 1e6")"
    row 'push of what is there' 's' 'abs <= 0.3' '-' "$again_seconds"
    stop_atticd
  done
  note "The server's CPU by thread in the last next generation: $(thread_share "$work/cpu.before" "$work/cpu.after"); the client's: $next_cpu s."
}
