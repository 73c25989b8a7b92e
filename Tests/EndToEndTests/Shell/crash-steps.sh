#!/usr/bin/env bash
# kill -9 of the server at every step of pushes, and of collections beside them; and errors of the kernel on the way. After
# each: what was acknowledged pulls, the same pushes complete, and one collection later no byte and no row is left over.
#
#   crash-steps.sh [RANDOM_KILLS] [SEED]     default none; "crash-steps.sh 200" kills at 200 random moments as well
#
# The steps are faults that only a build for debugging knows: TETRYX_TEST_BINARIES names its directory. It runs on whatever
# foundation.sh has.
source "$(dirname "$0")/common.sh"
source "$shell_dir/crash-common.sh"
random_kills=${1:-0} seed=${2:-1}
RANDOM=$seed

fresh_server
stop_server
check_the_checks

say 'making paths'
# Into a bucket it goes in two parts.
if [[ -n $bucket ]]; then openssl enc -aes-128-ctr -K 01 -iv 00 -in /dev/zero 2>/dev/null | head -c 9000000 >large || true
else seq 1 1200000 >large; fi
large=$(nix-store --add large)
rm large
mapfile -t first < <("$shell_dir/make-closure.sh" -n 6 -p mixed -s 84)
mapfile -t second < <("$shell_dir/make-closure.sh" -n 6 -p mixed -s 84 -g 2)
all=("$large" "${first[@]}" "${second[@]}")

push_all_at_once() { # three clients, two of which send the same paths; their logs are push-1.log to push-3.log
  push_pids=()
  tetryx push hello "$large" "${first[-1]}" >push-1.log 2>&1 & push_pids+=($!)
  tetryx push hello "${first[-1]}" >push-2.log 2>&1 & push_pids+=($!)
  tetryx push hello "${second[-1]}" >push-3.log 2>&1 & push_pids+=($!)
}
wait_for_pushes() { for pid in "${push_pids[@]}"; do wait "$pid" || true; done; }

# The pushes complete, all of it pulls, and a collection leaves nothing.
check_after() { # what
  check_acknowledged "$1"
  check_clean "$1, after the restart"
  tetryx push hello "$large" "${first[-1]}" "${second[-1]}" >push.log 2>&1 || die "$1: the push failed: $(tail -n 5 push.log)"
  check_pulls "$1" "${all[@]}"
  check_nothing_left "$1"
  stop_server
}

