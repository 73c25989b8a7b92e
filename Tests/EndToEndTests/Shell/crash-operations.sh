#!/usr/bin/env bash
# kill -9 in the middle of everything that changes something and is no push by tetryx: what plain Nix puts (NAR, narinfo, listing,
# build log), batches of small paths, the end of a cache, the revocation of a token, fsck --repair, a backup, and a collection
# in another process while the server goes on. After each the same is expected as of crash-steps.sh, on whatever foundation.sh has.
#
#   crash-operations.sh [ROUNDS] [SEED]     default 4 random kills of each operation whose steps have no names
source "$(dirname "$0")/common.sh"
source "$shell_dir/crash-common.sh"
rounds=${1:-4} seed=${2:-1}
RANDOM=$seed

say 'making paths'
mapfile -t closure < <("$shell_dir/make-closure.sh" -n 6 -p mixed -s 84)
mapfile -t tiny < <("$shell_dir/make-closure.sh" -n 30 -p tiny -s 97)
mkdir -p "$work/log"
cat >"$work/logged.nix" <<'NIX'
derivation { name = "logged"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo what it printed; echo here > $out" ]; }
NIX
logged_drv=$(nix-instantiate "$work/logged.nix" 2>/dev/null)
log_url() { printf '%s/hello/log/%s' "$url" "${logged_drv#/nix/store/}"; }
put_log() { curl -s -o http-body -w '%{http_code}' -H "Authorization: Bearer $token" -X PUT --data-binary 'what it printed' "$(log_url)" || true; }

copy() { nix_fresh nix copy --to "$url/hello?compression=zstd&write-nar-listing=true" "${closure[-1]}"; }
: >push-1.log

# All of it is pushed, pulls, and leaves nothing behind.
check_after() { # what
  check_clean "$1, after the restart"
  tetryx push hello "${closure[-1]}" "${tiny[-1]}" >push.log 2>&1 || die "$1: the push failed: $(tail -n 5 push.log)"
  check_pulls "$1" "${closure[@]}" "${tiny[@]}"
  check_nothing_left "$1"
  stop_server
}
restart_with() { # faults
  stop_server
  TETRYX_FAULTS=$1 start_server
}

runs=0
# "changed" is after each request that changes something: here each PUT of a NAR, its narinfo and its listing.
for step in nar-received#2 bytes-durable#2 committed#1 committed#2 committed#3 bytes-kept#2 bytes-kept#3 changed#1 changed#2 changed#3 changed#5 write#3 sync#4; do
  fresh_server
  restart_with "$step=kill"
  if copy >copy.log 2>&1; then die "nix copy ended well though the server was killed at $step"; fi
  expect_killed "nix copy killed at $step"
  start_server
  # What has a narinfo is whole.
  here=()
  for path in "${closure[@]}"; do if is_here "$path"; then here+=("$path"); fi; done
  ((${#here[@]} == 0)) || check_pulls "nix copy killed at $step" "${here[@]}"
  check_clean "nix copy killed at $step"
  if ((runs % 2)); then copy >copy.log 2>&1 || die "nix copy after a kill at $step failed: $(tail -n 5 copy.log)"; fi
  check_after "nix copy killed at $step"
  runs=$((runs + 1))
done
say "nix copy killed at $runs steps: nothing lost, nothing left over"

runs=0
for step in nar-received#7 nar-received#20 bytes-durable#1 committed#1 bytes-kept#1 changed#2; do
  fresh_server
  restart_with "$step=kill"
  tetryx push hello "${tiny[-1]}" >push-1.log 2>&1 || true
  expect_killed "a batch killed at $step"
  start_server
  check_acknowledged "a batch killed at $step"
  check_after "a batch killed at $step"
  runs=$((runs + 1))
done
say "batches of small paths killed at $runs steps: all of one or none of it"
: >push-1.log

runs=0
for ((round = 0; round <= rounds; round++)); do
  fresh_server
  if ((round == 0)); then restart_with changed#1=kill; fi
  put_log >status &
  put_pid=$!
  if ((round > 0)); then sleep_at_random 0.03; kill_server; else expect_killed 'a build log'; fi
  wait "$put_pid" || true
  start_server
  # There or not, as it was told; never a part of it.
  status=$(http_status -H "Authorization: Bearer $token" "$(log_url)")
  case $status in
    200) expect_equal 'a log whose push was killed' 'what it printed' "$(cat http-body)" ;;
    404) [[ $(cat status) != 200 && $round != 0 ]] || die 'a log that was acknowledged is gone' ;;
    *) die "a log whose push was killed: HTTP $status" ;;
  esac
  expect_equal 'the log, put once more' 200 "$(put_log)"
  check_after 'a log whose push was killed'
  runs=$((runs + 1))
done
say "pushes of a build log killed $runs times"

runs=0
for ((round = 0; round <= rounds; round++)); do
  fresh_server
  tetryx push hello "${closure[-1]}" >push.log 2>&1 || die "the push failed: $(tail -n 5 push.log)"
  put_log >/dev/null
  if ((round == 0)); then restart_with changed#1=kill; fi
  tetryx cache destroy hello --no-confirm >/dev/null 2>&1 &
  destroy_pid=$!
  if ((round > 0)); then sleep_at_random 0.05; kill_server; else expect_killed 'the end of a cache'; fi
  wait "$destroy_pid" || true
  start_server
  check_clean 'a cache whose end was killed'
  # It is there, whole, or gone.
  status=$(http_status -H "Authorization: Bearer $token" "$url/hello/nix-cache-info")
  case $status in
    200) check_pulls 'a cache whose end was killed' "${closure[@]}"; tetryx cache destroy hello --no-confirm >/dev/null 2>&1 ;;
    404) ;;
    *) die "a cache whose end was killed: HTTP $status" ;;
  esac
  collect_garbage
  expect_equal 'what a destroyed cache leaves' '' "$(left_over)"
  tetryx cache create hello 2>/dev/null
  tetryx use hello >/dev/null 2>&1
  check_after 'a cache whose end was killed'
  runs=$((runs + 1))
