# push: a closure, and one large path, into an empty server.
source scripts/bench.d/nix.sh

section_push() {
  prepare_nix
  local paths bulk pair
  mapfile -t paths < <(closure 12 "$profile" 1)
  bulk=$(bulk_path)
  # What was just made may still be on its way to the disk, and is read once so that both sides find it in memory.
  nix-store --dump "$bulk" >/dev/null
  note "- What the steps cost alone, in seconds of one core (\`atticbench stages\`): the closure $(stages "${paths[@]}"); the large path $(stages "$bulk")."
  for ((pair = 1; pair <= pairs; pair++)); do
    compare_push "the $profile closure" '>= 2.5' "push-c$pair" "${paths[-1]}" "$(nar_bytes "${paths[@]}")"
    compare_push 'one large path' '>= 2.0' "push-b$pair" "$bulk" "$(nar_bytes "$bulk")"
  done
}

compare_push() { # measure, wanted, store's name, path, NAR bytes
  local name=$3 path=$4 server_cpu
  push_reference() { settle; copy_to_files reference "$work/files-$name" "$path"; }
  push_subject() {
    settle
    start_atticd "$name"
    log_in
    thread_cpu "$atticd_pid" >"$work/cpu.before"
    timed subject tetryx push open "$path"
    thread_cpu "$atticd_pid" >"$work/cpu.after"
    server_cpu=$(cpu_seconds "$atticd_pid")
  }
  in_turn "$pair" push_reference push_subject
  row "push of $1" 'MB/s' "$2" "$(calculate "$5 / 1e6 / $reference_seconds")" "$(calculate "$5 / 1e6 / $subject_seconds")"
  row "push of $1: the client's CPU" 's' '-' "$reference_cpu" "$subject_cpu"
  row "push of $1: the client's memory" 'MB' '-' "$reference_memory" "$subject_memory"
  row "push of $1: the server's CPU" 's' '-' '-' "$server_cpu"
  row "push of $1: the server's memory" 'MB' '-' '-' "$(peak_memory "$atticd_pid")"
  row "push of $1: stored" 'MB' '-' "$(du -sb "$work/files-$3" | awk '{ print $1 / 1e6 }')" "$(calculate "$(stored_bytes) / 1e6")"
  ((pair < pairs)) ||
    note "- $1, $(calculate "$5 / 1e6") MB in $subject_seconds s: the server's CPU by thread: $(thread_share "$work/cpu.before" "$work/cpu.after"); the client's: $subject_cpu s."
  stop_atticd
}

stages() { # paths
  local path number=0 files=() nar cut chunks zstd file
  mkdir -p "$work/nars"
  for path in "$@"; do
    number=$((number + 1))
    nix-store --dump "$path" >"$work/nars/$number"
    files+=("$work/nars/$number")
  done
  read -r nar cut chunks zstd file < <(atticbench stages --level "$level" "${files[@]}")
  rm -r "$work/nars"
  printf 'SHA-256 of the NARs %s, cut points %s, SHA-256 of the chunks %s, zstd %s, SHA-256 of the stored files %s: together %s' \
    "$nar" "$cut" "$chunks" "$zstd" "$file" "$(calculate "$nar + $cut + $chunks + $zstd + $file")"
}