# Where bytes are written, made durable and removed differs, and how often, and how long a push takes; what the server does does not.
if [[ -z $bucket ]]; then
  push_seconds=0.6
  push_steps=(open#11 write#1 write#9 sync#3 sync#4 sync#5)
  collection_steps=(remove#1 punch#1 extents-punched#1)
  failing_deletions=(punch=EIO punch=EACCES remove=EIO remove=EACCES remove=ENOENT 'punch%50=EIO,remove%50=EIO,seed=3')
  troubles=(write#1=ENOSPC write#2=EIO write#9=EDQUOT write=short sync#4=EIO sync#5=ENOSPC open#9=EMFILE open#10=ENFILE open#11=EROFS
    truncate#1=EIO,write#9=EIO 'write%4=EIO,truncate%50=EIO,seed=5')
else
  say 'a bucket has no holes, and its packs are not cut and not open: steps and troubles of these are left out'
  push_seconds=1.5
  push_steps=(write#1 write#2 write#3 sync#1 sync#2 sync#3)
  collection_steps=(remove#1 pack-copied#1 chunks-moved#1)
  failing_deletions=(remove=EIO remove=EACCES 'remove%50=EIO,seed=3')
  troubles=(write#1=EIO write#2=EIO write#4=EIO sync#1=EIO sync#2=EIO write#2=EIO,remove=EIO 'write%4=EIO,remove%50=EIO,seed=5')
fi

runs=0
for step in "${push_steps[@]}" nar-received#1 nar-received#5 bytes-durable#1 bytes-durable#2 committed#1 committed#2 bytes-kept#1 bytes-kept#2; do
  fresh_server
  stop_server
  TETRYX_FAULTS=$step=kill start_server
  push_all_at_once
  wait_for_pushes
  expect_killed "a push killed at $step"
  start_server
  check_after "a push killed at $step"
  runs=$((runs + 1))
done
say "pushes killed at $runs steps: nothing lost, nothing left over"

runs=0
for step in rows-swept#1 rows-swept#2 rows-swept#3 rows-swept#4 rows-swept#6 pack-forgotten#1 pack-removed#1 "${collection_steps[@]}"; do
  fresh_server
  tetryx push hello "$large" "${first[-1]}" >push-1.log 2>&1 || die "the push failed: $(tail -n 5 push-1.log)"
  # A second cache keeps one path alive, so that its pack lives on with holes in it; where packs are to go, nothing may
  # stay: uploads share a pack when they do not overlap.
  keeps=1
  case $step in pack-forgotten* | pack-removed* | remove*) keeps= ;; esac
  if [[ -n $keeps ]]; then
    tetryx cache create kept 2>/dev/null
    tetryx push kept --no-closure "${first[0]}" >/dev/null 2>&1 || die 'the push to the second cache failed'
  fi
  tetryx cache configure hello --retention-period 1s >/dev/null 2>&1
  sleep 1.1
  stop_server
  if TETRYX_FAULTS=$step=kill atticd --mode garbage-collector-once >collect.log 2>&1; then
    die "a collection killed at $step: the step was never reached: $(cat collect.log)"
  fi
  start_server
  tetryx push hello "${second[-1]}" >push-2.log 2>&1 || die "a collection killed at $step: the push failed: $(tail -n 5 push-2.log)"
  [[ -z $keeps ]] || tetryx cache destroy kept --no-confirm >/dev/null 2>&1
  : >push-1.log
  check_after "a collection killed at $step"
  runs=$((runs + 1))
done
say "collections killed at $runs steps: nothing lost, nothing left over"

# Deletions that fail: counted and logged, none keeps the others, and the next collection does the rest.
runs=0
for fault in "${failing_deletions[@]}"; do
  fresh_server
  tetryx push hello "$large" "${first[-1]}" >push-1.log 2>&1 || die "the push failed: $(tail -n 5 push-1.log)"
  if [[ $fault == punch* ]]; then
    tetryx cache create kept 2>/dev/null
    tetryx push kept --no-closure "${first[0]}" >/dev/null 2>&1 || die 'the push to the second cache failed'
  fi
  tetryx cache configure hello --retention-period 1s >/dev/null 2>&1
  sleep 1.1
  stop_server
  status=0
  TETRYX_FAULTS=$fault atticd --mode garbage-collector-once >collect.log 2>&1 || status=$?
  if [[ $fault == remove=ENOENT ]]; then
    # A file that is not there is as good as removed.
    expect_equal "$fault: the collection's exit code" 0 "$status"
  elif [[ $fault != *%* ]]; then
    expect_equal "$fault: the collection's exit code" 1 "$status"
    grep -q 'could not .*, will try again: ' collect.log || die "$fault: nothing says what failed: $(cat collect.log)"
    grep -Eq 'Garbage collection: .*, [1-9][0-9]* deletions? failed and will be tried again' collect.log || die "$fault: nothing was counted: $(cat collect.log)"
  fi
  expect_equal "$fault: rows left of objects" "$([[ $fault == punch* ]] && echo 1 || echo 0)" "$(rows object)"
  atticd --mode garbage-collector-once >collect.log 2>&1 || die "$fault: the next collection failed, too: $(cat collect.log)"
  expect_equal "$fault: dead extents after the next collection" 0 "$(rows dead_extent)"
  [[ $fault == punch* ]] || expect_equal "$fault: what is left of packs" '' "$(stray_files)"
  start_server
  [[ $fault != punch* ]] || tetryx cache destroy kept --no-confirm >/dev/null 2>&1
  : >push-1.log
  check_after "a collection with $fault"
  runs=$((runs + 1))
done
say "collections with $runs kinds of failing deletions: the next one does the rest"

# Trouble with the disk, the kernel or the bucket: an error to those pushes, a line in the log, and the same server goes on when it ends.
runs=0
for fault in "${troubles[@]}"; do
  fresh_server
  stop_server
  TETRYX_FAULTS=$fault start_server
  push_all_at_once
  wait_for_pushes
  if grep -q '^❌' push-?.log && ! grep -Eq 'cannot (append to|sync|open|cut|write|complete|make durable)' "$server_log"; then
    die "$fault: a push failed, and the log does not say why: $(cat push-?.log)"
  fi
  check_acknowledged "$fault"
  for ((tries = 0; ; tries++)); do
    if tetryx push hello "$large" "${first[-1]}" "${second[-1]}" >push.log 2>&1; then break; fi
    ((tries < 500)) || die "$fault: the same server does not go on: $(tail -n 5 push.log)"
  done
  # What could not be cut off a pack, the next start cuts off.
  stop_server
  start_server
  check_after "$fault"
  runs=$((runs + 1))
done
say "$runs troubles with disk or bucket: errors, and nothing lost, nothing left over"

killed_paths=0
for ((round = 1; round <= random_kills; round++)); do
  fresh_server
  push_all_at_once
  # Some collect meanwhile, and are killed with the server.
  collector_pid=
  if ((RANDOM % 2)); then
    tetryx cache configure hello --retention-period 1s >/dev/null 2>&1
    atticd --mode garbage-collector-once >/dev/null 2>&1 & collector_pid=$!
  fi
  sleep_at_random $push_seconds
  kill_server
  [[ -z $collector_pid ]] || kill -KILL "$collector_pid" 2>/dev/null || true
  wait_for_pushes
  start_server
  # What the collector took is no loss.
  [[ -z $collector_pid ]] || : | tee push-1.log push-2.log push-3.log >/dev/null
  check_after "random kill $round of seed $seed"
  killed_paths=$((killed_paths + acknowledged_count))
done
((random_kills == 0)) || say "$random_kills kills at random moments, $killed_paths paths acknowledged before them: nothing lost, nothing left over"
