# narinfo: requests a second, one nginx worker with files against atticd pinned to the same core.

section_narinfo() {
  local count=200 seed description pair paths=$work/narinfo.paths hash connections
  pin_to_cores
  start_atticd narinfo
  say "uploading $count small NARs"
  : >"$paths"
  for ((seed = 1; seed <= count; seed++)); do
    description=$(atticbench nar --seed "$seed" --size 3000 --references --info open)
    make_nar --seed "$seed" --size 3000 | upload_body "$description" >/dev/null
    printf '/open/%s.narinfo\n' "$(hash_of "$description")" >>"$paths"
    # The private cache has the same objects: the bytes are known, and only claimed.
    make_nar --seed "$seed" --size 3000 | upload_body "${description/\"open\"/\"closed\"}" >/dev/null
  done
  sed 's,/open/,/closed/,' "$paths" >"$paths.closed"
  # Hashes that no object has: of the same alphabet.
  awk 'BEGIN { for (i = 1; i <= 200; i++) printf "/open/%032d.narinfo\n", i }' >"$paths.missing"
  mirror "$work/www" "$paths"
  mirror "$work/www" "$paths.closed"
  start_nginx "$work/www"

  for ((pair = 1; pair <= pairs; pair++)); do
    load_token='' compare_load 'public cache, 16 connections' "$paths" 16 '>= 1.0'
    load_token=$pull_token compare_load 'private cache with a token, 16 connections' "$paths.closed" 16 '>= 1.0'
    load_token='' compare_load '404, 16 connections' "$paths.missing" 16 '>= 1.0'
    load_token='' compare_load 'public cache, 1 connection' "$paths" 1 '-' latency
  done

  # Above atticd writes its access log, and nginx none. Where nginx does least that is a good part of the work, so: both, and neither.
  stop_nginx
  start_nginx "$work/www" "$work/nginx/access.log combined buffer=64k"
  for ((pair = 1; pair <= pairs; pair++)); do
    load_token='' compare_load '404, 16 connections, both with an access log' "$paths.missing" 16 '>= 1.0'
  done
  stop_all
  start_atticd narinfo-quiet 'access-log = false'
  start_nginx "$work/www"
  for ((pair = 1; pair <= pairs; pair++)); do
    load_token='' compare_load '404, 16 connections, neither with one' "$paths.missing" 16 '>= 1.0'
  done
}

compare_load() { # measure, file of paths, connections, wanted of the rate, "latency" for the median too
  local rate p50 cpu list=$2 connections=$3
  load_reference() { load "$nginx_pid" "$nginx_url" "$list" "$connections"; rate=$wrk_rate p50=$wrk_p50 cpu=$wrk_cpu; }
  load_subject() {
    load "$atticd_pid" "$url" "$list" "$connections"
    subject_rate=$wrk_rate subject_p50=$wrk_p50 subject_cpu=$wrk_cpu
  }
  in_turn "$pair" load_reference load_subject
  row "$1" 'requests/s' "$4" "$rate" "$subject_rate"
  row "$1: the server's CPU" 'µs/request' '-' "$cpu" "$subject_cpu"
  [[ ${5:-} != latency ]] || row "$1: median time" 'µs' '<= 1.0' "$p50" "$subject_p50"
}