done
say "ends of a cache killed $runs times: there or gone"

runs=0
for ((round = 0; round <= rounds; round++)); do
  fresh_server
  weak=$(atticadm make-token --sub "weak-$round" --validity '1 day' --pull '*')
  expect_status 'a token' 200 -H "Authorization: Bearer $weak" "$url/hello/nix-cache-info"
  if ((round == 0)); then
    if TETRYX_FAULTS=transaction-durable#1=kill atticadm token revoke "weak-$round" >/dev/null 2>&1; then die 'the revocation was not killed'; fi
  else
    atticadm token revoke "weak-$round" >/dev/null 2>&1 &
    revoke_pid=$!
    sleep_at_random 0.1
    kill -KILL "$revoke_pid" 2>/dev/null || true
    wait "$revoke_pid" 2>/dev/null || true
  fi
  check_clean 'a revocation that was killed'
  # Nobody was told, so it is given once more, with the same end.
  atticadm token revoke "weak-$round" >/dev/null 2>&1 || die 'the second revocation failed'
  for ((tries = 0; tries < 60; tries++)); do
    [[ $(http_status -H "Authorization: Bearer $weak" "$url/hello/nix-cache-info") == 401 ]] && break
    sleep 0.1
  done
  expect_status 'a revoked token' 401 -H "Authorization: Bearer $weak" "$url/hello/nix-cache-info"
  kill_server
  start_server
  expect_status 'a revoked token after a restart' 401 -H "Authorization: Bearer $weak" "$url/hello/nix-cache-info"
  check_after 'a revocation that was killed'
  runs=$((runs + 1))
done
say "revocations killed $runs times"

damage() { # a pack cut, a chunk of another overwritten, a lease that ended, a pack of nobody's, a row that says another size
  local pack
  pack=$(packs | sort -n | tail -n 1 | cut -d ' ' -f 2)
  edit_pack "$pack" overwrite 2000 900
  edit_pack "$pack" truncate -s -700
  plant_pack abababababababababababababababab
  sql "INSERT INTO upload (expires_at) VALUES (1); UPDATE nar SET file_size = file_size + 1 WHERE id = (SELECT max(id) FROM nar);
    INSERT INTO nar_candidate VALUES (777777); DELETE FROM object_reference WHERE object_id = (SELECT max(object_id) FROM object_reference)"
}
runs=0
for step in transaction-durable#1 transaction-durable#2 transaction-durable#3 transaction-durable#4 transaction-durable#5 remove#1 $(seq "$rounds"); do
  fresh_server
  tetryx push hello "${closure[-1]}" "${tiny[-1]}" >push.log 2>&1 || die "the push failed: $(tail -n 5 push.log)"
  damage
  case $step in
    *#*)
      if TETRYX_FAULTS=$step=kill atticadm fsck --repair --verify-content >fsck.log 2>&1 || (($? < 128)); then
        die "fsck --repair killed at $step: the step was never reached: $(cat fsck.log)"
      fi
      ;;
    *)
      atticadm fsck --repair --verify-content >fsck.log 2>&1 &
      fsck_pid=$!
      sleep_at_random 0.3
      kill -KILL "$fsck_pid" 2>/dev/null || true
      wait "$fsck_pid" 2>/dev/null || true
      ;;
  esac
  status=0
  atticadm fsck --repair --verify-content >fsck.log 2>&1 || status=$?
  ((status == 7)) || die "after fsck --repair was killed at $step, the next one ended with $status: $(cat fsck.log)"
  tetryx push hello "${closure[-1]}" "${tiny[-1]}" >push.log 2>&1 || die "the push failed: $(tail -n 5 push.log)"
  check_clean "fsck --repair killed at $step, and pushed again" --verify-content
  check_after "fsck --repair killed at $step"
  runs=$((runs + 1))
