# nar: downloads from a warm page cache, nginx sending the same bytes from one file.

section_nar() {
  local pair description size name wanted connections paths=$work/nar.paths
  pin_to_cores
  start_atticd nar
  # Noise, so that what is stored is as large as the NAR.
  say 'uploading NARs'
  for size in 65536 1048576 200000000; do
    description=$(atticbench nar --noise --seed 1 --size "$size" --info open)
    make_nar --noise --seed 1 --size "$size" | upload_body "$description" >/dev/null
    nar_path "$description" >"$paths.$size"
  done
  scattered_nar >"$paths.scattered"
  cat "$paths".* >"$paths"
  mirror "$work/www" "$paths"
  start_nginx "$work/www"

  for ((pair = 1; pair <= pairs; pair++)); do
    compare_transfer '64 KiB' "$paths.65536" 16 '>= 0.9'
    compare_transfer '1 MiB' "$paths.1048576" 16 '>= 0.95'
    compare_transfer '200 MB' "$paths.200000000" 4 '>= 0.95'
    compare_transfer 'chunks from 20 packs' "$paths.scattered" 4 '>= 0.7'
  done
}

nar_path() { # description: the path of its NAR, as the narinfo has it
  printf '/open/%s\n' "$(curl -sSf "$url/open/$(hash_of "$1").narinfo" | sed -n 's/^URL: //p')"
}

# A NAR of 20 pieces that were uploaded before, all at once, so that each lies in a pack of its own: an upload keeps its
# pack to itself from its first frames on, and pieces of 8 MB have written some before they pause.
scattered_nar() {
  local seed description pids=() size=8000000 seeds
  for ((seed = 101; seed <= 120; seed++)); do
    description=$(atticbench nar --noise --seed "$seed" --size "$size" --info open)
    { make_nar --noise --seed "$seed" --size "$size"; sleep 3; } | upload_body "$description" >/dev/null &
    pids+=($!)
  done
  wait "${pids[@]}"
  seeds=$(seq -s, 101 120)
  description=$(atticbench nar --noise --seed "$seeds" --size $((20 * size)) --info open)
  make_nar --noise --seed "$seeds" --size $((20 * size)) | upload_body "$description" >"$work/scattered.answer"
  note "The NAR of many packs: 160 MB, $(find "$storage/packs" -type f | wc -l) packs in the store; the server said $(<"$work/scattered.answer")."
  nar_path "$description"
}

compare_transfer() { # measure, file of paths, connections, wanted
  local rate cpu list=$2 connections=$3
  load_reference() { load "$nginx_pid" "$nginx_url" "$list" "$connections"; rate=$wrk_bytes cpu=$wrk_cpu_megabyte; }
  load_subject() {
    load "$atticd_pid" "$url" "$list" "$connections"
    subject_rate=$wrk_bytes subject_cpu=$wrk_cpu_megabyte
  }
  in_turn "$pair" load_reference load_subject
  row "$1, $3 connections" 'MB/s' "$4" "$(calculate "$rate / 1e6")" "$(calculate "$subject_rate / 1e6")"
  row "$1: the server's CPU" 'µs/MB' '-' "$cpu" "$subject_cpu"
}
