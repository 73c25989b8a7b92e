# What the scripts that kill the server share; sourced by them, after common.sh.
#
# Of every kill the same is expected: the restart repairs, fsck is clean, what was acknowledged pulls and verifies by its
# hash, the same pushes complete, and one collection later no byte and no row is left over.
[[ -x ${TETRYX_TEST_BINARIES:-}/atticd ]] || die 'TETRYX_TEST_BINARIES must name the directory of the tools built for debugging; scripts/test sets it'
PATH=$TETRYX_TEST_BINARIES:$PATH
# What is killed does not come back before the clients have ended: nobody waits for it.
export TETRYX_ATTEMPTS=1

fresh_server() { # a server that has nothing, and runs
  # What was pushed to the server before says nothing of this one.
  for log in push-?.log; do [[ ! -e $log ]] || : >"$log"; done
  start_new_server
  tetryx login local "$url" "$token" 2>/dev/null
  tetryx cache create hello 2>/dev/null
  tetryx use hello >/dev/null 2>&1
}

hash_of() { local name=${1#/nix/store/}; printf '%s' "${name%%-*}"; }
is_here() { [[ $(http_status -H "Authorization: Bearer $token" "$url/hello/$(hash_of "$1").narinfo") == 200 ]]; } # path

remove_store() { # directory that was pulled into
  [[ -e $1 ]] || return 0
  chmod -R u+w "$1"
  rm -rf "$1"
}

# Each path is told as here, comes whole, and is what Nix has the hash of; with all that it needs.
check_pulls() { # what, paths...
  local path
  for path in "${@:2}"; do is_here "$path" || die "$1: $path was acknowledged, and is gone"; done
  remove_store "$work/pulled"
  pull "$work/pulled" "${@:2}" >pull.log 2>&1 || die "$1: the pull failed: $(tail -n 5 pull.log)"
  NIX_REMOTE='' nix-store --store "$work/pulled" --verify-path "${@:2}" || die "$1: nix-store --verify-path found damage"
}

# What pushes said is here; their output is in the files push-*.log.
check_acknowledged() { # what
  local acknowledged
  mapfile -t acknowledged < <(sed -n 's/^✅ \([0-9a-z]\{32\}-[^ ]*\).*/\/nix\/store\/\1/p' push-?.log | sort -u)
  acknowledged_count=${#acknowledged[@]}
  ((acknowledged_count == 0)) || check_pulls "$1" "${acknowledged[@]}"
}

check_clean() { # what, fsck's arguments: rows and bytes agree
  atticadm fsck "${@:2}" >fsck.log 2>&1 || die "$1: fsck found: $(cat fsck.log)"
}

# Rows of every table but those that live on without any path, and files and objects that are not the server's frame.
left_over() {
  local counts='' table
  for table in $(tables); do counts+="${counts:+ UNION ALL }SELECT '$table', count(*) FROM $table"; done
  sql "SELECT n, t FROM (SELECT '' AS t, 0 AS n WHERE 0 = 1 UNION ALL $counts) AS counted WHERE n > 0 ORDER BY t" | sed 's/|/ rows in /' ||
    echo 'rows that cannot be counted'
  stray_files
}

check_nothing_left() { # what: after everything has expired, one collection
  tetryx cache configure hello --retention-period 1s >/dev/null 2>&1
  pass_a_day
  sleep 1.1
  collect_garbage
  expect_equal "$1: what is left over after one collection" '' "$(left_over)"
  check_clean "$1, after the collection"
}

# A check that cannot fail says nothing: each kind of leak is planted once, and must be found.
check_the_checks() { # the server has no path, and does not run
  local before
  before=$(left_over)
  expect_equal 'what is left over in a new server' '' "$before"
  sql "INSERT INTO upload (id, expires_at) VALUES (999999, 9000000000000)"
  expect_equal 'a lease that was planted' '1 rows in upload' "$(left_over)"
  sql 'DELETE FROM upload'
  sql "INSERT INTO chunk_candidate VALUES (999999)"
  expect_equal 'a candidate that was planted' '1 rows in chunk_candidate' "$(left_over)"
  sql 'DELETE FROM chunk_candidate'
  plant_pack abababababababababababababababab
  expect_contains 'a pack that was planted' abababababababababababababababab "$(left_over)"
  if atticadm fsck >/dev/null 2>&1; then die 'fsck did not see the pack that was planted'; fi
  remove_pack abababababababababababababababab
  if [[ -n $bucket ]]; then
    in_bucket '/packs/cdcd?uploads=' --request POST >upload.xml
    expect_equal 'an upload in parts that was planted' 'a part of packs/cdcd' "$(left_over)"
    in_bucket "/packs/cdcd?uploadId=$(sed -n 's|.*<UploadId>\(.*\)</UploadId>.*|\1|p' upload.xml)" --request DELETE
  else
    printf x >"$storage/VERSION.new-1"
    expect_equal 'a file that was planted' 'storage/VERSION.new-1' "$(left_over)"
    rm "$storage/VERSION.new-1"
  fi
  expect_equal 'what is left over when all that was planted is gone' '' "$(left_over)"
}

expect_killed() { # what: the server has ended by itself
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.02
  done
  kill -0 "$server_pid" 2>/dev/null && die "$1: the step was never reached"
  wait "$server_pid" 2>/dev/null || true
  server_pid=
}

sleep_at_random() { sleep "$(awk -v r=$RANDOM -v most="$1" 'BEGIN { printf "%.3f", r / 32768 * most }')"; } # seconds at most