done
say "fsck --repair killed $runs times: the next one completes it"

runs=0
backup_steps=(open#6 sync#1 rename#1 write#1 $(seq "$rounds"))
if [[ -n $database_url$bucket ]]; then
  say 'copies of PostgreSQL and of a bucket are made by their own tools: backups are left out'
  backup_steps=()
fi
for step in "${backup_steps[@]}"; do
  fresh_server
  tetryx push hello "${closure[-1]}" >push.log 2>&1 || die "the push failed: $(tail -n 5 push.log)"
  rm -rf "$work/backup" "$work/backup-2"
  case $step in
    *#*) TETRYX_FAULTS=$step=kill atticadm backup "$work/backup" >backup.log 2>&1 && die "a backup killed at $step: the step was never reached" ;;
    *)
      atticadm backup "$work/backup" >backup.log 2>&1 &
      backup_pid=$!
      sleep_at_random 0.15
      kill -KILL "$backup_pid" 2>/dev/null || true
      wait "$backup_pid" 2>/dev/null || true
      ;;
  esac
  # What has a name is whole; the server and its collections go on as if nothing had been.
  if [[ -e $work/backup/server.toml ]]; then check_clean "a backup killed at $step" -f "$work/backup/server.toml" --verify-content; fi
  check_clean "a backup killed at $step"
  atticadm backup "$work/backup-2" >backup.log 2>&1 || die "the next backup failed: $(cat backup.log)"
  check_clean "the next backup" -f "$work/backup-2/server.toml" --verify-content
  check_after "a backup killed at $step"
  runs=$((runs + 1))
done
((runs == 0)) || say "backups killed $runs times"

# Beside a server a collection leaves it to that to give back parts of packs.
runs=0
for step in rows-swept#1 rows-swept#3 rows-swept#5 transaction-durable#4 transaction-durable#9 $(seq "$rounds"); do
  fresh_server
  tetryx push hello "${closure[-1]}" >push.log 2>&1 || die "the push failed: $(tail -n 5 push.log)"
  tetryx cache create kept 2>/dev/null
  tetryx push kept --no-closure "${closure[0]}" >/dev/null 2>&1 || die 'the push to the second cache failed'
  tetryx cache configure hello --retention-period 1s >/dev/null 2>&1
  sleep 1.1
  tetryx push kept "${tiny[-1]}" >push-kept.log 2>&1 &
  push_pid=$!
  case $step in
    *#*) TETRYX_FAULTS=$step=kill atticd --mode garbage-collector-once >collect.log 2>&1 && die "a collection killed at $step: the step was never reached" ;;
    *)
      atticd --mode garbage-collector-once >collect.log 2>&1 &
      collector_pid=$!
      sleep_at_random 0.2
      kill -KILL "$collector_pid" 2>/dev/null || true
      wait "$collector_pid" 2>/dev/null || true
      ;;
  esac
  # The server was not killed, and goes on.
  wait "$push_pid" || die "a collection killed at $step: the push beside it failed: $(tail -n 5 push-kept.log)"
  tetryx cache configure hello --retention-period 1y >/dev/null 2>&1
  tetryx push hello "${closure[-1]}" >push.log 2>&1 || die "a collection killed at $step: the push failed: $(tail -n 5 push.log)"
  check_pulls "a collection killed at $step" "${closure[@]}"
  check_clean "a collection killed at $step" --verify-content
  tetryx cache destroy kept --no-confirm >/dev/null 2>&1
  stop_server
  start_server
  check_after "a collection killed at $step"
  runs=$((runs + 1))
done
say "collections of another process killed $runs times beside a server that goes on"
