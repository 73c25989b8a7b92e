# stored-bytes: successive releases of one wheel, beside an ideal calculation and other stores that deduplicate.
source scripts/bench.d/nix.sh

section_stored_bytes() {
  prepare_nix
  need restic restic
  need borgbackup borg
  need casync casync
  local paths path number=0 files=() ideal total stored database
  mapfile -t paths < <(wheel_paths)
  runs='one run'
  start_atticd stored
  log_in
  for path in "${paths[@]}"; do
    number=$((number + 1))
    tetryx push open "$path" >"$work/command.log" 2>&1 || die "the push failed: $(<"$work/command.log")"
    nix-store --dump "$path" >"$work/wheel-$number.nar"
    files+=("$work/wheel-$number.nar")
    note "- After release $number: $(calculate "$(stored_bytes) / 1e6") MB stored of $(calculate "$(nar_bytes "${paths[@]:0:number}") / 1e6") MB."
  done
  stored=$(stored_bytes)
  sqlite_bytes=$(du -sbc "$store"/server.db* | tail -n 1 | cut -f1)
  read -r total chunks distinct distinct_bytes ideal < <(atticbench ideal --level "$level" "${files[@]}")
  row 'packs, beside the ideal' 'MB' '<= 1.03' "$(calculate "$ideal / 1e6")" "$(calculate "$stored / 1e6")"
  other_stores "${paths[@]}"
  row 'packs and database, beside restic' 'MB' '-' "$restic_megabytes" "$(calculate "($stored + $sqlite_bytes) / 1e6")"
  row 'packs and database, beside borg' 'MB' '-' "$borg_megabytes" "$(calculate "($stored + $sqlite_bytes) / 1e6")"
  row 'packs and database, beside casync' 'MB' '-' "$casync_megabytes" "$(calculate "($stored + $sqlite_bytes) / 1e6")"
  note ''
  note "NARs: $(calculate "$total / 1e6") MB, $chunks chunks, $distinct of them distinct with $(calculate "$distinct_bytes / 1e6") MB. restic, borg and casync compress by zstd (restic its default, borg level 3, casync its default) and cut at their own sizes: about 1 MiB, 2 MiB and 64 KiB."
}

other_stores() { # paths: each into one repository of each kind
  local path
  export RESTIC_PASSWORD=bench BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
  restic -q -r "$work/restic" init --repository-version 2 >/dev/null
  borg init --encryption none "$work/borg"
  mkdir "$work/casync.castr"
  for path in "$@"; do
    restic -q -r "$work/restic" backup --compression auto "$path" >/dev/null
    borg create --compression zstd,3 "$work/borg::${path##*/}" "$path"
    casync make --compression=zstd --store="$work/casync.castr" "$work/${path##*/}.caidx" "$path" >/dev/null
  done
  restic_megabytes=$(du -sb "$work/restic" | awk '{ print $1 / 1e6 }')
  borg_megabytes=$(du -sb "$work/borg" | awk '{ print $1 / 1e6 }')
  casync_megabytes=$(du -sb "$work/casync.castr" | awk '{ print $1 / 1e6 }')
}
