# memory: what idle connections, many uploads at once, and a long answer cost the server.

section_memory() {
  local connections=10000 taken each clients=16 client pids=() size=300000000
  runs='one run'
  start_atticd memory
  row 'the server at rest' 'MB' '-' '-' "$(peak_memory "$atticd_pid")"
  read -r taken each < <(atticbench connections --port "${url##*:}" --count "$connections" --pid "$atticd_pid" --path /open/nix-cache-info)
  row "idle connections taken, of $connections" '' "abs >= $connections" '-' "$taken"
  row 'memory of an idle connection' 'bytes' 'abs <= 10240' '-' "$each"
  stop_atticd

  start_atticd memory-uploads
  for ((client = 1; client <= clients; client++)); do
    upload open --seed "$client" --size "$size" >/dev/null &
    pids+=($!)
  done
  local begun
  begun=$(now)
  wait "${pids[@]}"
  row "$clients uploads of 300 MB at once: the server's memory" 'MB' 'abs <= 300' '-' "$(peak_memory "$atticd_pid")"
  row "$clients uploads of 300 MB at once: rate, with making them" 'MB/s' '-' '-' "$(calculate "$clients * $size / 1e6 / ($(now) - $begun)")"
  note "The NARs are made while they are uploaded, twice each, which takes a good part of the processors; the rate is no measure of the server alone."
}
