# pull: Nix fetches a closure into an empty store.
source scripts/bench.d/nix.sh

section_pull() {
  prepare_nix
  local paths file_key pair bytes
  mapfile -t paths < <(closure 12 "$profile" 1)
  bytes=$(nar_bytes "${paths[@]}")
  start_atticd pull
  log_in
  timed push tetryx push open "${paths[-1]}"
  compare_pulls "the $profile closure" '<= 1.05' "$bytes" "${paths[@]}"
  note "The closure has ${#paths[@]} paths and $(calculate "$bytes / 1e6") MB of NARs."
}

compare_pulls() { # measure, wanted, NAR bytes, paths (the last is the root)
  local file_key pair static=$work/static key
  nix-store --generate-binary-cache-key files "$work/files.secret" "$work/files.public"
  file_key=$(<"$work/files.public")
  copy_key=$work/files.secret copy_to_files copied "$static" "${@:$#}"
  start_nginx "$static"
  key=$(cache_key open)
  local root=${*:$#}
  pull_reference() { settle; pull_into reference "$nginx_url" "$file_key" "$work/store-n$pair" "$root"; }
  pull_subject() { settle; pull_into subject "$url/open" "$key" "$work/store-a$pair" "$root"; }
  for ((pair = 1; pair <= pairs; pair++)); do
    in_turn "$pair" pull_reference pull_subject
    row "pull of $1" 's' "$2" "$reference_seconds" "$subject_seconds"
    row "pull of $1: Nix's CPU" 's' '-' "$reference_cpu" "$subject_cpu"
    row "pull of $1: rate" 'MB/s' '-' "$(calculate "$3 / 1e6 / $reference_seconds")" "$(calculate "$3 / 1e6 / $subject_seconds")"
  done
}
