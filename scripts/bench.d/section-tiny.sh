# tiny: a thousand small paths.
source scripts/bench.d/nix.sh
source scripts/bench.d/section-pull.sh

section_tiny() {
  prepare_nix
  local paths pair count requests
  mapfile -t paths < <(closure 1000 tiny 1)
  count=${#paths[@]}
  tiny_reference() { settle; copy_to_files reference "$work/files-tiny$pair" "${paths[-1]}"; }
  tiny_subject() {
    settle
    start_atticd "tiny-$pair"
    log_in
    thread_cpu "$atticd_pid" >"$work/cpu.before"
    timed subject tetryx push open "${paths[-1]}"
    thread_cpu "$atticd_pid" >"$work/cpu.after"
  }
  for ((pair = 1; pair <= pairs; pair++)); do
    stop_atticd
    in_turn "$pair" tiny_reference tiny_subject
    row "push of $count small paths" 'paths/s' 'abs >= 400' "$(calculate "$count / $reference_seconds")" "$(calculate "$count / $subject_seconds")"
    row "push of $count small paths: the client's CPU" 's' '-' "$reference_cpu" "$subject_cpu"
    requests=$(answered)
    timed again tetryx push open "${paths[-1]}"
    requests=$(($(answered) - requests))
    row "push of $count paths that are there" 's' 'abs <= 0.3' '-' "$again_seconds"
    row "push of $count paths that are there: requests" '' 'abs <= 3' '-' "$requests"
  done
  note "The server's CPU by thread in the last push: $(thread_share "$work/cpu.before" "$work/cpu.after"); the client's: $subject_cpu s of $subject_seconds s."
  compare_pulls "$count small paths" '<= 1.0' "$(nar_bytes "${paths[@]}")" "${paths[@]}"
}

# Requests that the server has answered. Its log is written a few times a second.
answered() { sleep 0.7; grep -c ', request [0-9a-f]*$' "$work/atticd.log" || true; }
